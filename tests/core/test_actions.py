"""What an action does to a task, for every way in which the task can stand (S19-S21, S25, S29)."""

import pytest
from core_bench import OUTSET, STANDS, Bench, Idle, standing

from eventflow import Condition, Event, RuleContext, TaskAction, TaskStatus, Workflow

ACTIONS = {"START": TaskAction.START, "STOP": TaskAction.STOP, "RESTART": TaskAction.RESTART}

# (how it stands, action) -> what it comes to, statuses added to the first run, the second run.
TABLE: dict[tuple[str, str], tuple[str, list[str], list[str] | None]] = {
    ("never ran", "START"): ("started", [], None),
    ("QUEUED", "START"): ("ignored: alive", [], None),
    ("RUNNING", "START"): ("ignored: alive", [], None),
    ("RETRYING", "START"): ("ignored: alive", [], None),
    ("STOPPING", "START"): ("ignored: alive", [], None),
    ("RESTARTING", "START"): ("ignored: alive", [], ["INIT"]),
    ("SUCCESS", "START"): ("started", [], OUTSET),
    ("FAILED", "START"): ("started", [], OUTSET),
    ("STOPPED", "START"): ("started", [], OUTSET),
    ("never ran", "STOP"): ("ignored: not alive", [], None),
    ("QUEUED", "STOP"): ("stopped", ["STOPPING"], None),
    ("RUNNING", "STOP"): ("stopped", ["STOPPING"], None),
    ("RETRYING", "STOP"): ("stopped", ["STOPPED"], None),
    ("STOPPING", "STOP"): ("stopped", [], None),
    ("RESTARTING", "STOP"): ("stopped", ["STOPPING"], ["INIT", "STOPPED"]),
    ("SUCCESS", "STOP"): ("ignored: not alive", [], None),
    ("FAILED", "STOP"): ("ignored: not alive", [], None),
    ("STOPPED", "STOP"): ("ignored: not alive", [], None),
    ("never ran", "RESTART"): ("started", [], None),
    ("QUEUED", "RESTART"): ("restarted", ["RESTARTING"], ["INIT"]),
    ("RUNNING", "RESTART"): ("restarted", ["RESTARTING"], ["INIT"]),
    ("RETRYING", "RESTART"): ("restarted", ["STOPPED"], OUTSET),
    ("STOPPING", "RESTART"): ("restarted", [], ["INIT"]),
    ("RESTARTING", "RESTART"): ("ignored: restart pending", [], ["INIT"]),
    ("SUCCESS", "RESTART"): ("started", [], OUTSET),
    ("FAILED", "RESTART"): ("started", [], OUTSET),
    ("STOPPED", "RESTART"): ("started", [], OUTSET),
}


@pytest.mark.rule("S19", "S20", "S21")
@pytest.mark.parametrize(("how", "action"), sorted(TABLE))
def test_an_action_does_what_the_table_says(how: str, action: str) -> None:
    did, more, second = TABLE[how, action]
    bench, live = standing(how)
    first = STANDS[how]

    decision = bench.task(live, "a", ACTIONS[action])

    assert [outcome.did for outcome in decision.outcomes] == [did]
    if first is None:
        assert bench.runs("a") == ([(1, OUTSET)] if did == "started" else [])
    else:
        expected = [(1, [*first, *more])]
        assert bench.runs("a") == expected + ([(2, second)] if second is not None else [])


@pytest.mark.parametrize("how", sorted(STANDS))
def test_nothing_but_a_start_order_of_a_queued_attempt_waits_in_the_outbox(how: str) -> None:
    bench, _ = standing(how)

    starts = {(run, attempt) for run, attempt, action in bench.outbox if action == "START"}
    stops = {(run, attempt) for run, attempt, action in bench.outbox if action == "STOP"}

    assert starts == ({(1, 1)} if how == "QUEUED" else set())
    assert stops == ({(1, 1)} if how in ("STOPPING", "RESTARTING") else set())


@pytest.mark.rule("S20")
def test_the_start_of_a_queued_attempt_that_is_stopped_is_withdrawn() -> None:
    bench, live = standing("QUEUED")

    bench.task(live, "a", TaskAction.STOP)

    assert bench.outbox == {(1, 1, TaskAction.STOP)}
    bench.report("refused", 1)
    assert bench.outbox == set()
    assert bench.runs("a") == [(1, [*OUTSET, "STOPPING", "STOPPED"])]


@pytest.mark.rule("S21")
def test_a_successor_goes_ahead_when_the_run_before_it_has_ended_and_not_earlier() -> None:
    bench, live = standing("RESTARTING")
    bench.report("running", 1)
    assert bench.runs("a")[1] == (2, ["INIT"])

    bench.report("failed", 1)

    assert bench.runs("a") == [
        (1, [*OUTSET, "RUNNING", "RESTARTING", "STOPPED"]),
        (2, OUTSET),
    ]
    assert bench.outbox == {(2, 1, TaskAction.START)}
    assert live.alive == 1


