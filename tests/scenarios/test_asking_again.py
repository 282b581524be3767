"""Conditions that failed are asked again, on request (S9, S13, S16, S17, S41)."""

from collections.abc import Callable

import pytest
from scenario_tasks import Work

from eventflow import (
    Condition,
    Event,
    RuleContext,
    TaskAction,
    TaskStatus,
    ValueStateDescriptor,
    Workflow,
    WorkflowStatus,
)
from eventflow.core.explanation import How, TaskExplained, WorkflowExplained
from eventflow.core.telling import tell
from eventflow.errors import ConflictError, NotFoundError
from eventflow.runtime.failing import Which, failed_verdicts
from eventflow.testing import VirtualScheduler

pytestmark = [pytest.mark.rule("S13"), pytest.mark.unsteady]
START = TaskAction.START
OK = ["INIT", "QUEUED", "RUNNING", "SUCCESS"]


class Limits:
    """What the conditions read from outside: it is broken until somebody mends it."""

    def __init__(self) -> None:
        self.amount: int | None = None


class Over(Condition):
    """Met by an amount over the limit; counts how often it was asked."""

    def __init__(self, key: str, limits: Limits) -> None:
        super().__init__([key])
        self._limits = limits

    def is_met(self, event: Event, context: RuleContext) -> bool:
        asked = context.get_state(ValueStateDescriptor("asked", default=0))
        asked.update(asked.value() + 1)
        if self._limits.amount is None:
            raise LookupError("the limits are not there")
        return bool(event.value["amount"] > self._limits.amount)


def orders(limits: Limits) -> Workflow:
    with Workflow("orders") as workflow:
        Work("waits").action_on_event_received(START, "never")
        Work("checks").action_on_condition(START, Over("orders.*", limits))
    return workflow


def shop(limits: Limits) -> Workflow:
    with Workflow("shop") as workflow:
        Work("a")
    workflow.trigger_on_condition(Over("orders.*", limits))
    return workflow


def what(scheduler: VirtualScheduler, *, unanswered: bool = False) -> list[tuple[str, bool]]:
    """The failed verdicts: key of the event, and whether it is open."""
    found = failed_verdicts(scheduler.store, Which(), unanswered=unanswered)
    return [(one.event.key, one.open) for one in found]


def test_a_task_rule_that_is_met_on_the_second_asking_acts_on_the_event_of_then() -> None:
    limits = Limits()
    scheduler = VirtualScheduler(orders(limits))
    scheduler.run()
    scheduler.emit("orders.old", {"amount": 1})
    event = scheduler.emit("orders.paid", {"amount": 7}, sender="till", attributes={"lane": "2"})
    assert scheduler.runs("checks") == []

    limits.amount = 5
    (record,) = scheduler.rejudge(event)

    assert (record.did, record.task, record.rule) == ("started", "checks", 0)
    assert scheduler.runs("checks") == [(1, OK)]
    (job,) = scheduler.started("checks")
    logged = scheduler.events("orders.paid")[0]
    assert job.trigger_event == logged
    assert (logged.sender, logged.attributes) == ("till", {"lane": "2"})
    (run,) = [run for run in scheduler.execution().tasks if run.task_name == "checks"]
    assert (run.trigger_turn, run.started_by) == (logged.turn, "orders.paid")
    assert what(scheduler) == [("orders.old", True), ("orders.paid", False)]


@pytest.mark.rule("S9")
def test_the_second_answer_is_a_verdict_of_the_turn_in_which_it_was_asked() -> None:
    limits = Limits()
    scheduler = VirtualScheduler(orders(limits))
    scheduler.run()
    event = scheduler.emit("orders.paid", {"amount": 7})
    limits.amount = 5
    (record,) = scheduler.rejudge(event.offset)

    (first, second) = scheduler.store.verdicts()

    assert (first.met, "the limits are not there" in first.error, first.of_turn) == (False, True, 0)
    assert (second.met, second.error, second.of_turn) == (True, "", first.turn)
    assert second.turn == record.turn > first.turn
    # What the first asking wrote was forgotten with it: the state is that of now.
    assert second.writes == {"checks/0:asked": 1}


def test_a_workflow_rule_that_is_met_on_the_second_asking_starts_an_event_execution() -> None:
    limits = Limits()
    scheduler = VirtualScheduler(shop(limits))
    event = scheduler.emit("orders.paid", {"amount": 7})
    assert scheduler.executions() == []

    limits.amount = 5
    scheduler.rejudge(event)

    (execution,) = scheduler.executions()
    assert (execution.execution_type, execution.status) == ("EVENT", WorkflowStatus.SUCCESS)
    assert execution.trigger_event == scheduler.events("orders.paid")[0]
    assert scheduler.started("a")[0].trigger_event.value == {"amount": 7}
    scheduler.restart_scheduler()
    assert scheduler.runs("a") == [(1, OK)]


