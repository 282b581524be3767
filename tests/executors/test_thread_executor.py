"""What only attempts in threads promise: nothing starves, and what cannot be killed is let go."""

import threading
from pathlib import Path

import pytest
from executor_harness import FLOWS, Harness, Make, MemoryDesk, make_job, wait_until

from eventflow.clock import SystemClock
from eventflow.executors.journal import NAME, Journal
from eventflow.executors.pool import ThreadPool
from eventflow.executors.port import AttemptKey, ReportKind
from eventflow.executors.tasklog import CappedFile, TaskLog
from eventflow.executors.threads import ThreadExecutor


@pytest.fixture
def threads(make: Make) -> Harness:
    return make("threads")


@pytest.mark.rule("S20")
@pytest.mark.fault("F23")
def test_f23_a_task_that_ignores_the_stop_is_abandoned_and_its_late_end_is_dropped(
    threads: Harness,
) -> None:
    job = threads.start("obey", stop_grace_s=0.0)
    stubborn = threads.start("defy", stop_grace_s=0.2)

    threads.executor.cancel(stubborn.key)
    threads.executor.cancel(job.key)

    assert threads.end(stubborn).reason == "abandoned"
    assert threads.end(job).kind is ReportKind.STOPPED
    assert threads.kinds(stubborn) == ["running", "stopped"]
    assert threads.kinds(job) == ["running", "stopped"]


def test_endless_services_do_not_starve_short_tasks(threads: Harness) -> None:
    services = [threads.job("obey") for _ in range(40)]
    for job in services:
        threads.executor.submit(job)
    threads.desk.wait_for("running", 40)

    assert threads.run("give").kind is ReportKind.SUCCESS
    for job in services:
        threads.executor.cancel(job.key)
    assert {threads.end(job).kind for job in services} == {ReportKind.STOPPED}


def test_without_a_spool_nothing_is_written(tmp_path: Path) -> None:
    executor = ThreadExecutor(None)
    ended = threading.Event()
    assert executor.recover() == []
    executor.start(
        MemoryDesk(),
        lambda report: ended.set() if report.kind is ReportKind.REFUSED else None,
        lambda job: [][0],
    )

    executor.submit(make_job(FLOWS / "contract_flow.py", tmp_path, "give", 1))

    assert ended.wait(5)
    executor.stop(0)
    assert list(tmp_path.iterdir()) == []


def test_a_thousand_short_pieces_of_work_do_not_make_a_thousand_threads() -> None:
    pool = ThreadPool("short")
    done = threading.Semaphore(0)

    for _ in range(1000):
        pool.run(done.release)
    for _ in range(1000):
        assert done.acquire(timeout=10)

    assert pool.threads < 50
    pool.close()


def test_a_thousand_waiting_pieces_of_work_all_run_at_once() -> None:
    pool = ThreadPool("long")
    together = threading.Barrier(300)
    done = threading.Semaphore(0)

    def work() -> None:
        together.wait(20)
        done.release()

    for _ in range(300):
        pool.run(work)

    for _ in range(300):
        assert done.acquire(timeout=20)
    pool.close()


def test_work_that_raises_costs_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    pool = ThreadPool("raising")
    done = threading.Event()

    pool.run(lambda: [][0])
    pool.run(done.set)

    # A thread that had gone with its work would still count, and this would never be done.
    assert done.wait(5)
    assert "pool.work_raised" in caplog.text
    pool.close()
    pool.run(done.clear)
    wait_until(lambda: pool.threads == 0, "the pool's threads have ended")
    assert done.is_set()


KEYS = [AttemptKey(n, 1) for n in range(5)]


def test_a_journal_knows_who_began_and_was_not_confirmed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "new" / "spool")
    assert journal.recover() == []
    for key in KEYS:
        journal.begin(key, durable=key.task_execution_id == 1)
    journal.confirm(KEYS[2])
    journal.confirm(KEYS[2])
    journal.close()
    journal.confirm(KEYS[3])
    with (tmp_path / "new" / "spool" / NAME).open("a") as file:
        file.write("b 77 1")  # torn: no line's end

    later = Journal(tmp_path / "new" / "spool")

    assert later.recover() == [KEYS[0], KEYS[1], KEYS[4]]
    later.confirm(KEYS[0])
    assert Journal(tmp_path / "new" / "spool").recover() == [KEYS[1], KEYS[4]]
    later.close()


def test_a_journal_does_not_grow_without_end(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.recover()
    journal.begin(KEYS[0], durable=False)

    for number in range(100_000):
        journal.begin(AttemptKey(1000 + number, 1), durable=False)
        journal.confirm(AttemptKey(1000 + number, 1))
    journal.close()

    assert (tmp_path / NAME).stat().st_size < 1_100_000
    assert Journal(tmp_path).recover() == [KEYS[0]]


@pytest.mark.parametrize("pieces", [[8], [3, 5], [4, 4], [4, 1, 9], [20]])
def test_a_capped_file_keeps_its_first_bytes_and_says_so_once(
    tmp_path: Path, pieces: list[int]
) -> None:
    file = CappedFile(tmp_path / "logs" / "a.log", cap=4)

    for number, length in enumerate(pieces):
        file.write(str(number).encode() * length)
    file.close()
    file.write(b"late")

    kept = (tmp_path / "logs" / "a.log").read_bytes()
    whole = "".join(str(number) * length for number, length in enumerate(pieces))
    assert kept == whole[:4].encode() + (
        b"\n[eventflow] truncated: only the first 4 bytes are kept\n"
    )


def test_a_file_that_cannot_be_written_costs_the_log_only(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("not a folder")
    file = CappedFile(tmp_path / "logs" / "a.log")

    file.write(b"lost")
    file.close()


def test_without_a_file_lines_go_to_the_logger(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "eventflow.task"):
        TaskLog(None, SystemClock()).info("rows: %d", 3)

    assert [record.getMessage() for record in caplog.records] == ["rows: 3"]


def test_an_attempt_whose_begin_cannot_be_written_down_is_lost_before_its_code_runs(
    tmp_path: Path, make: Make
) -> None:
    (tmp_path / "spool").mkdir()
    harness = make("threads")
    (tmp_path / "spool" / NAME).unlink()
    (tmp_path / "spool" / NAME).mkdir()

    report = harness.run("count_start")

    assert report.kind is ReportKind.LOST
    assert harness.desk.of("started") == []
    assert report.reason.startswith("the begin of the attempt cannot be written down")
