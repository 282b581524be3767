"""A storm of a task's own making, with real code: every way to emit counts (S45)."""

import sys
from pathlib import Path

import pytest

from eventflow import PythonOperator, Scheduler, Workflow, current_context
from eventflow.errors import EventError
from eventflow.model.records import VerdictRecord

pytestmark = [pytest.mark.rule("S45"), pytest.mark.fault("F41")]
FLOW = Path(__file__).parent / "flows" / "storm_flow.py"
SOON_S = 60


def refused(scheduler: Scheduler) -> VerdictRecord:
    """The first verdict that failed, once there is one."""
    found = scheduler.client.until(lambda: scheduler.store.verdicts(failed=True) or None, SOON_S)
    assert found, "nothing was refused"
    return found[0]


@pytest.mark.parametrize(
    ("executor", "way"),
    [
        ("threads", "by_context"),
        ("threads", "by_function"),
        ("threads", "by_item"),
        ("processes", "by_context"),
        ("processes", "by_function"),
        ("processes", "by_item"),
        # Each emission is a new interpreter.
        pytest.param("processes", "by_child", marks=pytest.mark.long),
        pytest.param("processes", "by_command", marks=pytest.mark.long),
    ],
)
def test_f41_a_task_that_restarts_itself_stops_at_the_cap_however_it_emits(
    tmp_path: Path, executor: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where `eventflow` is, for the command.
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with Scheduler(url, executor=executor) as scheduler:
        scheduler.register_file(FLOW)
        handle = scheduler.run(way)

        verdict = refused(scheduler)

        assert (verdict.task, verdict.workflow_execution_id) == (way, handle.id)
        assert verdict.error.startswith("HopLimitError")
        runs = [run for run in handle.tasks if run.task_name == way]
        assert [run.sequence_number for run in runs] == [1, 2, 3, 4]
        events = scheduler.events(f"{way}.again")
        assert [event.hops for event in events] == [0, 1, 2, 3]
        handle.stop()
        handle.wait(SOON_S)


def test_f41_a_task_cannot_say_that_it_has_no_hops(tmp_path: Path) -> None:
    said: list[str] = []

    def lie() -> None:
        try:
            current_context().emit("a.b", hops=0)
        except EventError as error:
            said.append(str(error))

    with Workflow("w") as workflow:
        PythonOperator("lie", lie)
    with Scheduler(f"sqlite:///{tmp_path / 'store.db'}") as scheduler:
        scheduler.run(workflow).wait(SOON_S)

    assert "'hops' is not for a task to set" in said[0]


def test_f41_nobody_outside_says_how_many_hops_an_event_has(tmp_path: Path) -> None:
    with Scheduler(f"sqlite:///{tmp_path / 'store.db'}") as scheduler:
        scheduler.emit("a.b", hops=7)

        assert [event.hops for event in scheduler.events("a.b")] == [0]
