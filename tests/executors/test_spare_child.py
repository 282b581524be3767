"""The child that waits for an attempt: it makes one as any does, and costs none when it dies."""

import json
import os
import signal
from pathlib import Path

import pytest
from executor_harness import Harness, Make, wait_until
from test_process_executor import alive, open_files, state_of

from eventflow.executors.port import ReportKind

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="children are forked on Linux only"
)


@pytest.fixture
def deadly(make: Make) -> Harness:
    """One that has made an attempt, and has nothing to do."""
    harness = make("processes", "deadly")
    job = harness.start("run_on")
    harness.executor.cancel(job.key)
    assert harness.end(job).kind is ReportKind.STOPPED
    return harness


def first_child_and_nursery(harness: Harness) -> tuple[int, int]:
    child, nursery = harness.desk.of("running")[0].value
    return child, nursery


def spare_of(nursery: int) -> int:
    """The child that a nursery has which has nothing to do, when it is there."""
    wait_until(lambda: len(children_of(nursery)) == 1, "one child waits")
    wait_until(lambda: state_of(nursery) == "S", "its nursery has nothing left to do")
    return children_of(nursery)[0]


def children_of(pid: int) -> list[int]:
    return [int(it) for it in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_the_child_that_waits_makes_the_next_attempt_and_no_other_does(deadly: Harness) -> None:
    first, nursery = first_child_and_nursery(deadly)
    spare = spare_of(nursery)

    deadly.start("run_on")

    assert deadly.desk.of("running")[1].value == [spare, nursery]
    assert spare != first


def test_a_child_that_has_waited_has_no_connection_but_its_own_channel(deadly: Harness) -> None:
    spare_of(first_child_and_nursery(deadly)[1])

    files = json.loads(deadly.run("list_files").result or "")

    assert len([name for name in files if name.startswith("socket:")]) == 1


def test_a_child_that_dies_while_it_waits_costs_no_attempt(deadly: Harness) -> None:
    spare = spare_of(first_child_and_nursery(deadly)[1])

    os.kill(spare, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{spare}").exists(), "it is reaped")

    job = deadly.job("give")
    deadly.executor.submit(job)
    assert deadly.end(job).kind is ReportKind.SUCCESS
    assert deadly.kinds(job) == ["running", "success"]


@pytest.mark.rule("S28")
@pytest.mark.fault("F21")
def test_f21_a_child_that_dies_before_it_takes_its_attempt_has_lost_it(deadly: Harness) -> None:
    nursery = first_child_and_nursery(deadly)[1]
    spare, files = spare_of(nursery), open_files(nursery)
    os.kill(spare, signal.SIGSTOP)
    job = deadly.job("give")

    deadly.executor.submit(job)
    wait_until(lambda: open_files(nursery) == files - 1, "it has its attempt")
    os.kill(spare, signal.SIGKILL)

    report = deadly.end(job)
    assert (report.kind, report.reason) == (ReportKind.LOST, "killed by SIGKILL before it began")
    assert deadly.run("give").kind is ReportKind.SUCCESS


@pytest.mark.fault("F05")
def test_f05_the_child_that_waits_dies_with_its_nursery(deadly: Harness) -> None:
    nursery = first_child_and_nursery(deadly)[1]
    spare = spare_of(nursery)

    os.kill(nursery, signal.SIGKILL)

    wait_until(lambda: not alive(spare), "the child that waits is dead")
    assert deadly.run("give").kind is ReportKind.SUCCESS


def test_the_child_that_waits_ends_with_the_executor(deadly: Harness) -> None:
    spare = spare_of(first_child_and_nursery(deadly)[1])

    deadly.executor.stop(0)

    assert not alive(spare)


@pytest.mark.long
def test_a_child_that_waits_in_vain_leaves(deadly: Harness) -> None:
    nursery = first_child_and_nursery(deadly)[1]
    spare = spare_of(nursery)

    wait_until(lambda: not children_of(nursery), "nobody waits any more")

    assert not alive(spare)
    assert deadly.run("give").kind is ReportKind.SUCCESS
