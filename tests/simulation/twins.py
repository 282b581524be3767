"""One history on two stores at once: what the file answers is held against the memory store."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, NamedTuple

from eventflow.core.portrait import portrait
from eventflow.errors import EventflowError
from eventflow.model.jsonvalue import read
from eventflow.model.records import TaskExecution, WorkflowExecution
from eventflow.store.cut import Cut, Manner, Pruned
from eventflow.store.memory import MemoryStore
from eventflow.store.ports import Loaded
from eventflow.store.recording import KEYS, TABLES, Recording
from eventflow.store.sqlite import SqliteStore
from tests.simulation.gone import Gone, Letting
from tests.simulation.statements import Statements

# The order of deciding, where a table has one.
_ORDERS = {
    "event": "WHERE turn IS NOT NULL ORDER BY turn",
    "undecided": "WHERE turn IS NULL ORDER BY offset",
    "decision": "ORDER BY turn, number",
    "verdict": "ORDER BY turn, number",
    "task_history": "ORDER BY turn, number",
    "schedule_firing": "ORDER BY id",
}
# What only a file has, or says of itself.
_OF_A_FILE = frozenset({"url", "files", "log_path", "holder"})


class _Said(NamedTuple):
    """The answer to one question, or its error."""

    answer: Any = None
    error: EventflowError | None = None


class Twins:
    """A store that is two; the answers are the file's.

    Attributes:
        gone: What retention has taken: the memory store keeps some of it.
    """

    def __init__(
        self,
        file: SqliteStore,
        memory: MemoryStore,
        statements: Statements,
        gone: Gone,
        wrong: Callable[[str], None],
    ) -> None:
        self.file = file
        self._memory = memory
        self._statements = statements
        self._wrong = wrong
        self.gone = gone

    def __getattr__(self, name: str) -> Any:
        of_file = getattr(self.file, name)
        if name in _OF_A_FILE or not callable(of_file):
            return of_file
        of_memory = getattr(self._memory, name)

        def ask(*arguments: Any, **named: Any) -> Any:
            said = _said(of_file, arguments, named)
            if not self._statements.struck or said.error is None:
                other = _said(of_memory, arguments, named)
                self._hold_against(name, arguments, said, other)
            if said.error is not None:
                raise said.error
            return said.answer

        return ask

    def recording(self) -> AbstractContextManager[Recording]:
        return self.file.recording()

    def prune(self, cut: Cut, manner: Manner | None = None) -> Pruned:
        """Only the file's; `let_go` does the same to the other."""
        return self.file.prune(cut, manner)

    def let_go(self, cut: Cut) -> None:
        """Take out of the memory store what retention has taken out of the file."""
        Letting(self.file, self._memory._shelves, self.gone, self._wrong).let_go(cut)

    def close(self) -> None:
        self.file.close()

    def compare(self) -> None:
        with self._memory.recording() as recording:
            for name in (*TABLES, "undecided"):
                self._compare(name, recording)

    def _compare(self, name: str, recording: Recording) -> None:
        of_memory = [
            tuple(row.values())
            for row in recording.table(name)
            if name not in ("event", "undecided") or row["offset"] not in self.gone.offsets
        ]
        of_file = self._rows(name)
        if name in KEYS:
            of_file.sort(key=repr)
            of_memory.sort(key=repr)
        if of_file != of_memory:
            more = [row for row in of_file if row not in of_memory]
            less = [row for row in of_memory if row not in of_file]
            told = f"{more[:2]}, in memory {less[:2]}" if more or less else "another order"
            self._wrong(f"the file has in {name}: {told}")

    def _rows(self, name: str) -> list[tuple[Any, ...]]:
        """The rows of a table of the file, as a recording has them."""
        is_event = name in ("event", "undecided")
        columns = TABLES["event" if is_event else name]
        listed = ", ".join(f'"{column}"' for column in columns)
        order = _ORDERS.get(name, "")
        found = self.file._reader.rows(
            f"SELECT {listed} FROM {'event' if is_event else name} {order}"  # noqa: S608  our own
        )
        if not is_event:
            return [tuple(row) for row in found]
        turn, value, attributes = map(columns.index, ("turn", "value", "attributes"))
        told = []
        for row in map(list, found):
            row[value], row[attributes] = read(row[value]), read(row[attributes] or "{}")
            row[turn] = row[turn] or 0
            told.append(tuple(row))
        return told

    def _hold_against(self, name: str, asked: Any, said: _Said, other: _Said) -> None:
        mine, memorys = self._plain(name, said), self._plain(name, other)
        if mine != memorys:
            told = [one for one in asked if not callable(one)]
            self._wrong(
                f"{name}{str(told)[:200]}: the file says {_short(mine, memorys)}, "
                f"the memory store {_short(memorys, mine)}"
            )

    def _plain(self, name: str, said: _Said) -> Any:
        if said.error is not None:
            return type(said.error).__name__
        answer = said.answer
        if isinstance(answer, Loaded):
            world = portrait(answer.world)
            return world | {"": repr((answer.commands, answer.parked, answer.facts_to))}
        if isinstance(answer, list):
            answer = [_without_path(one) for one in answer]
        answer = _without_path(answer)
        gone = self.gone.offsets
        if not gone:
            return answer
        match name:
            case "append":
                return [event.offset if event.offset in gone else event for event in answer]
            case "read":
                return [event for event in answer if event.offset not in gone]
            case "event_of_turn":
                return None if answer is None or answer.offset in gone else answer
        return answer


def _without_path(answer: Any) -> Any:
    """Only a file has output of tasks beside it."""
    match answer:
        case TaskExecution():
            return replace(answer, log_path="")
        case WorkflowExecution():
            tasks = tuple(replace(one, log_path="") for one in answer.tasks)
            return replace(answer, tasks=tasks)
    return answer


def _said(ask: Callable[..., Any], arguments: Any, named: Any) -> _Said:
    try:
        return _Said(ask(*arguments, **named))
    except EventflowError as error:
        return _Said(error=error)


def _short(one: Any, other: Any) -> str:
    """What of an answer differs from the other."""
    if isinstance(one, dict) and isinstance(other, dict):
        one = {name: value for name, value in one.items() if other.get(name) != value}
    if isinstance(one, list) and isinstance(other, list):
        one = [member for member in one if member not in other] or one
    return str(one)[:300]
