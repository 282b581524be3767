"""What only attempts in processes promise: isolation, output, surroundings (S27, F36, F37, F47)."""

import json
import logging
import os
import socket
import sqlite3
import threading
from pathlib import Path

import pytest
from executor_harness import FLOWS, Harness, Make, wait_until
from msgspec.structs import replace

from eventflow.executors.port import Code, ReportKind
from eventflow.executors.tasklog import MAX_LOG_BYTES

SUCCESS, FAILED = ReportKind.SUCCESS, ReportKind.FAILED


@pytest.fixture
def deadly(make: Make) -> Harness:
    return make("processes", "deadly")


def state_of(pid: int) -> str:
    """The letter that the system has for it; empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def alive(pid: int) -> bool:
    return state_of(pid) not in ("", "Z", "X")


@pytest.mark.rule("S27")
@pytest.mark.fault("F36")
@pytest.mark.parametrize(
    ("task", "how"),
    [
        ("segfault", "killed by SIGSEGV"),
        ("kill_self", "killed by SIGKILL"),
        ("leave_3", "exit code 3"),
        ("leave_0", "exit code 0"),
    ],
)
def test_f36_a_process_that_dies_is_failed_and_says_how(
    deadly: Harness, task: str, how: str
) -> None:
    report = deadly.run(task)

    assert (report.kind, report.reason) == (FAILED, how)
    assert report.failure is not None
    assert report.failure.message.endswith(how)
    assert report.retryable


@pytest.mark.rule("S27")
@pytest.mark.fault("F36")
def test_f36_many_that_die_at_once_are_each_told_apart(deadly: Harness) -> None:
    jobs = [deadly.job("leave_3") for _ in range(60)]
    for job in jobs:
        deadly.executor.submit(job)

    assert {(deadly.end(job).kind, deadly.end(job).reason) for job in jobs} == {
        (FAILED, "exit code 3")
    }
    assert {tuple(deadly.kinds(job)) for job in jobs} == {("running", "failed")}


@pytest.mark.rule("S20")
@pytest.mark.parametrize("task", ["succeed_slowly", "fail_slowly", "skip_slowly"])
def test_an_end_that_is_not_told_yet_when_the_stop_comes_is_stopped(
    deadly: Harness, task: str, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    job = deadly.start(task, params={"gate": str(gate)}, stop_grace_s=600)

    deadly.executor.cancel(job.key)
    gate.write_text("go on")

    report = deadly.end(job)
    assert (report.kind, report.reason, report.failure) == (ReportKind.STOPPED, "stopped", None)


def test_a_death_without_an_exception_is_none_that_retry_on_names(deadly: Harness) -> None:
    assert not deadly.run("leave_3_picky").retryable


def test_what_it_emitted_before_it_died_is_in_the_log_before_its_end(deadly: Harness) -> None:
    assert deadly.run("emit_and_die").kind is FAILED
    assert [event.value for event in deadly.desk.of("last.words")] == [1]


@pytest.mark.fault("F36")
def test_f36_bad_tasks_leave_fifty_innocent_ones_alone(deadly: Harness) -> None:
    bad = [deadly.job(task) for task in ("segfault", "leave_3", "kill_self", "leave_0") * 3]
    good = [deadly.job("give") for _ in range(50)]

    for number in range(50):
        deadly.executor.submit(good[number])
        if number < len(bad):
            deadly.executor.submit(bad[number])

    assert {deadly.end(job).kind for job in good} == {SUCCESS}
    assert {deadly.end(job).kind for job in bad} == {FAILED}


def test_two_hundred_children_run_at_once(deadly: Harness) -> None:
    jobs = [deadly.job("run_on", log_path=None, stop_grace_s=30) for _ in range(200)]
    for job in jobs:
        deadly.executor.submit(job)

    pids = {event.value[0] for event in deadly.desk.wait_for("running", 200)}
    for job in jobs:
        deadly.executor.cancel(job.key)

    assert len(pids) == 200
    assert {deadly.end(job).kind for job in jobs} == {ReportKind.STOPPED}


def test_output_is_in_the_log_in_order_and_whole_when_the_end_is_reported(deadly: Harness) -> None:
    job = deadly.job("print_some")
    deadly.executor.submit(job)
    deadly.end(job)

    lines = deadly.log_of(job).splitlines()
    assert lines[:4] == ["to stdout", "to stderr", "from a child process", "raw"]
    assert lines[4].endswith("INFO logged")
    assert lines[5] == "no newline"


def test_all_output_is_in_the_log_when_the_end_is_reported(deadly: Harness) -> None:
    for _ in range(10):
        job = deadly.job("flood_some")
        deadly.executor.submit(job)
        deadly.end(job)

        assert len(deadly.log_of(job)) == 8 * 1024 * 1024


def test_a_gigabyte_of_output_costs_neither_disk_nor_memory(deadly: Harness) -> None:
    job = deadly.job("flood")
    before = resident_bytes()

    deadly.executor.submit(job)
    report = deadly.end(job, timeout_s=60)

    assert report.result == "1024"
    assert job.log_path is not None
    assert job.log_path.stat().st_size < MAX_LOG_BYTES + 200
    assert job.log_path.read_bytes().endswith(
        b"\n[eventflow] truncated: only the first 16777216 bytes are kept\n"
    )
    assert resident_bytes() - before < 20e6


def open_files(process: str | int) -> int:
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_child_has_no_connection_but_its_own_channel(make: Make, tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "store.db")
    database.execute("CREATE TABLE t (a)")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.set_inheritable(True)
        deadly = make("processes", "deadly")
        deadly.start("run_on")

        files = json.loads(deadly.run("list_files").result or "")
    database.close()

    assert len([name for name in files if name.startswith("socket:")]) == 1
    assert not [name for name in files if ".db" in name]


def test_the_surroundings_of_a_task(deadly: Harness) -> None:
    told = json.loads(deadly.run("tell_surroundings", run=8).result or "")

    assert told == {
        "cwd": str(Path.cwd()),
        "store": "sqlite:///x.db",
        "run": "8",
        "leads": True,
        "stdin": "",
        "threads": ["MainThread", "eventflow-channel"],
        "term": True,
    }


def test_a_forked_copy_of_a_task_cannot_use_its_context(deadly: Harness) -> None:
    assert deadly.run("use_context_in_fork").result == '"EventflowError"'
    assert deadly.desk.of("forked") == []


def test_calls_are_answered_as_fast_as_they_come(deadly: Harness) -> None:
    assert deadly.run("emit_many").result == "500"


def test_two_hundred_attempts_leave_nothing_behind(deadly: Harness, tmp_path: Path) -> None:
    def run_all(count: int) -> None:
        jobs = [deadly.job("give") for _ in range(count)]
        for job in jobs:
            deadly.executor.submit(job)
        for job in jobs:
            deadly.end(job)
            deadly.executor.confirm(job.key)

    nursery = deadly.desk.wait_for("running")[0].value[1] if deadly.start("run_on") else 0
    run_all(20)
    ours, threads = open_files("self"), threading.active_count()
    theirs = open_files(nursery)
    run_all(200)

    assert open_files("self") == ours
    assert open_files(nursery) == theirs
    assert threading.active_count() <= threads
    assert len(Path(f"/proc/{nursery}/task/{nursery}/children").read_text().split()) == 1
    assert sorted(path.name for path in (tmp_path / "spool").iterdir()) == ["1-1.begin"]


def test_a_second_thread_after_the_import_gives_fresh_interpreters_and_one_warning(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    threaded = make("processes", "threaded")

    with caplog.at_level(logging.WARNING, "eventflow"):
        results = [threaded.run("give").result for _ in range(2)]

    assert results == ["true", "true"]
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == 1
    assert "code.fresh_interpreters entry=threaded_flow.py" in warnings[0]


@pytest.mark.fault("F35")
def test_f35_what_a_fresh_interpreter_leaves_behind_dies_with_it(make: Make) -> None:
    threaded = make("processes", "threaded")

    pid = int(threaded.run("leave_grandchild").result or "")

    wait_until(lambda: not alive(pid), "the grandchild is dead", 0.5)


def test_code_that_does_not_import_is_refused_and_not_tried_for_each_job(make: Make) -> None:
    broken = make("processes", "broken")
    jobs = [broken.job("give") for _ in range(5)]

    for job in jobs:
        broken.executor.submit(job)
    reports = [broken.end(job) for job in jobs] + [broken.run("give")]

    assert {report.kind for report in reports} == {ReportKind.REFUSED}
    failure = reports[-1].failure
    assert failure is not None
    assert failure.type_name == "LoadError"
    assert failure.message == f"{FLOWS / 'broken_flow.py'}:3: ValueError: not today"
    assert not reports[-1].retryable


def test_an_import_that_kills_the_nursery_loses_the_attempt_and_the_next_one_is_made(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = tmp_path / "calm"
    monkeypatch.setenv("EVENTFLOW_TEST_CALM", str(calm))
    crashing = make("processes", "crashing")

    first = crashing.run("give")
    calm.touch()
    second = crashing.run("give")

    assert (first.kind, second.kind) == (ReportKind.LOST, SUCCESS)
    assert "was killed by SIGABRT while it imported crashing_flow.py" in first.reason


def test_a_workflow_of_the_running_program_is_refused(deadly: Harness) -> None:
    job = replace(deadly.job("give"), code=Code(snapshot="b" * 64))

    deadly.executor.submit(job)

    report = deadly.end(job)
    assert report.kind is ReportKind.REFUSED
    assert report.failure is not None
    assert "eventflow run FILE" in report.failure.message
    assert 'executor="threads"' in report.failure.message


@pytest.mark.rule("S11")
def test_a_begin_that_must_not_be_repeated_is_not(deadly: Harness, tmp_path: Path) -> None:
    job = deadly.job("give", must_not_repeat=True)
    (tmp_path / "spool" / f"{job.key.task_execution_id}-1.begin").write_text("")

    deadly.executor.submit(job)

    report = deadly.end(job)
    assert (report.kind, deadly.desk.of("running")) == (ReportKind.LOST, [])
    assert "another process has begun it" in report.reason


@pytest.mark.rule("S41")
def test_two_snapshots_have_a_nursery_each(make: Make, tmp_path: Path) -> None:
    harness = make("processes", "deadly")
    other = replace(
        harness.job("give"),
        code=Code(snapshot="c" * 64, folder=FLOWS, entry="deadly_flow.py"),
    )

    harness.executor.submit(other)
    harness.run("give")

    assert harness.end(other).kind is SUCCESS


def test_the_executor_ends_with_all_its_processes(make: Make) -> None:
    deadly = make("processes", "deadly")
    deadly.start("hold_out")
    pids = deadly.desk.of("running")[0].value

    deadly.executor.stop(0)

    wait_until(lambda: not any(alive(pid) for pid in pids), "the executor's processes are gone")
