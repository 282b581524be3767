"""Flows: a class of decorated methods that compiles to a Workflow and runs on the one engine.

    class Prices(FlowSpec):
        @foreach
        @step
        def scenarios(self, demand):
            return [demand * factor for factor in (0.9, 1.0, 1.1)]

        @needs(predecessors=[scenarios])
        @step(retries=2, timeout=30)
        def solve(self, demand):
            return best_price(demand)

        @join
        @needs(predecessors=[solve])
        @step
        def pick(self, prices):
            return max(prices)

    run = Prices(input=100).run()
    run.get_result(Prices.pick), run.get_result("solve"), run.node("solve", 1).status

`FlowSpec` says how a flow runs, the decorators what its steps are, `FlowRun` how one run goes.
"""

from eventflow.flow.decorators import app, foreach, join, needs, optional, repeat, step
from eventflow.flow.graph import FlowGraph, check_cycle
from eventflow.flow.nodes import FlowNode, StepFailure
from eventflow.flow.running import FlowRun
from eventflow.flow.spec import FlowSpec
from eventflow.flow.steps import FlowStep, StepKind
from eventflow.flow.view import FlowView

__all__ = [
    "FlowGraph",
    "FlowNode",
    "FlowRun",
    "FlowSpec",
    "FlowStep",
    "FlowView",
    "StepFailure",
    "StepKind",
    "app",
    "check_cycle",
    "foreach",
    "join",
    "needs",
    "optional",
    "repeat",
    "step",
]