def test_one_that_fails_again_is_open_still_and_listed_once() -> None:
    limits = Limits()
    scheduler = VirtualScheduler(shop(limits))
    event = scheduler.emit("orders.paid", {"amount": 7})

    (record,) = scheduler.rejudge(event)
    assert record.did == "failed again"
    assert what(scheduler, unanswered=True) == [("orders.paid", True)]
    assert what(scheduler) == [("orders.paid", False), ("orders.paid", True)]

    limits.amount = 9
    (record,) = scheduler.rejudge(event)
    assert record.did == "not met"
    assert what(scheduler, unanswered=True) == []
    assert scheduler.executions() == []


def test_what_has_been_answered_is_not_asked_a_third_time() -> None:
    limits = Limits()
    scheduler = VirtualScheduler(shop(limits))
    event = scheduler.emit("orders.paid", {"amount": 7})
    limits.amount = 5
    (first,) = scheduler.rejudge(event)

    with pytest.raises(ConflictError, match=rf"asked again \(offset {first.event_offset}\): met"):
        scheduler.rejudge(event)

    assert len(scheduler.executions()) == 1


def test_two_who_ask_at_the_same_time_ask_once() -> None:
    limits = Limits()
    scheduler = VirtualScheduler(shop(limits))
    event = scheduler.emit("orders.paid", {"amount": 7})
    limits.amount = 5

    first = scheduler.client.rejudge(Which(offset=event.offset))
    second = scheduler.client.rejudge(Which(offset=event.offset))
    scheduler.run_until_idle()

    assert [one.offset for one in first] == [one.offset for one in second]
    assert len(scheduler.executions()) == 1


def test_all_that_failed_in_a_workflow_since_a_time_is_asked_again() -> None:
    limits = Limits()
    scheduler = VirtualScheduler(shop(limits))
    scheduler.emit("orders.a", {"amount": 7})
    scheduler.advance(hours=1)
    since = scheduler.now
    scheduler.emit("orders.b", {"amount": 7})
    scheduler.emit("orders.c", {"amount": 2})
    limits.amount = 5

    records = scheduler.rejudge(workflow="shop", since=since)

    assert [record.did for record in records] == ["started", "not met"]
    assert what(scheduler, unanswered=True) == [("orders.a", True)]


def test_of_several_rules_one_can_be_named_and_one_execution_is_started_by_one_event() -> None:
    limits = Limits()
    workflow = shop(limits)
    workflow.trigger_on_condition(Over("orders.paid", limits))
    scheduler = VirtualScheduler(workflow)
    event = scheduler.emit("orders.paid", {"amount": 7})
    limits.amount = 5

    (second,) = scheduler.rejudge(event, rule=1)
    (first,) = scheduler.rejudge(event)

    assert (second.did, first.did) == ("started", "ignored: started already")
    assert len(scheduler.executions()) == 1


def test_rules_that_are_met_together_act_as_for_any_event() -> None:
    limits = Limits()
    with Workflow("w") as workflow:
        Work("waits").action_on_event_received(START, "never")
        a = Work("a")
        a.action_on_condition(START, Over("orders.*", limits))
        a.action_on_condition(TaskAction.RESTART, Over("orders.*", limits))
    scheduler = VirtualScheduler(workflow)
    scheduler.run()
    event = scheduler.emit("orders.paid", {"amount": 7})
    limits.amount = 5

    records = scheduler.rejudge(event)

    assert [record.did for record in records] == ["started", "shadowed"]
    assert scheduler.runs("a") == [(1, OK)]


@pytest.mark.rule("S17")
def test_a_paused_workflow_is_not_asked_until_it_goes_on() -> None:
    limits = Limits()
    scheduler = VirtualScheduler(shop(limits))
    event = scheduler.emit("orders.paid", {"amount": 7})
    limits.amount = 5
    scheduler.pause("shop")

    with pytest.raises(ConflictError, match="workflow 'shop' is paused"):
        scheduler.rejudge(event)
    scheduler.resume("shop")
    scheduler.rejudge(event)

    assert scheduler.runs("a") == [(1, OK)]


def ended(scheduler: VirtualScheduler) -> None:
    scheduler.stop_workflow(1)


