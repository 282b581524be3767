"""Why it ran, and what it still waits for (S42)."""

from typing import Any

import pytest
from scenario_tasks import Work

from eventflow import (
    AllOf,
    Condition,
    CounterStateDescriptor,
    Cron,
    Event,
    EventCondition,
    RuleContext,
    TaskAction,
    TaskExecutionKey,
    TaskStatus,
    TaskStatusCondition,
    Workflow,
)
from eventflow.core.explanation import Explained, How, TaskExplained, WorkflowExplained
from eventflow.core.telling import tell
from eventflow.errors import NotFoundError
from eventflow.testing import VirtualScheduler

pytestmark = pytest.mark.rule("S42")
START, RESTART, STOP = TaskAction.START, TaskAction.RESTART, TaskAction.STOP


class BigEnough(Condition):
    """Met by an amount over 100; counts what it has seen."""

    def is_met(self, event: Event, context: RuleContext) -> bool:
        context.get_state(CounterStateDescriptor("seen")).add()
        return bool(event.value["amount"] > 100)


def explain_task(scheduler: VirtualScheduler, task: str, execution: int = 1) -> TaskExplained:
    explained = scheduler.explain(execution, task)
    assert isinstance(explained, TaskExplained)
    return explained


def text(explained: Explained) -> str:
    return "\n".join(tell(explained, lambda instant: f"{instant:%H:%M}"))


def chain(explained: TaskExplained) -> list[tuple[str, How, str]]:
    return [
        (
            f"{link.task or link.workflow} {link.sequence_number or link.workflow_execution_id}",
            link.how,
            link.event.key if link.event is not None else "",
        )
        for link in explained.chain
    ]


def test_the_chain_goes_back_through_facts_to_the_event_and_its_sender() -> None:
    with Workflow("shop") as shop:
        pick, pack = Work("pick"), Work("pack")
        pick >> pack
    shop.trigger_on_event("orders.*")
    scheduler = VirtualScheduler(shop)

    scheduler.emit("orders.paid", {"amount": 3}, sender="till-7")

    explained = explain_task(scheduler, "pack")
    assert chain(explained) == [
        ("pack 1", How.RULE, "eventflow.task.shop.pick.success"),
        ("pick 1", How.AUTOSTART, ""),
        ("shop 1", How.TRIGGER, "orders.paid"),
    ]
    assert explained.chain[0].condition == "pick is SUCCESS"
    first = explained.chain[-1]
    assert first.event is not None
    assert (first.condition, first.event.sender) == ("event orders.*", "till-7")
    assert text(explained).splitlines() == [
        "pack #1 of execution 1 is SUCCESS.",
        "pack #1 started by its rule 0, START when pick is SUCCESS, at 00:00:",
        "  pick #1 became SUCCESS (offset 9)",
        "pick #1 started with its execution at 00:00.",
        "Execution 1 of shop started by a rule of its workflow, event orders.*, at 00:00:",
        '  event orders.paid {"amount": 3} (offset 2), sent by till-7 at 00:00',
    ]


def test_the_chain_crosses_from_one_workflow_to_another_and_ends_at_the_schedule() -> None:
    with Workflow("nightly", schedule=Cron("0 2 * * *")) as nightly:
        Work("load")
    with Workflow("report") as report:
        Work("write")
    report.trigger_on_event("eventflow.workflow.nightly.success")
    scheduler = VirtualScheduler(nightly, report)

    scheduler.advance(hours=3)

    explained = explain_task(scheduler, "write", execution=2)
    assert chain(explained) == [
        ("write 1", How.AUTOSTART, ""),
        ("report 2", How.TRIGGER, "eventflow.workflow.nightly.success"),
        ("nightly 1", How.SCHEDULE, "eventflow.timer.schedule"),
    ]
    assert "Execution 1 of nightly started by the schedule for 02:00" in text(explained)


def test_an_event_that_a_task_sent_leads_on_to_that_task() -> None:
    with Workflow("w") as workflow:
        Work("asks")
        answers = Work("answers")
        answers.action_on_event_received(START, "asked")
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    scheduler.emit("asked", sender="1_asks_1")

    assert chain(explain_task(scheduler, "answers")) == [
        ("answers 1", How.RULE, "asked"),
        ("asks 1", How.AUTOSTART, ""),
        ("w 1", How.COMMAND, "eventflow.command.run"),
    ]


