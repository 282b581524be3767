"""Tasks that hang, are killed by somebody, or never give a sign of life (F21, F22, F24)."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eventflow import Scheduler
from eventflow.model.event import Event

FLOW = Path(__file__).parent / "flows" / "hanging_flow.py"
SOON_S = 30


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[Scheduler]:
    with Scheduler(f"sqlite:///{tmp_path}/store.db", executor="processes") as scheduler:
        yield scheduler


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def until(check: Callable[[], bool], what: str) -> None:
    """Look until something is so that nobody tells of."""
    tick, deadline = threading.Event(), time.monotonic() + SOON_S
    while not check():
        assert time.monotonic() < deadline, what
        tick.wait(0.01)


def heard(scheduler: Scheduler, key: str, count: int = 1) -> list[Event]:
    until(lambda: scheduler.count(key).total >= count, f"{count} events {key!r}")
    return scheduler.events(key)


@pytest.mark.rule("S27")
@pytest.mark.fault("F22")
def test_f22_whatever_hangs_is_ended_by_its_time_out_with_its_whole_group(
    scheduler: Scheduler,
) -> None:
    scheduler.register_file(FLOW)
    execution = scheduler.run("hanging", namespace="tests")
    groups = [event.value for event in heard(scheduler, "hanging", 4)]

    ended = execution.wait(SOON_S)

    until(lambda: not any(alive(pid) for group in groups for pid in group), "the groups are dead")
    assert {run.task_name: run.status for run in ended.tasks} == dict.fromkeys(
        ("suspended", "deadlocked", "endless", "matching"), "FAILED"
    )
    for run in ended.tasks:
        (failure,) = scheduler.store.failures(run.id)
        assert failure.type_name == "TaskTimeoutError"
        at = {step.status: step.at for step in scheduler.store.history(run.id)}
        assert 0.6 <= (at["FAILED"] - at["RUNNING"]).total_seconds() < 0.6 + 0.4 + 5


@pytest.mark.rule("S27")
@pytest.mark.fault("F21")
def test_f21_a_task_whose_process_was_killed_runs_again_as_the_same_run(
    scheduler: Scheduler,
) -> None:
    scheduler.register_file(FLOW)
    execution = scheduler.run("killed", namespace="tests")
    (event,) = heard(scheduler, "child")

    os.kill(event.value[0], signal.SIGKILL)

    (run,) = execution.wait(SOON_S).tasks
    assert (run.status, run.sequence_number, run.attempt) == ("SUCCESS", 1, 2)
    assert execution.result("child") == 2
    (failure,) = scheduler.store.failures(run.id)
    assert failure.message.endswith("killed by SIGKILL")


@pytest.mark.rule("S28")
@pytest.mark.fault("F21")
def test_f21_a_task_whose_nursery_was_killed_is_lost_and_costs_no_retry(
    scheduler: Scheduler,
) -> None:
    scheduler.register_file(FLOW)
    execution = scheduler.run("orphaned", namespace="tests")
    (event,) = heard(scheduler, "nursery")

    os.kill(event.value[1], signal.SIGKILL)

    (run,) = execution.wait(SOON_S).tasks
    assert (run.status, run.sequence_number, run.attempt) == ("SUCCESS", 1, 2)
    assert not alive(event.value[0])
    (failure,) = scheduler.store.failures(run.id)
    assert failure.type_name == "WorkerLostError"


@pytest.mark.rule("S28")
@pytest.mark.fault("F24")
def test_f24_a_task_that_is_killed_each_time_before_it_says_a_word_is_failed(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTFLOW_CRASH", "child.started:kill")
    scheduler.register_file(FLOW)

    (run,) = scheduler.run("unborn", namespace="tests").wait(SOON_S).tasks

    assert (run.status, run.attempt) == ("FAILED", 3)
    failures = scheduler.store.failures(run.id)
    assert [failure.type_name for failure in failures] == ["WorkerLostError"] * 3
    assert "killed by SIGKILL before it began" in failures[0].message


@pytest.mark.rule("S28")
@pytest.mark.fault("F24")
def test_f24_silence_counts_from_the_start_also_of_what_never_spoke(
    scheduler: Scheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTFLOW_TEST_SUSPEND", str(tmp_path / "suspended"))
    scheduler.register_file(FLOW)

    (run,) = scheduler.run("unborn", namespace="tests").wait(SOON_S).tasks

    assert (run.status, run.attempt) == ("SUCCESS", 2)
    (failure,) = scheduler.store.failures(run.id)
    assert failure.type_name == "WorkerLostError"
    assert "silent" in failure.message
    assert not alive(int((tmp_path / "suspended").read_text()))
