"""A flow in a file, as the command line runs it: each item in a process of its own."""

import os

from eventflow.flow import FlowSpec, foreach, join, needs, optional, repeat, step


class Filed(FlowSpec):
    """Numbers and the processes that made them."""

    @foreach
    @step
    def fan(self, n: int) -> list[int]:
        return list(range(n))

    @optional(lambda flow: flow.results["fan"] != 1)
    @needs([fan])
    @step
    def work(self, x: int) -> list[int]:
        return [x, os.getpid()]

    @repeat(lambda flow: flow.input)
    @join
    @needs([work])
    @step
    def end(self, found: list[list[int] | None]) -> list[int | None]:
        return [one[0] if one is not None else None for one in found]


filed = Filed(input=3).to_workflow(tags=["flows"])
