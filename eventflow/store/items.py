"""The items of a mapped task as rows, and their results as one (S43)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventflow.core.opened import ItemsCreated
from eventflow.model.jsonvalue import json_text, read
from eventflow.model.shape import Counts, Shape
from eventflow.model.status import TaskStatus
from eventflow.store.rows import HistoryRow, RunRow
from eventflow.store.touched import TouchedRun


@dataclass(frozen=True, slots=True)
class KeptItems:
    """What the row of a run of a mapped task says about its items.

    Attributes:
        first: Id of item 0; the others follow it.
        levels: The counts of their Shape.
    """

    first: int
    levels: list[Counts]

    @classmethod
    def read(cls, text: str) -> "KeptItems":
        told = read(text)
        return cls(told["first"], told["levels"])

    def to_text(self) -> str:
        return json_text({"first": self.first, "levels": self.levels})

    @property
    def shape(self) -> Shape:
        return Shape(self.levels)


def items_text(change: ItemsCreated) -> str:
    """What is kept of items with their run."""
    return KeptItems(change.first, list(change.shape.levels)).to_text()


def item_rows(change: ItemsCreated, touched: Mapping[int, TouchedRun]) -> Iterator[RunRow]:
    """The rows of all items, as the batch leaves them."""
    origins = {
        item + more: origin + more for item, origin, count in change.taken for more in range(count)
    }
    for number in range(change.shape.count):
        item_id = change.first + number
        if item_id in touched:
            yield touched[item_id].row(change)
        else:
            yield _row(change, number, origins.get(number))


def item_history(change: ItemsCreated, above: int) -> Iterator[HistoryRow]:
    """Their first status; `above` is how much history the batch has already."""
    taken = {item + more for item, _, count in change.taken for more in range(count)}
    for number in range(change.shape.count):
        status = TaskStatus.SUCCESS if number in taken else TaskStatus.INIT
        reason = "taken over" if number in taken else ""
        yield HistoryRow(
            change.first + number, change.turn, above + number, status.value, change.at, 1, reason
        )


def _row(change: ItemsCreated, number: int, origin: int | None) -> RunRow:
    run = change.run
    return RunRow(
        id=change.first + number,
        workflow_execution_id=change.execution_id,
        task=run.task,
        sequence_number=run.sequence_number,
        attempt=1,
        status=(TaskStatus.INIT if origin is None else TaskStatus.SUCCESS).value,
        failures=0,
        lost=0,
        timed_out=False,
        dropped=False,
        created_at=change.at,
        attempt_began_at=None,
        began_at=None,
        ended_at=change.at if origin is not None else None,
        started_by=change.started_by,
        trigger_turn=run.trigger_turn,
        inputs=None,
        pool=change.pool,
        reason="" if origin is None else "taken over",
        taken_from=origin,
        metrics=None,
        parent=run.id,
        item=number,
        items=None,
        hops=run.hops,
    )


def assembled(
    first: int,
    shape: Shape,
    index: Sequence[int],
    results_of: Callable[[range], list[str | None]],
) -> str | None:
    """The results of the items below an index as one JSON text, nested as the axes are.

    Of a single item that has none it is `None`; in a list it stands as `null`.

    Args:
        first: Id of item 0.
        results_of: The results of runs by their ids, in order.
    """
    numbers = shape.range_of(index)
    ids = range(first + numbers.start, first + numbers.stop)
    values = results_of(ids) if ids else []
    if len(index) == shape.depth:
        return values[0] if values else None
    return _text(shape.nest(values, index))


def _text(nested: Any) -> str:
    if isinstance(nested, list):
        return f"[{','.join(map(_text, nested))}]"
    return "null" if nested is None else str(nested)
