"""What `decision.py` decides: where a company that supplies Europe should have its depots.

No eventflow here: real cities, and for each scenario (a kind of truck, how many depots) a mixed
integer program that HiGHS solves. A truck drives full from its depot to one city and back; road is
1.3 times the great circle. The cities are GeoNames' (see `cities.csv`); demand, prices and what
trucks burn are assumptions, plausible for 2025.
"""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypedDict

import highspy

CITIES = Path(__file__).with_name("cities.csv")
PEOPLE_PER_PALLET = 20_000  # a week
DEPOT_EUR, WEEK_KM = 9_000, 3_000  # what a depot costs a week; what a driver's hours leave a truck
DETOUR, IN_TOWN_KM, EARTH_KM = 1.3, 20, 6_371


class City(TypedDict):
    name: str
    latitude: float
    longitude: float
    population: int


class Truck(NamedTuple):
    pallets: int
    litres_per_100_km: float
    eur_per_km: float  # tolls, tyres, repairs
    eur_per_week: float  # lease and driver


class Scenario(TypedDict):
    truck: str
    depots: int
    diesel: float  # EUR a litre


class Plan(TypedDict):
    """What the solver found for a scenario. No plan of the scenario costs less than `bound`."""

    scenario: Scenario
    cost: float  # EUR a week, as is `bound`
    bound: float
    trucks: int
    km: float
    served: dict[str, list[str]]  # depot -> cities


TRUCKS = {
    "7.5 t": Truck(15, 15, 0.12, 1300),
    "18 t": Truck(21, 23, 0.22, 1450),
    "40 t": Truck(33, 30, 0.35, 1700),
}


def read_cities() -> list[City]:
    """The cities of `cities.csv`, largest first."""
    lines = CITIES.read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return [
        City(
            name=row["name"],
            latitude=float(row["latitude"]),
            longitude=float(row["longitude"]),
            population=int(row["population"]),
        )
        for row in rows
    ]


def road_km(a: City, b: City) -> float:
    one, other = math.radians(a["latitude"]), math.radians(b["latitude"])
    east = math.radians(b["longitude"] - a["longitude"])
    arc = math.sin((other - one) / 2) ** 2
    arc += math.cos(one) * math.cos(other) * math.sin(east / 2) ** 2
    return max(IN_TOWN_KM, DETOUR * 2 * EARTH_KM * math.asin(math.sqrt(arc)))


def week_km(depot: City, city: City, truck: Truck) -> float:
    """What supplying a city from a depot takes: so many trips there and back."""
    trips = math.ceil(city["population"] / PEOPLE_PER_PALLET / truck.pallets)
    return trips * 2 * road_km(depot, city)


def gap(plan: Plan) -> float:
    """By what share of its cost a plan could at most be bettered within its scenario."""
    return 1 - plan["bound"] / plan["cost"]


def use(plan: Plan) -> float:
    """The share of what the trucks could drive that they drive."""
    return plan["km"] / (plan["trucks"] * WEEK_KM)


def solve(cities: Sequence[City], scenario: Scenario, wanted_gap: float) -> Plan:
    """The cheapest plan of a scenario, or one that costs at most `wanted_gap` more than it.

    Variables: which cities have a depot, how many trucks stand there, which city it supplies.
    """
    truck, here = TRUCKS[scenario["truck"]], range(len(cities))
    km = [[week_km(depot, city, truck) for depot in cities] for city in cities]
    eur_per_km = truck.litres_per_100_km / 100 * scenario["diesel"] + truck.eur_per_km
    model = highspy.Highs()
    model.silent()
    model.setOptionValue("threads", 1)  # scenarios are solved side by side
    model.setOptionValue("mip_rel_gap", wanted_gap)
    depot, trucks = model.addBinaries(len(cities)), model.addIntegrals(len(cities))
    supplies = model.addBinaries(len(cities), len(cities))
    model.addConstr(model.qsum(depot) == scenario["depots"])
    for a in here:
        driven = model.qsum(km[b][a] * supplies[a, b] for b in here)
        model.addConstr(driven <= WEEK_KM * trucks[a])
        model.addConstr(model.qsum(supplies[:, a]) == 1)
        for b in here:
            model.addConstr(supplies[a, b] <= depot[a])
    distance = model.qsum(km[b][a] * supplies[a, b] for a in here for b in here)
    rent = truck.eur_per_week * model.qsum(trucks) + DEPOT_EUR * scenario["depots"]
    model.minimize(eur_per_km * distance + rent)
    if model.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise RuntimeError(f"{scenario}: {model.modelStatusToString(model.getModelStatus())}")
    found, chosen = model.getInfo(), model.vals(supplies) > 0.5
    return Plan(
        scenario=scenario,
        cost=round(found.objective_function_value, 2),
        bound=round(found.mip_dual_bound, 2),
        trucks=round(sum(model.vals(trucks))),
        km=round(sum(km[b][a] for a in here for b in here if chosen[a, b]), 1),
        served={
            cities[a]["name"]: [cities[b]["name"] for b in here if chosen[a, b]]
            for a in here
            if chosen[a].any()
        },
    )


def named(scenario: Scenario) -> str:
    return f"{scenario['truck']}, {scenario['depots']} depots"


def table(plans: Sequence[Plan]) -> str:
    """The plans, cheapest first, as text."""
    lines = [f"{'scenario':<18}{'EUR/week':>10}{'gap':>7}{'trucks':>8}{'km/week':>10}{'use':>6}"]
    lines += [
        f"{named(plan['scenario']):<18}{plan['cost']:>10,.0f}{gap(plan):>7.1%}"
        f"{plan['trucks']:>8}{plan['km']:>10,.0f}{use(plan):>6.0%}"
        for plan in sorted(plans, key=lambda plan: plan["cost"])
    ]
    return "\n".join(lines)