def stopping(scheduler: VirtualScheduler) -> None:
    # Decided after the stop, before what runs has been stopped.
    scheduler.client.stop(1)


@pytest.mark.parametrize(
    ("before", "why"),
    [
        (ended, "execution 1 of orders has ended STOPPED"),
        (stopping, "execution 1 is being stopped"),
    ],
)
def test_in_an_execution_that_has_ended_or_is_being_stopped_nothing_is_asked(
    before: Callable[[VirtualScheduler], None], why: str
) -> None:
    limits = Limits()
    scheduler = VirtualScheduler(orders(limits))
    scheduler.run()
    event = scheduler.emit("orders.paid", {"amount": 7})
    limits.amount = 5
    before(scheduler)

    with pytest.raises(ConflictError, match=why):
        scheduler.rejudge(event)

    assert scheduler.runs("checks") == []


def test_what_did_not_fail_cannot_be_asked_again() -> None:
    scheduler = VirtualScheduler(shop(Limits()))
    event = scheduler.emit("other", 1)

    with pytest.raises(ConflictError, match="no such condition has failed on the event at offset"):
        scheduler.rejudge(event)
    with pytest.raises(NotFoundError, match="no event has offset 999"):
        scheduler.rejudge(999)


@pytest.mark.rule("S41")
def test_a_workflow_rule_is_that_of_the_newest_snapshot() -> None:
    scheduler = VirtualScheduler(shop(Limits()))
    event = scheduler.emit("orders.paid", {"amount": 7})
    mended = Limits()
    mended.amount = 5
    with Workflow("shop") as workflow:
        Work("b")
    workflow.trigger_on_condition(Over("orders.paid", mended))
    scheduler.register(workflow)

    scheduler.rejudge(event)

    assert scheduler.runs("b") == [(1, OK)]


@pytest.mark.rule("S41")
def test_a_built_in_that_took_the_place_of_the_rule_answers_for_it() -> None:
    scheduler = VirtualScheduler(shop(Limits()))
    first = scheduler.emit("orders.paid", {"amount": 7})
    second = scheduler.emit("orders.sent", {"amount": 7})
    with Workflow("shop") as workflow:
        Work("b")
    workflow.trigger_on_event("orders.paid")
    scheduler.register(workflow)

    scheduler.rejudge(first)
    with pytest.raises(ConflictError, match=r"does not listen to 'orders\.sent'"):
        scheduler.rejudge(second)

    assert scheduler.runs("b") == [(1, OK)]
    assert what(scheduler, unanswered=True) == [("orders.sent", True)]


@pytest.mark.rule("S42")
def test_explain_says_that_it_was_asked_again_and_what_came_of_it() -> None:
    limits = Limits()
    scheduler = VirtualScheduler(orders(limits), shop(limits))
    scheduler.run()
    event = scheduler.emit("orders.paid", {"amount": 7})
    limits.amount = 5
    asked = {record.workflow: record.event_offset for record in scheduler.rejudge(event)}

    explained = scheduler.explain(1, "checks")
    assert isinstance(explained, TaskExplained)
    (link,) = explained.chain
    assert (link.how, link.event, link.again is not None) == (
        How.RULE,
        scheduler.events("orders.paid")[0],
        True,
    )
    text = "\n".join(tell(explained, lambda instant: f"{instant:%H:%M}"))
    assert f"judged again, by command (offset {asked['orders']})" in text
    rules = scheduler.explain("shop")
    assert isinstance(rules, WorkflowExplained)
    last = rules.rules[0].last
    assert last is not None
    assert last.why == f"its condition failed; asked again (offset {asked['shop']}): met"
    (link,) = scheduler.explain(2).chain  # type: ignore[union-attr]  an execution has a chain
    assert (link.how, link.event) == (How.TRIGGER, scheduler.events("orders.paid")[0])


def test_a_restart_of_the_task_by_the_second_asking_waits_for_the_run_to_stop() -> None:
    limits = Limits()
    with Workflow("w") as workflow:
        a = Work("a", autostart=True)
        a.action_on_condition(TaskAction.RESTART, Over("orders.*", limits))
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("a", TaskStatus.SUCCESS, after=60)
    scheduler.run()
    event = scheduler.emit("orders.paid", {"amount": 7})
    limits.amount = 5

    scheduler.rejudge(event, execution=1, task_name="a")

    assert scheduler.runs("a") == [
        (1, ["INIT", "QUEUED", "RUNNING", "RESTARTING", "STOPPED"]),
        (2, OK),
    ]
