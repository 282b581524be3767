"""Remote runs whose task is stopped, dies, or is told of the end by an event."""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from app_kit import FAST, HERE, RARE, Children, Runner
from remote_platform import PATIENCE_S, Handler, Platform, drop, status

from eventflow import (
    AppOperator,
    AppPolling,
    Workflow,
)


@pytest.mark.rule("S20")
def test_a_stop_cancels_the_run_also_when_that_takes_more_than_one_request(
    runner: Runner, platform: Platform
) -> None:
    platform.hold.set()
    platform.fault("cancel", status(500), drop)
    polling = AppPolling(first=0.01, ceiling=600, request_timeout=5)
    handle = runner.begin(polling=polling)
    platform.wait_for("look")

    handle.stop()

    assert handle.wait(PATIENCE_S).status == "STOPPED"
    assert handle.tasks[0].reason == "stopped by command"
    assert [asked.run for asked in platform.of("cancel")] == ["run-1"] * 3
    assert runner.log(handle)[-1] == "remote run run-1: canceled"


@pytest.mark.rule("S20")
def test_a_stop_while_the_run_is_being_started_cancels_it_as_soon_as_it_has_an_id(
    runner: Runner, platform: Platform
) -> None:
    go = threading.Event()

    def late(handler: Handler) -> None:
        go.wait(PATIENCE_S)
        handler.say(200, b'{"run_id": "late"}')

    platform.fault("start", late)
    handle = runner.begin()
    platform.wait_for("start")

    handle.stop()
    go.set()

    assert handle.wait(PATIENCE_S).status == "STOPPED"
    assert [asked.run for asked in platform.of("cancel")] == ["late"]


@pytest.mark.rule("S20")
def test_a_stop_does_not_wait_for_a_look_that_hangs(runner: Runner, platform: Platform) -> None:
    go = threading.Event()
    platform.fault("look", lambda handler: bool(go.wait(PATIENCE_S)) and drop(handler))
    handle = runner.begin(polling=AppPolling(first=0.01, request_timeout=60))
    platform.wait_for("look")

    handle.stop()
    platform.wait_for("cancel", timeout_s=5)
    go.set()

    assert handle.wait(PATIENCE_S).status == "STOPPED"


@pytest.mark.rule("S27")
def test_a_time_out_cancels_the_run_and_the_retry_starts_a_new_one(
    runner: Runner, platform: Platform
) -> None:
    platform.hold.set()
    handle = runner.begin(timeout=0.5, retries=1)
    platform.wait_for("cancel")
    platform.hold.clear()

    assert handle.wait(PATIENCE_S).status == "SUCCESS"
    assert [asked.run for asked in platform.of("cancel")] == ["run-1"]
    assert {asked.run for asked in platform.of("result")} == {"run-2"}


def followers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "eventflow-app"]


def test_an_abandoned_attempt_that_comes_back_late_leaves_the_next_one_its_stop(
    runner: Runner, platform: Platform
) -> None:
    go = threading.Event()
    platform.hold.set()
    platform.fault("look", lambda handler: bool(go.wait(PATIENCE_S)) and drop(handler))
    polling = AppPolling(first=0.01, factor=1000, ceiling=600, request_timeout=60)
    handle = runner.begin(polling=polling, timeout=5, retries=1, stop_grace=0.1)
    platform.wait_for("look")
    (late,) = followers()
    platform.wait_for("look", 2)  # the second attempt's: the first one has been abandoned

    go.set()
    late.join(PATIENCE_S)
    with pytest.raises(AssertionError):
        platform.wait_for("cancel", 2, timeout_s=0.5)
    handle.stop()

    assert handle.wait(PATIENCE_S).status == "STOPPED"
    canceled = platform.wait_for("cancel", 2, timeout_s=5)
    assert [asked.run for asked in canceled] == ["run-1", "run-2"]


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.rule("S20")
def test_a_stop_cancels_the_run_of_a_child(children: Children, platform: Platform) -> None:
    platform.hold.set()
    platform.fault("cancel", status(503))
    handle = children.begin("lost")
    platform.wait_for("look")

    handle.stop()

    assert handle.wait(PATIENCE_S).status == "STOPPED"
    assert handle.tasks[0].reason == "stopped by command"
    assert [asked.run for asked in platform.of("cancel")] == ["run-1"] * 2


