"""`eventflow serve` with nothing to do sleeps: nothing polls, and its few named jobs are known.

What wakes it is the safety net, every 30 s: a thread of its own rings, and the loop looks once.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from kernel import spent
from programs import SCRIPT, Running, begin

from eventflow.runtime.timers import SAFETY_NET_S
from tests.bench.service import family

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what a process does")

# There is a schedule, whose alarm is set, and an execution that waits for an event.
WORKFLOWS = """
from eventflow import BashOperator, Cron, TaskAction, Workflow

with Workflow("yearly", schedule=Cron("0 0 29 2 *")) as yearly:
    BashOperator("count", bash_command="true")
with Workflow("waiting", completion="manual") as waiting:
    pack = BashOperator("pack", bash_command="true")
    pack.action_on_event_received(TaskAction.START, "orders.paid")
"""
# Longer than what would poll once a second takes, far shorter than the safety net.
WINDOW_S = 2.5
# A beat of the safety net: the thread that rings and the loop, and how they hand over to each
# other; about 6 sleeps and 2 ms of the processor.
THREADS_OF_A_BEAT = 2
MOST_SLEEPS_A_BEAT = 20
MOST_CPU_S_A_BEAT = 0.03
LONG_S = 2 * SAFETY_NET_S + 5
DIES_SOON = """
import sys
from eventflow.cli.main import run_command
from eventflow.runtime import timers
timers.SAFETY_NET_S = 0.1
sys.exit(run_command(["serve", "--store", "sqlite:///idle.db"]))
"""


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[Running]:
    """A service that has started, with all that it may have besides: `--retention`, a schedule."""
    (tmp_path / "flows.py").write_text(WORKFLOWS)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EVENTFLOW_")}
    command = [SCRIPT, "serve", "flows.py", "--store", "sqlite:///idle.db", "--retention", "30d"]
    with begin(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL) as service:
        assert service.stdout is not None
        assert "ready" in service.stdout.readline()
        started = begin(
            [SCRIPT, "execution", "start", "waiting", "--store", "sqlite:///idle.db"],
            cwd=tmp_path,
            env=environment,
        )
        with started:
            assert started.wait(60) == 0
        yield service
        service.terminate()
        assert service.wait(60) == 0
        assert service.stdout.read() == ""


def sleep_of(service: Running, seconds: float) -> None:
    """Let it be idle; it must not end meanwhile."""
    with pytest.raises(subprocess.TimeoutExpired):
        service.wait(seconds)


def test_between_two_beats_of_the_safety_net_no_thread_is_woken_once(idle: Running) -> None:
    pids = family(idle.pid)
    windows = []
    # One window may hold a beat or the end of the start; whatever polls is in each.
    for _ in range(4):
        before = spent(pids)
        sleep_of(idle, WINDOW_S)
        windows.append(spent(pids).since(before))
        if not windows[-1].sleeps:
            break

    assert windows[-1].sleeps == {}, windows
    assert windows[-1].cpu_s == 0.0


@pytest.mark.long
def test_an_idle_service_is_woken_by_the_safety_net_and_by_nothing_else(idle: Running) -> None:
    pids = family(idle.pid)
    before = spent(pids)
    sleep_of(idle, LONG_S)
    since = spent(pids).since(before)

    beats = LONG_S // SAFETY_NET_S + 1
    assert {pid for pid, _ in since.sleeps} == {idle.pid}, since
    assert len(since.sleeps) == THREADS_OF_A_BEAT, since
    assert sum(since.sleeps.values()) <= beats * MOST_SLEEPS_A_BEAT, since
    assert since.cpu_s <= beats * MOST_CPU_S_A_BEAT, since


@pytest.mark.long
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_what_an_idle_service_asks_of_the_kernel_are_the_beats_of_the_safety_net(
    idle: Running, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    attached = [word for pid in family(idle.pid) for word in ("-p", str(pid))]
    command = ["strace", "-f", "-ttt", "-o", trace, *attached]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        said = strace.stderr.readline()
        if "attached" not in said:
            pytest.skip(f"strace may not look at it: {said}")
        sleep_of(idle, LONG_S)
        strace.terminate()

    calls = calls_of(trace.read_text())
    beats = [calls[0]]
    for at in calls:
        if at - beats[-1] > 1:
            beats.append(at)
    assert len(beats) - 1 <= LONG_S // SAFETY_NET_S
    assert all(later - sooner > SAFETY_NET_S - 1 for sooner, later in pairwise(beats[1:]))


def calls_of(trace: str) -> list[float]:
    """When a thread asked something, or went on; of those that slept all the time, once."""
    return sorted(
        float(found[1]) for found in re.finditer(r"^\d+ +(\d+\.\d+) (?!.*detached)", trace, re.M)
    )


@pytest.mark.spoils
def test_a_service_whose_loop_has_died_is_woken_and_ends_with_1(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DIES_SOON]
    with begin(command, cwd=tmp_path) as service:
        assert service.stdout is not None
        assert "ready" in service.stdout.readline()
        (tmp_path / "idle.db").rename(tmp_path / "away.db")
        try:
            code = service.wait(60)
        finally:
            service.kill()
        _, errors = service.communicate()

    assert code == 1
    assert "the scheduler has stopped deciding: " in errors
