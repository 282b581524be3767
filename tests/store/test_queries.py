"""What the loop and tasks ask is answered from an index, however long the history (P12)."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from eventflow.errors import StoreError
from eventflow.store import queries, statements
from eventflow.store.compiled import bound, table
from eventflow.store.database import Reader
from eventflow.store.keeping import IS_LIVE
from eventflow.store.log import fits, meant_by
from eventflow.store.schema import prepare
from eventflow.store.selection import SHORT, Selection


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    prepare(tmp_path / "s.db", create=True)
    connection = sqlite3.connect(tmp_path / "s.db")
    connection.create_function("key_matches", 2, lambda pattern, key: True, deterministic=True)
    yield connection
    connection.close()


def plan_of(connection: sqlite3.Connection, statement: str) -> list[str]:
    """How SQLite would go about it."""
    rows = connection.execute(
        f"EXPLAIN QUERY PLAN {statement}", (1,) * statement.count("?")
    )  # ours
    return [row[3] for row in rows]


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("UNDECIDED", "event_turn"),
        ("HAS_UNDECIDED", "event_undecided"),
        ("EVENT_OF_TURN", "event_turn"),
        ("EVENT_AT", "INTEGER PRIMARY KEY"),
        ("FIND_SEEN", "PRIMARY KEY"),
        ("TASK_STATUS", "sqlite_autoindex_task_execution_1"),
        ("LATEST_SUCCESS", "sqlite_autoindex_task_execution_1"),
        ("DATA", "PRIMARY KEY"),
        ("DRAWN", "PRIMARY KEY"),
        ("EXECUTION_STATUS", "INTEGER PRIMARY KEY"),
        ("EXECUTION", "INTEGER PRIMARY KEY"),
        ("DECISIONS_AT", "INTEGER PRIMARY KEY"),
    ],
)
def test_a_question_is_a_search_in_an_index(
    connection: sqlite3.Connection, name: str, index: str
) -> None:
    plan = plan_of(connection, getattr(queries, name))

    assert plan[0].startswith("SEARCH")
    assert index in plan[0]
    assert not any("SCAN" in step or "TEMP B-TREE" in step for step in plan)


@pytest.mark.parametrize(
    "name", ["TURN_EVENT", "DELETE_ATTEMPT", "DELETE_START", "DELETE_STATE", "DELETE_TIMER"]
)
def test_a_write_finds_its_row_without_a_scan(connection: sqlite3.Connection, name: str) -> None:
    plan = plan_of(connection, getattr(statements, name))

    assert all(step.startswith("SEARCH") for step in plan)


def test_live_executions_are_found_without_looking_at_those_that_ended(
    connection: sqlite3.Connection,
) -> None:
    execution = table("workflow_execution")

    plan = plan_of(connection, bound(select(execution.c.id).where(IS_LIVE))[0])

    assert any("workflow_execution_live" in step for step in plan)


@pytest.mark.parametrize("patterns", [["orders.paid"], ["orders.*"], ["orders.paid", "shop.paid"]])
def test_events_are_found_by_their_key(connection: sqlite3.Connection, patterns: list[str]) -> None:
    event = table("event")
    statement, parameters = bound(
        select(*event.c).where(event.c.offset > 5, fits(patterns)).order_by(event.c.offset).limit(9)
    )

    plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()

    assert any("event_key" in row[3] for row in plan), plan


@pytest.mark.parametrize("patterns", [[], ["orders.*"], ["orders.**", "shop.paid"], ["*.paid"]])
def test_a_short_part_of_the_log_is_read_in_its_order(
    connection: sqlite3.Connection, patterns: list[str]
) -> None:
    event = table("event")
    part = meant_by(Selection.of({"keys": patterns, "after": 5, "until": 5 + SHORT}))
    statement, parameters = bound(select(*event.c).where(*part).order_by(event.c.offset).limit(9))

    plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()

    assert [row[3] for row in plan] == [
        "SEARCH event USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"
    ]


@pytest.mark.spoils
def test_several_questions_at_one_commit_end_with_it_also_when_one_cannot_be_answered(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    reader = Reader(tmp_path / "s.db")
    ask = ("SELECT turn FROM cursor", ())
    with pytest.raises(StoreError):
        reader.at_one_commit(ask, ("SELECT nothing FROM nowhere", ()))
    (turn,) = connection.execute("SELECT turn FROM cursor").fetchone()

    connection.execute("UPDATE cursor SET turn = turn + 1")
    connection.commit()

    assert reader.at_one_commit(ask, ask) == [[(turn + 1,)]] * 2
    reader.close()
