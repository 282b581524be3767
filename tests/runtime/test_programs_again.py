"""A program that is started once more, as it was or edited: what held for its workflows holds."""

import logging
from pathlib import Path

import pytest

from eventflow import (
    AllOf,
    EventCondition,
    Every,
    PythonOperator,
    Scheduler,
    TaskAction,
    Workflow,
    WorkflowExecution,
)
from eventflow.errors import ConflictError

SOON_S = 20
YEAR_S = 365 * 24 * 3600.0


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'store.db'}"


def watch(*, edited: bool = False, every: float | None = YEAR_S) -> Workflow:
    """It goes off by itself, and when two things have come."""
    schedule = Every(every) if every is not None else None
    with Workflow("watch", schedule=schedule) as workflow:
        PythonOperator("look", dict)
        if edited:
            PythonOperator("tell", dict)
    workflow.trigger_on_condition(AllOf(EventCondition("one"), EventCondition("other")))
    return workflow


def emit_all(scheduler: Scheduler, *keys: str) -> list[WorkflowExecution]:
    """Emit; return every execution that there is once these are decided."""
    last = [scheduler.emit(key) for key in keys][-1]
    store = scheduler.store
    assert scheduler.client.until(lambda: store.decided_offset(last.offset) or None, SOON_S)
    return scheduler.executions()


@pytest.mark.rule("S17", "S41")
@pytest.mark.parametrize("edited", [False, True], ids=["as it was", "edited"])
def test_a_workflow_that_was_paused_is_paused_when_its_program_comes_back(
    tmp_path: Path, edited: bool
) -> None:
    with Scheduler(url(tmp_path)) as first:
        first.register(watch())
        first.pause("watch")

    with Scheduler(url(tmp_path)) as second:
        second.register(watch(edited=edited))
        executions = emit_all(second, "one", "other")
        (record,) = second.workflows()

        assert (executions, record.paused) == ([], True)
        second.resume("watch")
        assert len(emit_all(second, "one", "other")) == 1


@pytest.mark.rule("S35", "S41")
@pytest.mark.parametrize("edited", [False, True], ids=["as it was", "edited"])
def test_what_workflow_rules_remember_outlives_the_program(tmp_path: Path, edited: bool) -> None:
    with Scheduler(url(tmp_path)) as first:
        first.register(watch())
        assert emit_all(first, "one") == []

    with Scheduler(url(tmp_path)) as second:
        second.register(watch(edited=edited))

        assert len(emit_all(second, "other")) == 1


@pytest.mark.rule("S33", "S41")
@pytest.mark.parametrize("edited", [False, True], ids=["as it was", "edited"])
def test_a_schedule_goes_on_when_its_program_comes_back(tmp_path: Path, edited: bool) -> None:
    with Scheduler(url(tmp_path)) as first:
        first.register(watch())
        before = first.store.timers()

    with Scheduler(url(tmp_path)) as second:
        second.register(watch(edited=edited))

        assert second.store.timers() == before


@pytest.mark.rule("S33", "S41")
@pytest.mark.parametrize("every", [YEAR_S / 2, None], ids=["changed", "gone"])
def test_a_schedule_that_was_changed_meanwhile_starts_anew(
    tmp_path: Path, every: float | None
) -> None:
    with Scheduler(url(tmp_path)) as first:
        first.register(watch())
        before = first.store.timers()

    with Scheduler(url(tmp_path)) as second:
        second.register(watch(every=every))
        after = second.store.timers()

    assert len(before) == 1
    assert after == [] if every is None else after[0].due_at < before[0].due_at


@pytest.mark.rule("S41")
def test_a_workflow_without_its_program_is_refused_with_the_reason(tmp_path: Path) -> None:
    with Scheduler(url(tmp_path)) as first:
        first.register(watch())

    not_there = pytest.raises(ConflictError, match="code of workflow 'watch' is not at hand")
    with Scheduler(url(tmp_path)) as second, not_there:
        second.client.outcome(second.client.run("default", "watch"))


HOLDS = """
from pathlib import Path
from eventflow import PythonOperator, Workflow, current_context

def hold():
    # {version}
    while not Path({gate!r}).exists():
        current_context().wait(0.02)

with Workflow("one_by_one", max_active=1) as workflow:
    PythonOperator("hold", hold)
"""


@pytest.mark.rule("S41", "S44")
def test_who_was_parked_while_those_before_it_ended_begins_when_its_code_is_back(
    tmp_path: Path,
) -> None:
    flow, gate = tmp_path / "flow.py", tmp_path / "gate"
    with Scheduler(url(tmp_path)) as scheduler:
        executions = []
        for version in ("active", "waits", "newest"):
            flow.write_text(HOLDS.format(gate=str(gate), version=version))
            scheduler.register_file(flow)
            executions.append(scheduler.run("one_by_one"))
        active, waits = (one.id for one in executions[:2])
        scheduler.stop_workflow(executions[2].id)
        record = scheduler.store.execution(waits)
        snapshot = scheduler.store.snapshot(record.snapshot if record is not None else "")
    assert snapshot is not None
    code = Path(snapshot.folder)
    code.rename(code.with_name("away"))
    gate.touch()
    with Scheduler(url(tmp_path)) as scheduler:
        assert list(scheduler.parked) == [waits]
        assert scheduler.execution(active).wait(SOON_S).status == "SUCCESS"
    code.with_name("away").rename(code)

    with Scheduler(url(tmp_path)) as scheduler:
        assert scheduler.execution(waits).wait(SOON_S).status == "SUCCESS"


@pytest.mark.rule("S41")
def test_of_many_parked_executions_one_line_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Workflow("waits") as workflow:
        PythonOperator("t", dict).action_on_event_received(TaskAction.START, "never")
    with Scheduler(url(tmp_path)) as first:
        for _ in range(5):
            assert first.run(workflow).id

    with caplog.at_level(logging.WARNING), Scheduler(url(tmp_path)) as second:
        assert len(second.parked) == 5
        second.register(watch())
        assert len(second.parked) == 5
        second.register(workflow)
        assert not second.parked

    told = [one.message for one in caplog.records if one.message.startswith("execution.parked")]
    assert len(told) == 1
    assert "first=1 count=5" in told[0]
