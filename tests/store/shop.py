"""Workflows that use every kind of rule, state and timer, for the stories of these tests."""

from datetime import timedelta

from story import Step

from eventflow.model.condition import AllOf, Condition, EventCondition
from eventflow.model.context import RuleContext, ValueStateDescriptor
from eventflow.model.event import Event
from eventflow.model.schedule import Every
from eventflow.model.status import TaskAction, TaskStatus
from eventflow.model.workflow import Workflow


class EveryNth(Condition):
    """Met by each `n`-th event; remembers the count."""

    def __init__(self, key: str, n: int) -> None:
        super().__init__([key])
        self.n = n

    def is_met(self, event: Event, context: RuleContext) -> bool:
        if event.value == "raise":
            raise RuntimeError("no answer")
        seen = context.get_state(ValueStateDescriptor[int]("seen", 0))
        seen.update(seen.value() + 1)
        return seen.value() % self.n == 0


class Taking(Step):
    """Takes the output of another task."""

    def __init__(self, name: str, source: Step) -> None:
        super().__init__(name)
        self.source = source

    @property
    def arguments(self) -> object:
        return [self.source.output]


def shop(name: str = "shop", *, max_active: int = 2, description: str = "") -> Workflow:
    """One task of each kind."""
    with Workflow(name, timeout=900, max_active=max_active, description=description) as workflow:
        pick = Step("pick", retries=1, retry_delay=5.0, timeout=60)
        pack = Step("pack")
        ship = Step("ship")
        Taking("bill", pick)
        watch = Step("watch", autostart=False)
        Step("count", periodic_expression=Every(minutes=1), overlap="restart")
        pick >> pack
        ship.action_on_task_status(
            TaskAction.START, {pick: TaskStatus.SUCCESS, pack: {TaskStatus.SUCCESS}}
        )
        watch.action_on_event_received(TaskAction.RESTART, "stock.changed")
        watch.action_on_event_received(TaskAction.STOP, "stock.closed")
        ship.action_on_condition(TaskAction.STOP, EveryNth("recall", 2))
        pack.action_on_condition(
            TaskAction.RESTART, AllOf(EventCondition("stock.changed"), EventCondition("recall"))
        )
    workflow.trigger_on_event("orders.paid")
    workflow.trigger_on_condition(EveryNth("orders.asked", 3))
    return workflow


def chain() -> Workflow:
    """Two tasks, one after the other."""
    with Workflow("chain") as workflow:
        Step("first") >> Step("second")
    return workflow


def nightly() -> Workflow:
    """A schedule, and nothing to do."""
    with Workflow("nightly", schedule=Every(hours=1), catchup="all") as workflow:
        Step("report")
    workflow.misfire_grace = timedelta(minutes=5)
    return workflow
