"""What `fsck` asks of a store finds what is wrong: each check has its faults, given by hand."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import invariants
import pytest
from machine_flows import EverySecond, Idle
from player import Player

from eventflow import Every, TaskAction, Workflow, WorkflowOperator
from eventflow.clock import SystemClock
from eventflow.errors import StoreError
from eventflow.store import execution_checks, item_checks, log_checks, order_checks, task_checks
from eventflow.store.checks import Check
from eventflow.store.folder_checks import marks_left
from eventflow.store.fsck import CHECKS, Answer, StoppedError, fsck, reading


def run_of(task: str) -> str:
    """SQL for the id of the first run of a task."""
    return "(SELECT MIN(id) FROM task_execution WHERE task = '" + task + "')"  # noqa: S608  our own words


def flows() -> list[Workflow]:
    with Workflow("chain") as chain:
        first, second = Idle("first"), Idle("second")
        first >> second
    with Workflow("tight") as tight:
        Idle("one", pool="p")
        Idle("two", pool="p")
    with Workflow("busy") as busy:
        Idle("timed", timeout=3600)
        Idle("leaving")
    with Workflow("bottom") as bottom:
        Idle("work")
    with Workflow("top") as top:
        WorkflowOperator("sub", bottom)
    with Workflow("tick", schedule=Every(600)) as tick:
        Idle("ticked")
    with Workflow("often") as often:
        Idle("counted", autostart=False).action_on_condition(
            TaskAction.START, EverySecond(["orders.paid"])
        )
    with Workflow("heard") as heard:
        Idle("hears")
    heard.trigger_on_event("orders.paid")
    return [chain, tight, busy, bottom, top, tick, often, heard]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Executions that are done, retried, waiting, leaving, and run by tasks."""
    path = tmp_path_factory.mktemp("made") / "store.db"
    workflows = flows()
    player = Player(path, workflows)
    for number in range(len(workflows)):
        player.register(number)
    player.client.set_pool("p", 1)
    for name in ("chain", "chain", "tight", "busy", "top", "often"):
        player.client.run("default", name)
    player.client.emit("orders.paid", {"n": 1}, id="1", sender="shop")
    player.settle()
    for execution, task, *kinds in (
        (1, "first", "running", "success"),
        (1, "second", "running", "success"),
        (2, "first", "running", "success"),
        (2, "second", "running", "failed"),
        (4, "timed", "running"),
        (4, "leaving", "running"),
    ):
        report(player, execution, task, *kinds)
    player.client.retry(2)
    player.client.task(4, "leaving", TaskAction.STOP)
    player.settle()
    player.start_subs()
    player.settle()
    player.wait(601)
    player.settle()
    player.close()
    return path


def report(player: Player, execution: int, task: str, *kinds: str) -> None:
    for kind in kinds:
        ((run_id,),) = player.rows(
            "SELECT id FROM task_execution WHERE workflow_execution_id = ? AND task = ?",
            execution,
            task,
        )
        player.report(kind, run_id, 1)
        player.settle()


@pytest.fixture
def spoilt(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made, tmp_path))


