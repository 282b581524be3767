"""Which ended executions may go: the old ones that nothing which stays refers to. Only reads.

Executions hang together: a retry has results of the one that it retries (S31), and a task shows
what it has run (S40). What hangs together goes together, or not at all.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from eventflow.errors import NotFoundError
from eventflow.model.event import Event
from eventflow.store.columns import micros_of
from eventflow.store.cut import Cut

# Stands in the place of its reason while an execution with very many runs is being deleted: what
# was begun is finished by the next one, and nobody retries it meanwhile.
BEING_PRUNED = "is being pruned"
RETRY = "eventflow.command.retry"

_MAY_GO = (
    f"(ended_at IS NOT NULL AND (reason = '{BEING_PRUNED}'"
    " OR (ended_at < :before AND (:space IS NULL OR namespace = :space))))"
)
_LINKED = (
    f"SELECT id, retry_of, parent_execution_id, {_MAY_GO} FROM workflow_execution"  # noqa: S608
    " WHERE retry_of IS NOT NULL OR parent_execution_id > 0"
    " OR id IN (SELECT retry_of FROM workflow_execution WHERE retry_of IS NOT NULL)"
    " OR id IN (SELECT parent_execution_id FROM workflow_execution WHERE parent_execution_id > 0)"
)
_OLD = f"SELECT id FROM workflow_execution WHERE {_MAY_GO} ORDER BY id"  # noqa: S608
# A command that is not decided yet may be about one of them; so may a fact.
_NAMED = (
    "SELECT workflow_execution_id FROM event WHERE turn IS NULL"
    " AND workflow_execution_id IS NOT NULL"
)
_ASKED_AGAIN = f"SELECT value ->> 'retry_of' FROM event WHERE turn IS NULL AND key = '{RETRY}'"  # noqa: S608

_REASON = "SELECT reason FROM workflow_execution WHERE id = ?"

Family = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Doomed:
    """What may go, as of one commit.

    Attributes:
        families: Ids of executions that go together, the oldest first.
        newest_offset: The highest offset there was: what came later was not looked at.
        newest_execution: The same, of ids of executions.
    """

    families: list[Family]
    newest_offset: int
    newest_execution: int

    @property
    def ids(self) -> frozenset[int]:
        return frozenset(one for family in self.families for one in family)


def doomed_in(connection: Connection, cut: Cut) -> Doomed:
    """Read in one transaction what may go."""
    which = {"before": micros_of(cut.before), "space": cut.namespace}

    def rows(statement: str) -> Iterator[Any]:
        return iter(connection.exec_driver_sql(statement, which if ":" in statement else ()))

    (newest_offset,) = next(rows("SELECT COALESCE(MAX(offset), 0) FROM event"))
    (newest_execution,) = next(rows("SELECT execution_id FROM cursor"))
    linked = list(rows(_LINKED))
    named = {one for (one,) in (*rows(_NAMED), *rows(_ASKED_AGAIN))}
    in_families = {row[0] for row in linked}
    singles = [(one,) for (one,) in rows(_OLD) if one not in in_families and one not in named]
    families = [
        tuple(ids)
        for ids in _families(linked)
        if named.isdisjoint(ids) and all(may_go for *_, may_go in ids.values())
    ]
    return Doomed(
        families=sorted([*singles, *families]),
        newest_offset=newest_offset,
        newest_execution=newest_execution,
    )


def _families(linked: Iterable[Any]) -> Iterator[dict[int, Any]]:
    """The rows by id, those that hang together in one dict, ordered by id."""
    rows = {row[0]: row for row in linked}
    beside: dict[int, set[int]] = defaultdict(set)
    for number, retry_of, parent, _ in rows.values():
        # What was pruned before is not there any more, and keeps nothing.
        for other in {retry_of, parent} & rows.keys():
            beside[number].add(other)
            beside[other].add(number)
    left = set(rows)
    while left:
        family = set()
        waiting = [left.pop()]
        while waiting:
            one = waiting.pop()
            family.add(one)
            new = beside[one] & left
            left -= new
            waiting.extend(new)
        yield {number: rows[number] for number in sorted(family)}


def check_retried(connection: sqlite3.Connection, events: Iterable[Event]) -> None:
    """That what is to be retried is still there: it may have been pruned since it was looked at.

    Raises:
        NotFoundError: If it is not.
    """
    for event in events:
        if event.key != RETRY:
            continue
        old = event.value["retry_of"]
        row = connection.execute(_REASON, (old,)).fetchone()
        if row is None or row[0] == BEING_PRUNED:
            raise NotFoundError(f"workflow execution {old} was pruned; it cannot be retried")
