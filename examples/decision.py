"""A decision: with which trucks, and from how many depots, are 40 cities of Europe supplied?

    python examples/decision.py                    (or with other diesel, in EUR: --diesel 1.9)

A flow on real cities with a real solver. `scenarios` lists what could be done, and `solve` has
HiGHS answer each of them, quickly and roughly. `shortlist` joins the answers: those that may still
turn out to be the cheapest. `improve` is optional: it solves one of these again and takes more
time, if its answer is too rough. `choose` joins both, and `report` draws a map, decision.svg.
Prints the answers as they come, all in a table, and what was decided:

    18 scenarios, 3 that were close; rough answers alone: 40 t, 8 depots
    40 t, 7 depots for 150,465 EUR a week; no plan is more than 0.4% cheaper
    depots: Berlin, Madrid, Rome, Vienna, Stockholm, Sofia, Brussels

With `--store FILE` it is kept there, and goes on after a kill (see `decision_resumed.py`). With
`--uplink URL` a platform shows how it goes: `local_platform.py`, for one.
"""

import argparse
import os
from pathlib import Path

import depots
from depot_map import draw
from depots import City, Plan, Scenario, gap, named

from eventflow.flow import FlowSpec, FlowView, foreach, join, needs, optional, step
from eventflow.reporters import UplinkConfig

COUNTS = range(4, 10)
# Gaps: of a quick answer, of one that is good enough, and of a closer look.
ROUGH, ENOUGH, CLOSE = 0.03, 0.01, 0.005


def is_rough(flow: FlowView) -> bool:
    return gap(flow.results["shortlist"]) > ENOUGH


class Decision(FlowSpec):
    """Decides on trucks and depots. Its input is the price of diesel, in EUR a litre."""

    @step
    def cities(self) -> list[City]:
        """Where the cities are and how many people live there."""
        return depots.read_cities()

    @step
    def scenarios(self, diesel: float) -> list[Scenario]:
        """Every kind of truck with every number of depots."""
        return [
            Scenario(truck=truck, depots=count, diesel=diesel)
            for truck in depots.TRUCKS
            for count in COUNTS
        ]

    @step
    @needs([cities, scenarios])
    @foreach(over=scenarios)
    def solve(self, cities: list[City], scenario: Scenario) -> Plan:
        """A quick answer to a scenario."""
        return self.told("solved", depots.solve(cities, scenario, ROUGH))

    @step
    @needs([solve])
    @join
    def shortlist(self, plans: list[Plan]) -> list[Plan]:
        """The plans that may be the cheapest once they are looked at closer; cheapest first."""
        plans = sorted(plans, key=lambda plan: plan["cost"])
        return [plan for plan in plans if plan["bound"] <= plans[0]["cost"]]

    @step
    @needs([cities, shortlist])
    @foreach(over=shortlist)
    @optional(is_rough)
    def improve(self, cities: list[City], plan: Plan) -> Plan:
        """A closer look at a scenario."""
        closer = depots.solve(cities, plan["scenario"], CLOSE)
        if closer["cost"] > plan["cost"]:
            closer = Plan(**{**plan, "bound": closer["bound"]})
        return self.told("improved", closer)

    @step
    @needs(plans=solve, improved=improve)
    @join
    def choose(self, plans: list[Plan], improved: list[Plan | None]) -> list[Plan]:
        """The best plan of each scenario, cheapest first."""
        best = {named(plan["scenario"]): plan for plan in [*plans, *improved] if plan}
        return sorted(best.values(), key=lambda plan: plan["cost"])

    @step
    @needs([cities, choose, shortlist])
    def report(self, cities: list[City], plans: list[Plan], rough: list[Plan]) -> str:
        """What was decided: a text, and a map."""
        best = plans[0]
        Path("decision.svg").write_text(draw(cities, best), encoding="utf-8")
        cheaper = 1 - min(plan["bound"] for plan in plans) / best["cost"]
        return (
            f"{depots.table(plans)}\n\n{len(plans)} scenarios, {len(rough)} that were close; "
            f"rough answers alone: {named(rough[0]['scenario'])}\n"
            f"{named(best['scenario'])} for {best['cost']:,.0f} EUR a week; "
            f"no plan is more than {cheaper:.1%} cheaper\n"
            f"depots: {', '.join(best['served'])}"
        )

    def told(self, what: str, plan: Plan) -> Plan:
        line = f"{what} {named(plan['scenario'])}: {plan['cost']:,.0f} EUR a week\n"
        print(line, end="", flush=True)  # in one piece: several are solved side by side
        return plan


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--diesel", type=float, default=1.4, help="EUR a litre, without VAT")
    options.add_argument("--store", metavar="FILE", help="where to keep it; in memory by default")
    options.add_argument("--uplink", metavar="URL", help="a platform to report to")
    given = options.parse_args()
    uplink = UplinkConfig(url=given.uplink, interval=1) if given.uplink else None
    flow = Decision(
        input=given.diesel, store=given.store, uplink=uplink, threads=os.cpu_count() or 1
    )
    print(f"\n{flow.run().get_result('report')}\nmap: {Path('decision.svg').resolve()}")


if __name__ == "__main__":
    main()
