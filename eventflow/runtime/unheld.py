"""Runs that no executor holds: each kind has its own way to begin (S40, S43)."""

from collections.abc import Callable

from eventflow.executors.port import Report
from eventflow.runtime.client import Client
from eventflow.runtime.dispatch import Order
from eventflow.runtime.expanding import Expander
from eventflow.runtime.subruns import SubStarter


class Unheld:
    """Begins a run by a command: for its items, or for its sub-execution."""

    def __init__(self, client: Client, report: Callable[[Report], None]) -> None:
        self._expand = Expander(client, report)
        self._start_sub = SubStarter(client, report)

    def __call__(self, order: Order) -> None:
        if order.plan is None or order.run is None:
            raise ValueError(f"order {order.key} has no run to begin")
        if order.plan.tasks[order.run.task].mapped is not None:
            self._expand(order)
        else:
            self._start_sub(order)