@pytest.mark.rule("S20")
def test_a_cancel_outlasts_the_signal_that_comes_at_half_of_the_grace(
    children: Children, platform: Platform
) -> None:
    platform.hold.set()
    platform.fault("cancel", status(503, Retry_After="2"))  # of three seconds
    handle = children.begin("late")
    platform.wait_for("look")

    handle.stop()

    assert handle.wait(PATIENCE_S).status == "STOPPED"
    assert handle.tasks[0].reason == "stopped by command"
    assert len(platform.of("cancel")) == 2


@pytest.mark.rule("S28")
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_successor_of_a_lost_attempt_joins_the_same_run(
    children: Children, platform: Platform
) -> None:
    platform.hold.set()
    handle = children.begin("lost")
    platform.wait_for("look")

    os.kill(parent_of(children.pid(handle)), signal.SIGKILL)  # the nursery, and with it the child
    platform.wait_for("look", len(platform.of("look")) + 2)
    platform.hold.clear()

    assert handle.wait(PATIENCE_S).status == "SUCCESS"
    assert handle.tasks[0].attempt == 2
    assert len(platform.of("start")) == 1
    assert platform.of("cancel") == []


@pytest.mark.rule("S27")
def test_the_retry_of_a_killed_child_joins_the_same_run(
    children: Children, platform: Platform
) -> None:
    platform.hold.set()
    handle = children.begin("killed")
    platform.wait_for("look")

    os.kill(children.pid(handle), signal.SIGKILL)
    while handle.tasks[0].attempt == 1:
        platform.wait_for("look", len(platform.of("look")) + 1)
    platform.hold.clear()

    assert handle.wait(PATIENCE_S).status == "SUCCESS"
    assert handle.result("solve") == {"cost": 42}
    assert len(platform.of("start")) == 1


def test_after_a_restart_of_the_scheduler_a_new_run_replaces_the_one_that_its_end_has_canceled(
    tmp_path: Path, platform: Platform
) -> None:
    platform.hold.set()
    first = Runner(tmp_path)
    with first.scheduler:
        execution = first.begin().id
        platform.wait_for("look")
    platform.hold.clear()

    second = Runner(tmp_path)
    with second.scheduler:
        with Workflow("remote") as workflow:
            AppOperator("solve", "routing", connection=HERE, polling=FAST)
        second.scheduler.register(workflow)
        ended = second.scheduler.execution(execution).wait(PATIENCE_S)

    assert ended.status == "SUCCESS"
    assert [asked.run for asked in platform.of("cancel")] == ["run-1"]
    assert [asked.run for asked in platform.of("result")] == ["run-2"]


@pytest.mark.parametrize("value", ["run-1", {"run_id": "run-1"}, {"id": "run-1"}])
def test_an_event_that_names_the_run_makes_it_look_at_once(
    runner: Runner, platform: Platform, value: Any
) -> None:
    platform.hold.set()
    handle = runner.begin(polling=RARE, told_by_event="remote.*.ended")
    platform.wait_for("look")

    runner.scheduler.emit("remote.routing.ended", value)
    platform.wait_for("look", 2)
    platform.hold.clear()
    runner.scheduler.emit("remote.routing.ended", value)

    assert handle.wait(PATIENCE_S).status == "SUCCESS"
    assert len(platform.of("look")) == 3


@pytest.mark.parametrize(
    ("value", "namespace"), [({"run_id": "run-2"}, "default"), ("run-1", "elsewhere")]
)
def test_an_event_of_another_run_or_namespace_does_not(
    runner: Runner, platform: Platform, value: Any, namespace: str
) -> None:
    platform.hold.set()
    runner.begin(polling=RARE, told_by_event="remote.*.ended")
    platform.wait_for("look")

    runner.scheduler.emit("remote.other.ended", value, namespace=namespace)

    with pytest.raises(AssertionError):
        platform.wait_for("look", 2, timeout_s=0.5)


def test_an_event_tells_a_child_too(children: Children, platform: Platform) -> None:
    platform.hold.set()
    handle = children.begin("told")
    platform.wait_for("look")
    platform.hold.clear()

    children.scheduler.emit("remote.routing.ended", {"run_id": "run-1"})

    assert handle.wait(PATIENCE_S).status == "SUCCESS"
    assert len(platform.of("look")) == 2


def test_a_stop_does_not_wait_for_an_event(runner: Runner, platform: Platform) -> None:
    platform.hold.set()
    handle = runner.begin(polling=RARE, told_by_event="remote.ended")
    platform.wait_for("look")

    handle.stop()

    assert handle.wait(PATIENCE_S).status == "STOPPED"
    assert len(platform.of("cancel")) == 1