@pytest.mark.rule("S20", "S22")
def test_a_dropped_successor_is_passed_over_and_its_number_is_not_given_again() -> None:
    bench, live = standing("RESTARTING")
    bench.task(live, "a", TaskAction.STOP)
    assert bench.latest(live, "a").sequence_number == 1
    bench.report("stopped", 1)

    bench.task(live, "a", TaskAction.START)

    assert bench.runs("a") == [
        (1, [*OUTSET, "RUNNING", "RESTARTING", "STOPPING", "STOPPED"]),
        (2, ["INIT", "STOPPED"]),
        (3, OUTSET),
    ]


@pytest.mark.rule("S20", "S22")
def test_a_successor_that_is_dropped_in_the_batch_that_made_it_is_never_the_latest() -> None:
    with Workflow("w", completion="manual") as workflow:
        a, b = Idle("a"), Idle("b")
        a.action_on_task_status(TaskAction.STOP, {a: TaskStatus.RESTARTING})
        b.action_on_task_status(TaskAction.START, {a: TaskStatus.STOPPED})
    bench = Bench()
    bench.register(workflow)
    live = bench.run(workflow)
    bench.report("running", 1)

    bench.task(live, "a", TaskAction.RESTART)
    assert live.standing("a").told == (1, TaskStatus.STOPPING)
    bench.report("stopped", 1)

    assert bench.runs("b") == [(1, OUTSET)]


def test_a_task_started_by_an_event_that_is_called_periodic_reads_that_event() -> None:
    with Workflow("w") as workflow:
        for key in ("periodic", "autostart", "command"):
            Idle(f"on_{key}").action_on_event_received(TaskAction.START, key)
        Idle("first")
    bench = Bench()
    bench.register(workflow)
    live = bench.run(workflow)
    assert bench.latest(live, "first").trigger_turn == 0

    for key in ("periodic", "autostart", "command"):
        decision = bench.emit(key)
        assert bench.latest(live, f"on_{key}").trigger_turn == decision.turn


@pytest.mark.parametrize("key", ["eventflow.command.task", "eventflow.command.*"])
def test_a_rule_that_listens_to_a_command_sees_what_the_command_has_done(key: str) -> None:
    with Workflow("w", completion="manual") as workflow:
        a = Idle("a", autostart=False)
        a.action_on_event_received(TaskAction.START, key)
    bench = Bench()
    bench.register(workflow)
    live = bench.run(workflow)

    decision = bench.task(live, "a", TaskAction.START)

    assert [outcome.did for outcome in decision.outcomes] == ["started", "ignored: alive"]
    assert bench.runs("a") == [(1, OUTSET)]


@pytest.mark.rule("S29")
def test_in_the_turn_in_which_a_stop_is_decided_no_rule_acts_any_more() -> None:
    with Workflow("w") as workflow:
        Idle("a")
        Idle("b").action_on_event_received(TaskAction.START, "eventflow.command.stop")
    bench = Bench()
    bench.register(workflow)
    live = bench.run(workflow)

    bench.command("stop", workflow_execution_id=live.id)

    assert bench.runs("a") == [(1, [*OUTSET, "STOPPING"])]
    assert bench.runs("b") == []


@pytest.mark.rule("S29")
def test_from_a_stop_on_no_condition_is_asked_any_more() -> None:
    asked: list[str] = []

    class Noting(Condition):
        def is_met(self, event: Event, context: RuleContext) -> bool:
            asked.append(event.key)
            return True

    with Workflow("w") as workflow:
        a, b = Idle("a"), Idle("b")
        b.action_on_condition(TaskAction.START, Noting(["x"]))
        b.action_on_task_status(TaskAction.START, {a: TaskStatus.STOPPED})
    bench = Bench()
    bench.register(workflow)
    live = bench.run(workflow)
    bench.command("stop", workflow_execution_id=live.id)

    bench.emit("x")
    bench.report("stopped", 1)

    assert asked == []
    assert bench.runs("b") == []


@pytest.mark.rule("S16", "S29")
def test_a_rule_that_listens_to_the_end_of_its_own_execution_comes_too_late() -> None:
    with Workflow("w") as workflow:
        Idle("a").action_on_event_received(TaskAction.STOP, "eventflow.timer.**")
    bench = Bench()
    bench.register(workflow)
    live = bench.run(workflow)
    bench.report("success", 1)

    bench.quiet(live)

    assert bench.world.executions == {}
    assert bench.runs("a") == [(1, [*OUTSET, "RUNNING", "SUCCESS"])]


def test_stopping_an_execution_goes_through_its_tasks_in_their_order() -> None:
    """Not in the order in which they happened to start, which a new scheduler would not know."""
    with Workflow("w", completion="manual") as workflow:
        Idle("a").action_on_event_received(TaskAction.START, "x")
        Idle("b")
    bench = Bench()
    bench.register(workflow)
    live = bench.run(workflow)
    bench.emit("x")

    decision = bench.command("stop", workflow_execution_id=live.id)

    stopped = [change.run.task for change in decision.changes if hasattr(change, "before")]
    assert stopped == ["a", "b"]