def test_a_condition_value_is_told_with_the_run_that_it_started() -> None:
    with Workflow("w") as workflow:
        bill = Work("bill")
        bill.action_on_condition(START, BigEnough(["bill.asked"]))
    scheduler = VirtualScheduler(workflow)
    scheduler.run()
    scheduler.emit("bill.asked", {"amount": 3})

    waiting = explain_task(scheduler, "bill").rules[0]
    scheduler.emit("bill.asked", {"amount": 300})

    assert waiting.last is not None
    assert (waiting.last.did, waiting.last.wrote, waiting.state) == (
        "not met",
        {"seen": 1},
        {"seen": 1},
    )
    (link,) = explain_task(scheduler, "bill").chain
    assert (link.condition, link.wrote) == ("condition BigEnough on bill.asked", {"seen": 2})


def test_a_half_met_condition_says_what_has_come_and_what_has_not() -> None:
    with Workflow("w") as workflow:
        pack, ship = Work("pack"), Work("ship")
        both = AllOf(EventCondition("truck.here"), EventCondition("paid"))
        ship.action_on_condition(START, AllOf(both, TaskStatusCondition(pack, "SUCCESS")))
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("pack", TaskStatus.RUNNING)
    scheduler.run()
    scheduler.emit("paid", 1)

    (rule,) = explain_task(scheduler, "ship").rules

    assert rule.missing == ("event truck.here", "pack is SUCCESS (now RUNNING)")
    assert rule.came == ("event paid",)
    assert rule.possible
    assert rule.last is not None
    assert (rule.last.event.key, rule.last.did) == ("paid", "not met")
    assert "It remembers that this has come: event paid." in text(explain_task(scheduler, "ship"))


def test_a_completed_condition_names_the_event_that_it_remembered() -> None:
    with Workflow("w") as workflow:
        ship = Work("ship")
        ship.action_on_condition(START, EventCondition("truck.here") & EventCondition("paid"))
    scheduler = VirtualScheduler(workflow)
    scheduler.run()
    scheduler.emit("paid", 1, sender="till")
    scheduler.emit("truck.here", sender="gate")

    link = explain_task(scheduler, "ship").chain[0]

    assert link.event is not None
    assert (link.event.key, [one.key for one in link.remembered]) == ("truck.here", ["paid"])


def test_it_says_why_the_last_event_did_nothing() -> None:
    with Workflow("w") as workflow:
        serve = Work("serve")
        serve.action_on_event_received(START, "go")
        serve.action_on_event_received(RESTART, "go.*")
        serve.action_on_event_received(STOP, "go.away")
        bill = Work("bill")
        bill.action_on_condition(START, BigEnough(["bill.asked"]))
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("serve", TaskStatus.RUNNING)
    scheduler.run()
    for key in ("go", "go", "go.away", "bill.asked"):
        scheduler.emit(key)

    last = [rule.last for rule in explain_task(scheduler, "serve").rules]
    assert [one.did for one in last if one is not None] == [
        "ignored: alive",
        "restarted",
        "shadowed",
    ]
    (failed,) = explain_task(scheduler, "bill").rules
    assert failed.last is not None
    assert failed.last.did == "failed"
    assert "TypeError" in failed.last.error
    assert "TypeError" in text(scheduler.explain(1))


def test_what_stopped_or_restarted_a_run_is_told() -> None:
    with Workflow("w") as workflow:
        serve = Work("serve")
        serve.action_on_event_received(RESTART, "model.new")
        serve.action_on_event_received(STOP, "drain")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("serve", TaskStatus.RUNNING)
    scheduler.outcome("serve", TaskStatus.RUNNING)
    scheduler.run()
    scheduler.start_task(1, "serve")
    scheduler.emit("model.new", sender="trainer")
    scheduler.emit("drain")

    first = scheduler.explain(TaskExecutionKey(1, "serve", 1))
    second = scheduler.explain(TaskExecutionKey(1, "serve", 2))

    assert isinstance(first, TaskExplained)
    assert isinstance(second, TaskExplained)
    stops = [explained.stopped_by for explained in (first, second)]
    assert [(stop.did, stop.event.key) for stop in stops if stop and stop.event] == [
        ("restarted", "model.new"),
        ("stopped", "drain"),
    ]
    assert "Stopped, to be started again, by its rule 0" in text(first)
    assert chain(second)[0] == ("serve 2", How.RULE, "model.new")
    assert "\n  Stopped by its rule 1" in text(scheduler.explain(1))