def spoil(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount != 0, statement


def faults(path: Path) -> dict[str, Answer]:
    return {one.check.name: one for one in fsck(path, clock=SystemClock()).faults}


def test_the_store_that_is_spoilt_here_is_whole_and_has_something_of_all(made: Path) -> None:
    assert invariants.broken(made) == []
    with reading(made) as connection:
        for table in ("outbox", "timer", "state", "verdict", "schedule_firing", "dedup"):
            ((count,),) = connection.execute(f"SELECT COUNT(*) FROM {table}")  # noqa: S608
            assert count > 0, table
        subs = connection.execute(
            "SELECT COUNT(*) FROM workflow_execution WHERE parent_execution_id > 0"
            " UNION ALL SELECT COUNT(*) FROM task_execution WHERE taken_from IS NOT NULL"
        )
        assert subs.fetchall() == [(1,), (1,)]


SPOILT: list[tuple[Check, str]] = [
    (
        log_checks.the_file_is_whole,
        "PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = replace(sql, 'key >=', 'key <')"
        " WHERE name = 'event_key'",
    ),
    (log_checks.references_hold, "DELETE FROM task_execution WHERE id = " + run_of("one")),  # noqa: S608  our own words
    (log_checks.values_can_be_read, "UPDATE event SET value = '{' WHERE key = 'orders.paid'"),
    (log_checks.values_can_be_read, "UPDATE result SET value = 'done'"),
    (
        log_checks.no_event_is_missing,
        "DELETE FROM event WHERE offset IN (SELECT 0) OR turn = 3;"
        "UPDATE cursor SET turn = turn - 1",
    ),
    (
        log_checks.no_event_is_missing,
        "UPDATE sqlite_sequence SET seq = seq - 2 WHERE name = 'event'",
    ),
    (log_checks.turns_are_given_once, "UPDATE event SET turn = 9000 WHERE turn = 3"),
    (log_checks.turns_are_given_once, "UPDATE cursor SET turn = turn - 1"),
    (
        log_checks.nothing_behind_the_cursor_is_undecided,
        "UPDATE event SET turn = NULL WHERE key = 'orders.paid'",
    ),
    (log_checks.counters_are_ahead, "UPDATE cursor SET offset = 9000"),
    (log_checks.counters_are_ahead, "UPDATE cursor SET execution_id = 2"),
    (log_checks.counters_are_ahead, "UPDATE cursor SET task_execution_id = 2"),
    (
        log_checks.ids_are_events,
        "UPDATE event SET id = '1', sender = 'shop' WHERE offset IN (2, 3)",
    ),
    (log_checks.ids_name_their_events, "UPDATE dedup SET offset = offset - 1 WHERE id = '1'"),
    (log_checks.ids_name_their_events, "UPDATE dedup SET offset = 9000 WHERE id = '1'"),
    (log_checks.decisions_are_about_events, "UPDATE decision SET turn = turn + 9000"),
    (log_checks.decisions_are_about_events, "UPDATE verdict SET turn = turn + 9000"),
    (log_checks.causes_are_events, "UPDATE workflow_execution SET trigger_turn = 9000"),
    (
        task_checks.sequence_numbers_are_dense,
        "UPDATE task_execution SET sequence_number = 2 WHERE task = 'timed'",
    ),
    (
        task_checks.histories_are_paths,
        "UPDATE task_execution SET status = 'FAILED' WHERE task = 'timed'",
    ),
    (
        task_checks.histories_are_paths,
        "DELETE FROM task_history WHERE status = 'QUEUED' AND task_execution_id = 1",
    ),
    (
        task_checks.one_run_is_busy,
        "DROP INDEX task_execution_one_busy; UPDATE task_execution SET task = 'timed',"
        " sequence_number = 2 WHERE task = 'leaving'",
    ),
    (
        task_checks.every_status_is_a_fact,
        "UPDATE event SET key = 'x' WHERE key = 'eventflow.task.chain.first.success'",
    ),
    (
        task_checks.reports_move_their_own_attempt,
        "UPDATE event SET value = json_set(value, '$.attempt', 2)"
        " WHERE key = 'eventflow.report.success'",
    ),
    (task_checks.results_are_of_successes, "DELETE FROM result"),
    (
        task_checks.what_is_taken_over_stands_as_its_origin,
        "UPDATE task_execution SET status = 'SKIPPED' WHERE taken_from IS NOT NULL",
    ),
    (
        task_checks.nothing_is_left_to_retry_once_it_has_ended,
        "INSERT INTO state VALUES (1, 'default', 'chain', '@retried/first', '1')",
    ),
    (order_checks.starts_are_of_queued_attempts, "DELETE FROM outbox WHERE action = 'START'"),
    (
        order_checks.starts_are_of_queued_attempts,
        "UPDATE outbox SET attempt = 2 WHERE action = 'START'",
    ),
    (order_checks.stops_are_of_attempts_that_end, "DELETE FROM outbox WHERE action = 'STOP'"),
    (order_checks.nobody_waits_while_a_slot_is_free, "UPDATE pool SET slots = 2"),
    (
        order_checks.timers_are_of_what_lives,
        "UPDATE timer SET task_execution_id = 1 WHERE task = 'timed'",
    ),
    (
        execution_checks.ended_executions_hold_nothing,
        "UPDATE workflow_execution SET status = 'SUCCESS' WHERE workflow = 'busy'",
    ),
    (
        execution_checks.ended_executions_hold_nothing,
        "UPDATE workflow_execution SET ended_at = NULL WHERE workflow = 'chain'",
    ),
    (
        execution_checks.due_times_are_accounted_once,
        "INSERT INTO schedule_firing SELECT 9000, schedule, due_at + 5, due_at - 5, 'late'"
        " FROM schedule_firing LIMIT 1",
    ),
    (
        execution_checks.periodic_executions_have_fired,
        "UPDATE schedule_firing SET reason = 'late' WHERE reason = ''",
    ),
    (
        execution_checks.firings_have_executions,
        "INSERT INTO schedule_firing SELECT 9000, schedule, due_at + 5, NULL, ''"
        " FROM schedule_firing LIMIT 1",
    ),
    (
        execution_checks.sub_executions_live_with_their_runs,
        "UPDATE workflow_execution SET parent_attempt = 2 WHERE workflow = 'bottom'",
    ),
    (
        execution_checks.runs_end_with_their_sub_executions,
        "UPDATE workflow_execution SET status = 'FAILED' WHERE workflow = 'bottom';"
        "UPDATE task_execution SET status = 'RUNNING' WHERE task = 'sub'",
    ),
    (
        execution_checks.runs_end_with_their_sub_executions,
        "UPDATE task_execution SET timed_out = 1 WHERE task = 'sub'",
    ),
    (
        execution_checks.sub_executions_have_no_orders,
        "INSERT INTO outbox VALUES (" + run_of("sub") + ", 1, 'STOP', 5, 1)",  # noqa: S608  our own words
    ),
    (
        execution_checks.nothing_is_left_of_what_is_gone,
        "INSERT INTO workflow_data VALUES (9000, 'k', '1')",
    ),
    (
        execution_checks.nothing_is_left_of_what_is_gone,
        "INSERT INTO deterministic_value VALUES (9000, 'k', '1')",
    ),
    (execution_checks.snapshots_are_kept, "DELETE FROM snapshot WHERE workflow = 'chain'"),
    (
        execution_checks.hops_follow_their_events,
        "UPDATE workflow_execution SET hops = 2 WHERE workflow = 'heard'",
    ),
    (
        execution_checks.hops_follow_their_events,
        "UPDATE event SET hops = 32 WHERE key = 'orders.paid';"
        "UPDATE workflow_execution SET hops = 33 WHERE workflow = 'heard'",
    ),
]


@pytest.mark.spoils
@pytest.mark.parametrize(
    ("check", "statements"),
    SPOILT,
    ids=[f"{check.name}-{n}" for n, (check, _) in enumerate(SPOILT)],
)
def test_what_is_wrong_is_found(spoilt: Path, check: Check, statements: str) -> None:
    spoil(spoilt, *statements.split(";"))

    found = faults(spoilt)

    assert check.name in found
    assert found[check.name].count >= len(found[check.name].rows) > 0
    assert "cannot be" not in found[check.name].rows[0]


def test_every_check_has_its_fault_in_these_tests() -> None:
    """One that no test makes red may ask nothing."""
    assert {check for check, _ in SPOILT} | set(item_checks.CHECKS) == set(CHECKS)
    assert len({check.name for check in CHECKS}) == len(CHECKS)


@pytest.mark.spoils
def test_a_check_that_a_broken_value_makes_impossible_is_a_fault_and_others_go_on(
    spoilt: Path,
) -> None:
    spoil(spoilt, "UPDATE event SET value = '{' WHERE key = 'eventflow.task.chain.first.success'")

    found = faults(spoilt)

    assert found["every-status-is-a-fact"].rows == ("this cannot be asked: malformed JSON",)
    assert "values-can-be-read" in found


@pytest.mark.spoils
def test_rows_are_told_up_to_a_number_and_counted(spoilt: Path) -> None:
    spoil(spoilt, "DELETE FROM result")

    report = fsck(spoilt, clock=SystemClock(), shown=1)

    (fault,) = [one for one in report.faults if one.check is task_checks.results_are_of_successes]
    assert (fault.count, len(fault.rows)) == (3, 1)


OF_RUN = (
    "WHERE task_execution_id IN (SELECT id FROM task_execution WHERE workflow_execution_id = 1)"
)
RUNS_GONE = [
    "DELETE FROM task_history " + OF_RUN,  # noqa: S608  our own words
    "DELETE FROM result " + OF_RUN,  # noqa: S608  our own words
    "DELETE FROM task_execution WHERE workflow_execution_id = 1",
]


def test_a_store_of_which_old_executions_and_events_were_pruned_is_whole(spoilt: Path) -> None:
    spoil(
        spoilt,
        *RUNS_GONE,
        "DELETE FROM decision WHERE workflow_execution_id = 1",
        "DELETE FROM workflow_execution WHERE id = 1",
    )
    assert faults(spoilt) == {}  # its events are still there

    spoil(
        spoilt,
        "DELETE FROM event WHERE workflow_execution_id = 1 AND turn NOT IN"
        " (SELECT turn FROM decision)",
    )

    report = fsck(spoilt, clock=SystemClock())
    assert report.faults == []
    assert report.counts is not None
    assert (report.counts.pruned_executions, report.counts.pruned_events > 5) == (1, True)


def test_an_execution_of_which_some_rows_are_pruned_is_not_looked_at(spoilt: Path) -> None:
    spoil(
        spoilt,
        "UPDATE workflow_execution SET reason = 'is being pruned' WHERE id = 1",
        *RUNS_GONE[:2],
        "DELETE FROM task_execution WHERE workflow_execution_id = 1 AND task = 'first'",
    )

    assert faults(spoilt) == {}


@pytest.mark.spoils
def test_an_execution_that_is_gone_while_its_runs_are_there_is_found(spoilt: Path) -> None:
    spoil(spoilt, "DELETE FROM workflow_execution WHERE id = 1")

    assert "references-hold" in faults(spoilt)


@pytest.mark.spoils
def test_a_snapshot_without_its_folder_and_files_that_others_can_read_are_found(
    spoilt: Path,
) -> None:
    spoil(spoilt, "UPDATE snapshot SET folder = 'snapshots/ab' WHERE workflow = 'chain'")
    spoilt.chmod(0o640)

    found = faults(spoilt)

    assert found.keys() == {"snapshots-have-their-code", "files-are-private"}
    assert found["files-are-private"].rows[0] == f"'{spoilt}' has mode 0640"


def test_marks_of_attempts_that_have_ended_are_counted_and_no_fault(spoilt: Path) -> None:
    spool = spoilt.with_name(spoilt.name + "-files") / "spool"
    spool.mkdir(parents=True, mode=0o700)
    spool.parent.chmod(0o700)
    with reading(spoilt) as connection:
        ((ended, alive),) = connection.execute(f"SELECT {run_of('first')}, {run_of('timed')}")
        for name in (f"{ended}-1.begin", f"{ended}-1.end", f"{alive}-1.begin", "other"):
            (spool / name).touch(mode=0o600)

        assert marks_left(connection, spoilt) == 2
    assert faults(spoilt) == {}


def test_checks_that_are_told_to_stop_do_so_in_the_middle_of_a_question(spoilt: Path) -> None:
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 3

    with pytest.raises(StoppedError, match="stopped before"):
        fsck(spoilt, clock=SystemClock(), stop=stop)
    with reading(spoilt) as connection:
        connection.set_progress_handler(lambda: True, 1)
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            list(task_checks.histories_are_paths.ask(connection))
        connection.set_progress_handler(None, 1)


def test_checking_writes_nothing(spoilt: Path) -> None:
    before = spoilt.read_bytes()

    assert faults(spoilt) == {}

    assert spoilt.read_bytes() == before
    # SQLite leaves the frame of a WAL there: who reads only may not take it away.
    wal = spoilt.with_name(spoilt.name + "-wal")
    assert not wal.exists() or wal.stat().st_size == 0
    with reading(spoilt) as connection, pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM event")


def test_no_check_takes_four_times_as_long_for_twice_as_much(tmp_path: Path) -> None:
    small, large = (steps(tmp_path / f"{count}.db", count) for count in (150, 300))

    slow = {
        name: (small[name], large[name]) for name in small if large[name] > 3 * small[name] + 50
    }
    assert slow == {}


def steps(path: Path, count: int) -> dict[str, int]:
    """How many hundreds of steps of SQLite's machine each check takes of so many executions."""
    with Workflow("chain", max_active=1000) as chain:
        first, second = Idle("first"), Idle("second")
        first >> second
    player = Player(path, [chain])
    player.register(0)
    for _ in range(count):
        player.client.run("default", "chain")
    player.settle()
    for (run_id,) in player.rows("SELECT id FROM task_execution WHERE id % 3 > 0"):
        player.report("running", run_id, 1)
        player.report("success", run_id, 1)
    player.settle()
    player.close()
    taken: dict[str, int] = {}

    def take() -> bool:
        taken[name] += 1
        return False

    with reading(path) as connection:
        connection.set_progress_handler(take, 100)
        for check in CHECKS:
            name = check.name
            taken[name] = 0
            assert list(check.ask(connection)) == []
    return taken


def test_what_is_asked_is_as_of_one_commit(made: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(made, tmp_path / "live.db"))
    count = "SELECT COUNT(*) FROM schedule_firing"
    with reading(path) as connection:
        before = connection.execute(count).fetchall()
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("INSERT INTO schedule_firing VALUES (9000, 'x', 1, NULL, 'late')")
        assert connection.execute(count).fetchall() == before
    with reading(path) as connection:
        assert connection.execute(count).fetchall() != before


def test_an_empty_file_is_no_store_and_stays_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()

    with pytest.raises(StoreError, match="is empty"):
        fsck(path, clock=SystemClock())
    assert path.stat().st_size == 0
