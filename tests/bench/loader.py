"""Fills a store with a long past, by copying rows that a real scheduler wrote.

What a scheduler did between two marks is a piece: its rows name one another by offsets, turns and
ids, all of which are counted up. A copy of the piece is the same rows with each of these moved on,
so that the store cannot tell it from one that lived through it; `eventflow fsck` says so.
"""

# ruff: noqa: S608  the names in the statements are those of our own tables

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from eventflow.store.columns import Instant
from eventflow.store.compiled import table

# One after the other: what a row names is there before it.
TABLES = (
    "event",
    "dedup",
    "workflow_execution",
    "task_execution",
    "task_history",
    "decision",
    "verdict",
    "state",
    "result",
)
_OFFSETS = ("offset", "command_offset")
_TURNS = ("turn", "trigger_turn", "of_turn")
_EXECUTIONS = ("workflow_execution_id", "parent_execution_id", "retry_of")
_RUNS = ("task_execution_id", "parent", "parent_task_execution_id", "taken_from")
# The same in what facts and reports say.
_SAID = {
    "workflow_execution_id": "execution",
    "execution_id": "execution",
    "task_execution_id": "run",
    "run_id": "run",
}
_COPIES = "WITH RECURSIVE copy(k) AS (SELECT ? UNION ALL SELECT k + 1 FROM copy WHERE k < ?)"
_AT_ONCE = 5_000


class Mark(NamedTuple):
    """How far a store has got: the last offset, turn, execution and run."""

    offset: int
    turn: int
    execution: int
    run: int


def mark(path: Path) -> Mark:
    with closing(sqlite3.connect(path)) as connection:
        return _mark(connection)


def count_rows(path: Path) -> int:
    """Rows of everything that grows with the past."""
    with closing(sqlite3.connect(path)) as connection:
        counts = (connection.execute(f"SELECT count(*) FROM {name}") for name in TABLES)
        return sum(found.fetchone()[0] for found in counts)


def multiply(path: Path, since: Mark, copies: int, *, apart_s: float = 0.05) -> None:
    """Copy all that happened after `since` so many times; nobody may hold the store.

    Args:
        apart_s: Seconds between two of the pieces; the last is as old as the first was.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -200000")
        step = Mark(*(now - then for now, then in zip(_mark(connection), since, strict=True)))
        pause = round(apart_s * 1e6)
        connection.execute("BEGIN IMMEDIATE")
        _move_back(connection, since, pause * copies)
        for name in TABLES:
            connection.execute(
                f"CREATE TEMP TABLE piece_{name} AS SELECT * FROM {name} WHERE {_within(name)}",
                since._asdict(),
            )
        # Some at a time in every table, as they would have come: pages lie as they would.
        for first in range(1, copies + 1, _AT_ONCE):
            last = min(first + _AT_ONCE - 1, copies)
            for name in TABLES:
                connection.execute(_copy(name, step, pause), (first, last))
        connection.execute(
            "UPDATE cursor SET offset = offset + ?, turn = turn + ?, execution_id = execution_id"
            " + ?, task_execution_id = task_execution_id + ?",
            [copies * moved for moved in step],
        )
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _mark(connection: sqlite3.Connection) -> Mark:
    return Mark(
        *connection.execute(
            "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0),"
            " turn, execution_id, task_execution_id FROM cursor"
        ).fetchone()
    )


def _within(name: str) -> str:
    """Which rows of a table belong to the piece."""
    of = {column.name for column in table(name).c}
    if name == "workflow_execution":
        return "id > :execution"
    if name == "task_execution":
        return "id > :run"
    if "offset" in of:
        return '"offset" > :offset'
    if "turn" in of:
        return "turn > :turn"
    if name == "result":
        return "task_execution_id > :run"
    return "workflow_execution_id > :execution"


def _move_back(connection: sqlite3.Connection, since: Mark, micros: int) -> None:
    """Let the piece have happened earlier, by so much that its copies end where it did."""
    for name in TABLES:
        instants = [
            f"{column.name} = {column.name} - {micros}"
            for column in table(name).c
            if isinstance(column.type, Instant)
        ]
        if instants:
            connection.execute(
                f"UPDATE {name} SET {', '.join(instants)} WHERE {_within(name)}", since._asdict()
            )


def _copy(name: str, step: Mark, pause: int) -> str:
    columns = [f'"{column.name}"' for column in table(name).c]
    values = ", ".join(_values(name, step, pause))
    return (
        f"{_COPIES} INSERT INTO main.{name} ({', '.join(columns)}) SELECT {values}"
        f" FROM copy CROSS JOIN piece_{name}"
    )


def _values(name: str, step: Mark, pause: int) -> Iterator[str]:
    for column in table(name).c:
        it = column.name
        if isinstance(column.type, Instant):
            yield f"{it} + k * {pause}"
        elif it == "id" and name in ("event", "dedup"):
            yield "CASE WHEN id = '' THEN '' ELSE id || '-' || k END"
        elif it == "id":
            yield f"id + k * {step.execution if name == 'workflow_execution' else step.run}"
        elif it == "value" and name == "event":
            yield _facts(step)
        elif it == "inputs":
            yield _inputs(step)
        else:
            yield _moved(it, step)


def _moved(name: str, step: Mark) -> str:
    """A column with what it names moved on; 0 and NULL name nothing."""
    for names, by in zip((_OFFSETS, _TURNS, _EXECUTIONS, _RUNS), step, strict=True):
        if name in names:
            return f'CASE WHEN "{name}" > 0 THEN "{name}" + k * {by} ELSE "{name}" END'
    return f'"{name}"'


def _facts(step: Mark) -> str:
    """The value of an event: those of the scheduler's own name executions and runs."""
    said = ", ".join(
        f"'$.{name}', value ->> '{name}' + k * {getattr(step, what)}"
        for name, what in _SAID.items()
    )
    return f"CASE WHEN key GLOB 'eventflow.*' THEN json_replace(value, {said}) ELSE value END"


def _inputs(step: Mark) -> str:
    """Task -> the run that it takes the result of."""
    moved = f"json_group_object(key, value + k * {step.run})"
    return f"CASE WHEN inputs NOTNULL THEN (SELECT {moved} FROM json_each(inputs)) END"
