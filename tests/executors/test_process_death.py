"""Who dies, and what is said of it: children, nurseries, schedulers (S20, S28, F05, F21-F24)."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from executor_harness import FLOWS, PATIENCE_S, Harness, Make, make_job, wait_until
from test_process_executor import alive, state_of

from eventflow.executors import groups
from eventflow.executors.messages import Begin, to_frame
from eventflow.executors.nursery import command
from eventflow.executors.port import AttemptKey, Job, ReportKind
from eventflow.executors.spool import Mark, Spool


@pytest.fixture
def deadly(make: Make) -> Harness:
    return make("processes", "deadly")


def pids_of(harness: Harness, n: int = 0) -> list[int]:
    return list(harness.desk.of("running")[n].value)


def suspend(*pids: int) -> None:
    """Stop processes, and return when they have stopped."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: all(state_of(pid) == "T" for pid in pids), "they have stopped")


def gone(pids: list[int], what: str, timeout_s: float = 5.0) -> None:
    wait_until(lambda: not any(alive(pid) for pid in pids), what, timeout_s)


@pytest.mark.rule("S28")
@pytest.mark.fault("F21")
def test_f21_a_killed_child_is_noticed_within_a_second(deadly: Harness) -> None:
    job = deadly.start("run_on")

    os.kill(pids_of(deadly)[0], signal.SIGKILL)

    report = deadly.end(job, timeout_s=1)
    assert (report.kind, report.reason) == (ReportKind.FAILED, "killed by SIGKILL")


@pytest.mark.rule("S28")
@pytest.mark.fault("F21")
def test_f21_with_the_nursery_all_its_attempts_are_lost_and_dead_and_a_new_one_is_made(
    deadly: Harness,
) -> None:
    jobs = [deadly.start("hold_out"), deadly.start("hold_out")]
    nursery = pids_of(deadly)[1]

    os.kill(nursery, signal.SIGKILL)

    for number, job in enumerate(jobs):
        assert deadly.end(job, timeout_s=2).kind is ReportKind.LOST
        child, _, grandchild = pids_of(deadly, number)
        gone([child, grandchild], "the child's group", 0.5)
    assert deadly.run("give").kind is ReportKind.SUCCESS


@pytest.mark.rule("S28")
@pytest.mark.fault("F22")
def test_f22_a_silent_child_is_killed_and_lost(deadly: Harness) -> None:
    job = deadly.job("stop_self", heartbeat_timeout_s=0.5)

    deadly.executor.submit(job)

    report = deadly.end(job)
    assert report.kind is ReportKind.LOST
    assert report.reason.startswith("silent")
    gone(pids_of(deadly)[:1], "the stopped child", 0.1)


def test_a_child_that_is_heard_of_is_not_silent(deadly: Harness) -> None:
    job = deadly.job("run_on", heartbeat_timeout_s=0.4)
    deadly.executor.submit(job)
    deadly.desk.wait_for("running")

    with pytest.raises(AssertionError):
        deadly.end(job, timeout_s=1.5)

    assert deadly.kinds(job) == ["running"]


@pytest.mark.fault("F22")
def test_f22_a_hanging_nursery_goes_with_its_silent_child(deadly: Harness) -> None:
    job = deadly.start("run_on", heartbeat_timeout_s=0.3)
    child, nursery = pids_of(deadly)

    suspend(nursery, child)

    assert deadly.end(job).kind is ReportKind.LOST
    gone([child, nursery], "the child and its nursery")


@pytest.mark.rule("S20")
@pytest.mark.fault("F35")
def test_f35_a_task_that_ignores_the_stop_is_killed_with_its_group(deadly: Harness) -> None:
    job = deadly.start("hold_out", stop_grace_s=0.3)
    child, _, grandchild = pids_of(deadly)

    deadly.executor.cancel(job.key)

    report = deadly.end(job, timeout_s=5)
    assert (report.kind, report.reason) == (ReportKind.STOPPED, "killed")
    gone([child, grandchild], "the child's group", 0.5)


@pytest.mark.rule("S20")
@pytest.mark.fault("F35")
def test_f35_a_daemon_of_a_task_that_ignores_the_stop_goes_with_it_and_its_open_output(
    deadly: Harness,
) -> None:
    job = deadly.start("hold_on_detached", stop_grace_s=0.3)
    child, _, daemon = pids_of(deadly)
    assert os.getpgid(daemon) != os.getpgid(child)

    deadly.executor.cancel(job.key)

    report = deadly.end(job, timeout_s=0.3 + 5)
    assert (report.kind, report.reason) == (ReportKind.STOPPED, "killed")
    gone([child, daemon], "the child and its daemon", 0.5)


