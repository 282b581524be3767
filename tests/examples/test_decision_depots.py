"""What `decision.py` works with: its data, its solver against trying everything, its map."""

import itertools
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SVG = "{http://www.w3.org/2000/svg}"

sys.path.append(str(EXAMPLES))
import depot_map  # noqa: E402  # an example imports what lies beside it
import depots  # noqa: E402
from depots import City, Plan, Scenario  # noqa: E402


def plan_of(cities: list[City], truck: str, number: int, wanted_gap: float) -> Plan:
    return depots.solve(cities, Scenario(truck=truck, depots=number, diesel=1.6), wanted_gap)


def every_cost(cities: list[City], scenario: Scenario) -> Iterator[float]:
    """The oracle: what each way to supply each city from one of the depots costs."""
    truck, names = depots.TRUCKS[scenario["truck"]], range(len(cities))
    eur_per_km = truck.litres_per_100_km / 100 * scenario["diesel"] + truck.eur_per_km
    for sites in itertools.combinations(names, scenario["depots"]):
        for suppliers in itertools.product(sites, repeat=len(cities)):
            km = dict.fromkeys(sites, 0.0)
            for city, site in enumerate(suppliers):
                km[site] += depots.week_km(cities[site], cities[city], truck)
            trucks = sum(math.ceil(driven / depots.WEEK_KM) for driven in km.values())
            rent = trucks * truck.eur_per_week + len(sites) * depots.DEPOT_EUR
            yield sum(km.values()) * eur_per_km + rent


def test_the_cities_are_where_they_are() -> None:
    cities = {city["name"]: city for city in depots.read_cities()}

    assert len(cities) == 40
    # 1,869 km as the crow flies.
    assert depots.road_km(cities["Berlin"], cities["Madrid"]) / depots.DETOUR == pytest.approx(
        1869, rel=0.005
    )


@pytest.mark.parametrize("truck", depots.TRUCKS)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_no_plan_of_a_few_cities_is_cheaper_than_the_solvers(truck: str, number: int) -> None:
    cities = depots.read_cities()[:7]

    plan = plan_of(cities, truck, number, wanted_gap=0)

    assert plan["cost"] == pytest.approx(min(every_cost(cities, plan["scenario"])), abs=0.05)


def test_a_plan_supplies_every_city_once_and_proves_how_good_it_is() -> None:
    cities = depots.read_cities()

    quick, fine = (plan_of(cities, "18 t", 6, gap) for gap in (0.03, 0.005))

    for plan, wanted in ((quick, 0.03), (fine, 0.005)):
        supplied = [city for some in plan["served"].values() for city in some]
        assert sorted(supplied) == sorted(city["name"] for city in cities)
        assert len(plan["served"]) == 6
        assert 0 <= depots.gap(plan) <= wanted
        assert 0 < depots.use(plan) <= 1
    assert quick["bound"] <= fine["cost"] <= quick["cost"]


def test_a_scenario_that_cannot_be_is_an_error_that_names_it() -> None:
    with pytest.raises(RuntimeError, match=r"'depots': 9.*[Ii]nfeasible"):
        plan_of(depots.read_cities()[:5], "40 t", 9, wanted_gap=0)


def test_the_map_has_every_city_and_names_every_depot() -> None:
    cities = depots.read_cities()
    plan = plan_of(cities, "40 t", 4, wanted_gap=0.03)

    drawn = ElementTree.fromstring(depot_map.draw(cities, plan))  # noqa: S314  # ours

    said = [text.text for text in drawn.iter(f"{SVG}text")]
    assert set(plan["served"]) <= set(said)
    assert "Cities: GeoNames, CC BY 4.0" in said
    assert len(list(drawn.iter(f"{SVG}circle"))) == len(cities)
    _, _, width, height = map(float, drawn.attrib["viewBox"].split())
    for dot in drawn.iter(f"{SVG}circle"):
        assert 0 < float(dot.attrib["cx"]) < width
        assert 0 < float(dot.attrib["cy"]) < height