def test_a_branch_not_taken_is_told_from_one_that_can_still_come() -> None:
    with Workflow("w") as workflow:
        load = Work("load")
        mourn, wait = Work("mourn"), Work("wait")
        mourn.action_on_task_status(START, {load: TaskStatus.FAILED})
        wait.action_on_event_received(START, "go")
        Work("never", autostart=False)
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    assert not explain_task(scheduler, "mourn").rules[0].possible
    assert explain_task(scheduler, "wait").rules[0].possible
    told = text(scheduler.explain(1))
    assert "It cannot be met any more; it would take: load is FAILED (now SUCCESS)." in told
    assert "No event that it listens to has come yet." in told
    assert "no rule starts it, only a command does" in told


def test_events_of_before_the_start_or_of_others_are_not_the_last_event() -> None:
    with Workflow("w") as workflow:
        Work("wait").action_on_event_received(START, "go")
    scheduler = VirtualScheduler(workflow)
    scheduler.emit("go")
    scheduler.run()
    scheduler.run()
    scheduler.emit("go", workflow_execution_id=2)

    assert explain_task(scheduler, "wait").rules[0].last is None
    assert chain(explain_task(scheduler, "wait", execution=2))[0] == ("wait 1", How.RULE, "go")


def test_a_refused_command_and_a_pause_are_told() -> None:
    with Workflow("w", max_active=1) as workflow:
        Work("hold").action_on_event_received(START, "go")
    scheduler = VirtualScheduler(workflow)
    scheduler.run()
    scheduler.run()
    scheduler.client.task(2, "hold", START)
    scheduler.run_until_idle()
    scheduler.pause(workflow)

    explained = explain_task(scheduler, "hold", execution=2)

    assert [(one.did, one.why) for one in explained.refused] == [
        ("refused", "the execution is not running")
    ]
    waits, paused = explained.notes
    assert waits == "the execution waits for its turn: at most 1 run at once"
    assert "paused" in paused
    assert "Command START" in text(explained)


def test_rules_that_start_each_other_for_ever_are_cut() -> None:
    with Workflow("w", completion="manual") as workflow:
        ping, pong = Work("ping"), Work("pong")
        pong.action_on_task_status(START, {ping: TaskStatus.SUCCESS})
        ping.action_on_event_received(START, "go")
        ping.action_on_event_received(START, "eventflow.task.w.pong.success")
    scheduler = VirtualScheduler(workflow)
    for _ in range(60):
        scheduler.outcome("ping", after=1)
    scheduler.run()
    scheduler.emit("go")
    scheduler.advance(seconds=59)

    explained = explain_task(scheduler, "pong")

    assert explained.cut
    assert len(explained.chain) == 50
    assert text(explained).count("became SUCCESS") >= 50


def test_what_is_not_there_is_refused_with_its_name() -> None:
    with Workflow("w") as workflow:
        Work("load")
    scheduler = VirtualScheduler(workflow)
    scheduler.run()

    asked: list[Any] = [(9,), (1, "laod"), (TaskExecutionKey(1, "load", 7),)]
    for key in asked:
        with pytest.raises(NotFoundError):
            scheduler.explain(*key)


def test_a_workflow_rule_says_why_its_last_event_started_nothing() -> None:
    with Workflow("shop") as shop:
        Work("pick")
    shop.trigger_on_event("orders.paid")
    shop.trigger_on_condition(BigEnough(["orders.asked"]))
    shop.trigger_on_condition(EventCondition("day.begins") & EventCondition("shop.opens"))
    scheduler = VirtualScheduler(shop)
    scheduler.emit("orders.paid")
    scheduler.emit("orders.asked", {"amount": 1})
    scheduler.emit("shop.opens")

    def last() -> list[tuple[str, str]]:
        explained = scheduler.explain("shop")
        assert isinstance(explained, WorkflowExplained)
        return [(rule.last.did, rule.last.why) for rule in explained.rules if rule.last]

    assert last() == [
        ("started", "execution 1"),
        ("not met", "its condition said no"),
        ("not met", "not enough yet: event day.begins"),
    ]
    scheduler.emit("orders.asked", {})
    scheduler.pause(shop)
    scheduler.emit("orders.paid")
    told = text(scheduler.explain("shop"))
    scheduler.resume(shop)
    assert last()[:2] == [
        ("paused", "the workflow was paused then"),
        ("failed", "its condition failed"),
    ]
    assert "It is paused: events and due times start nothing." in told
    assert "It remembers that this has come: event shop.opens." in told
    assert "KeyError: 'amount'" in told
    with pytest.raises(NotFoundError, match="did you mean 'shop'"):
        scheduler.explain("shpo")