@pytest.mark.rule("S20")
def test_a_sigterm_lets_it_clean_up(deadly: Harness) -> None:
    job = deadly.start("clean_up", stop_grace_s=2)

    deadly.executor.cancel(job.key)

    assert deadly.end(job).kind is ReportKind.STOPPED
    assert len(deadly.desk.of("cleaned")) == 1


def test_a_stop_before_the_nursery_is_ready_means_that_it_never_runs(deadly: Harness) -> None:
    job = deadly.job("run_on")

    deadly.executor.submit(job)
    deadly.executor.cancel(job.key)
    deadly.run("give")

    assert deadly.kinds(job) == ["stopped"]
    assert deadly.desk.of("running") == []


@pytest.mark.fault("F35")
@pytest.mark.parametrize("task", ["leave_grandchild", "leave_daemon", "leave_writer"])
def test_f35_what_a_task_leaves_behind_dies_with_it(deadly: Harness, task: str) -> None:
    report = deadly.run(task)

    assert report.kind is ReportKind.SUCCESS
    gone([int(report.result or "")], "what it left", 0.5)


def test_the_daemon_of_a_running_task_lives_while_others_end(deadly: Harness) -> None:
    deadly.start("hold_out")
    grandchild = pids_of(deadly)[2]

    deadly.run("leave_daemon")

    assert alive(grandchild)


class SmallScheduler:
    """A scheduler in a process of its own, to be killed."""

    def __init__(self, folder: Path, *tasks: str) -> None:
        self.spool = folder / "spool"
        program = [sys.executable, str(Path(__file__).parent / "small_scheduler.py")]
        flow = FLOWS / "deadly_flow.py"
        self.process = subprocess.Popen(
            [*program, str(self.spool), str(flow), *tasks],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def read(self, *wanted: str) -> dict[str, list[int]]:
        """Read its lines until each wanted beginning has come."""
        assert self.process.stdout is not None
        found: dict[str, list[int]] = {}
        lines = ""
        limit = threading.Timer(PATIENCE_S, self.process.kill)
        limit.start()
        while len(found) < len(wanted):
            line = self.process.stdout.readline()
            lines += line
            assert line, f"the scheduler has ended, and said only {lines!r}"
            for start in wanted:
                if line.startswith(start):
                    found[start] = [int(word) for word in line.split() if word.isdigit()]
        limit.cancel()
        return found

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.mark.rule("S11", "S28")
def test_with_the_scheduler_all_groups_die_and_the_next_one_knows_how_each_ended(
    tmp_path: Path, make: Make
) -> None:
    scheduler = SmallScheduler(tmp_path, "hold_out", "give", "segfault")
    running = scheduler.read("running", "report 2 success", "report 3 failed")["running"]

    scheduler.kill()

    gone(running, "the scheduler's processes")
    later = make("processes", "deadly", scheduler.spool)
    assert [(report.key, report.kind) for report in later.recovered] == [
        (AttemptKey(1, 1), ReportKind.LOST),
        (AttemptKey(2, 1), ReportKind.SUCCESS),
        (AttemptKey(3, 1), ReportKind.FAILED),
    ]
    assert later.recovered[1].result == "1"
    assert later.recovered[2].reason == "killed by SIGSEGV"


def test_stopped_processes_die_with_their_scheduler_too(tmp_path: Path) -> None:
    scheduler = SmallScheduler(tmp_path, "hold_out")
    child, nursery, grandchild = scheduler.read("running")["running"]
    suspend(child, grandchild)

    scheduler.kill()

    gone([child, grandchild, nursery], "the nursery and what it has killed")


def test_without_its_nursery_too_a_child_ends_itself(tmp_path: Path) -> None:
    scheduler = SmallScheduler(tmp_path, "hold_out")
    child, nursery, grandchild = scheduler.read("running")["running"]
    suspend(nursery)

    scheduler.kill()

    gone([child, grandchild], "the child's group, by its own hand")
    os.kill(nursery, signal.SIGCONT)
    gone([nursery], "the nursery")


def test_the_next_scheduler_kills_what_still_lives(tmp_path: Path, make: Make) -> None:
    scheduler = SmallScheduler(tmp_path, "hold_out")
    child, nursery, grandchild = scheduler.read("running")["running"]
    suspend(nursery, child, grandchild)
    scheduler.kill()
    assert all(alive(pid) for pid in (child, grandchild))

    later = make("processes", "deadly", scheduler.spool)

    gone([child, grandchild], "the group of the mark", 0.5)
    assert [report.kind for report in later.recovered] == [ReportKind.LOST]
    os.kill(nursery, signal.SIGCONT)
    gone([nursery], "the nursery")


@pytest.mark.rule("S11", "S28")
def test_an_attempt_that_a_nursery_of_a_dead_scheduler_has_begun_meanwhile_is_lost(
    deadly: Harness, tmp_path: Path
) -> None:
    job = deadly.job("give")
    late = subprocess.Popen(["sleep", "600"], start_new_session=True)
    mark = Mark(job.key, late.pid, groups.started(late.pid))
    Spool(tmp_path / "spool").begin(mark, durable=False)
    try:
        deadly.executor.submit(job)

        report = deadly.end(job)
        died_of = late.poll()
    finally:
        late.kill()
        late.wait()
    assert (report.kind, died_of) == (ReportKind.LOST, -signal.SIGKILL)
    assert deadly.desk.of("running") == []


def late_child(folder: Path, job: Job) -> subprocess.Popen[bytes]:
    """A child whose nursery had stopped: told of its attempt by a scheduler that has died since."""
    ours, theirs = socket.socketpair()
    ours.sendall(to_frame(Begin(job=job, spool=str(folder / "spool"), store_url="")))
    ours.close()
    channel, output = theirs.fileno(), os.open(os.devnull, os.O_WRONLY)
    child = subprocess.Popen(
        command("child", str(channel), str(output), str(FLOWS), "deadly_flow.py"),
        pass_fds=(channel, output),
        process_group=0,
    )
    theirs.close()
    os.close(output)
    return child


@pytest.mark.rule("S11", "S28")
@pytest.mark.fault("F05")
def test_f05_what_a_dead_scheduler_has_told_a_child_does_not_begin_and_leaves_no_mark(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path / "spool")
    spool.prepare()
    files = [tmp_path / f"ran{run}" for run in range(10)]

    for run, file in enumerate(files, 1):
        job = make_job(
            FLOWS / "deadly_flow.py", tmp_path, "touch", run, 1, params={"file": str(file)}
        )
        assert late_child(tmp_path, job).wait(PATIENCE_S) == -signal.SIGKILL

    assert [file.name for file in files if file.exists()] == []
    assert list(spool.attempts()) == []


@pytest.mark.rule("S28")
def test_what_a_dead_scheduler_has_told_a_child_does_not_end_the_one_that_has_begun_it_since(
    tmp_path: Path,
) -> None:
    job = make_job(FLOWS / "deadly_flow.py", tmp_path, "give", 1, 1)
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as living:
        spool = Spool(tmp_path / "spool")
        spool.prepare()
        spool.begin(Mark(job.key, living.pid, groups.started(living.pid)), durable=False)

        late_child(tmp_path, job).wait(PATIENCE_S)

        assert living.poll() is None
        living.kill()
    assert list(spool.attempts()) == [job.key]


@pytest.mark.rule("S28")
def test_a_mark_whose_number_is_another_process_by_now_kills_nobody(
    tmp_path: Path, make: Make
) -> None:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as bystander:
        spool = Spool(tmp_path / "spool")
        spool.prepare()
        spool.begin(Mark(AttemptKey(1, 1), bystander.pid, "12345@long-ago"), durable=False)
        (spool.folder / "2-1.begin").write_text("torn")

        later = make("processes", "deadly", spool.folder)

        assert bystander.poll() is None
        bystander.kill()
    assert [report.kind for report in later.recovered] == [ReportKind.LOST, ReportKind.LOST]


@pytest.mark.rule("S11")
def test_recovered_attempts_are_not_started_again(tmp_path: Path, make: Make) -> None:
    scheduler = SmallScheduler(tmp_path, "give")
    scheduler.read("report 1 success")
    scheduler.kill()
    later = make("processes", "deadly", scheduler.spool)
    job: Job = later.job("run_on", run=1)

    later.executor.submit(job)
    later.run("give", run=2)

    assert later.desk.of("running") == []
    assert later.kinds(job) == []
