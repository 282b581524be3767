"""The elements of results, one by one: what the items of a mapped task are about (S43).

A list is read and parsed once for many items: these are handed over in item order.
"""

from collections import OrderedDict
from typing import Any

from eventflow.core.plan import TaskPlan
from eventflow.core.world import Run
from eventflow.errors import ItemsError, MissingOutputError
from eventflow.model.arguments import Output
from eventflow.model.jsonvalue import encode, read
from eventflow.model.mapped import Each, Given
from eventflow.store.ports import Store

_LISTS_KEPT = 8


class Elements:
    """Reads lists of which the items of mapped tasks are elements. Of one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lists: OrderedDict[tuple[int, tuple[int, ...]], list[Any]] = OrderedDict()

    def of(self, task: TaskPlan, run: Run, index: tuple[int, ...]) -> dict[str, str]:
        """What an item is about on each axis that has elements, as JSON text."""
        found: dict[str, str] = {}
        for number, axis in enumerate(task.mapped.axes if task.mapped is not None else ()):
            match axis:
                case Given(elements):
                    found[str(number)] = encode(elements[index[number]])
                case Each(output):
                    values = self.list_of(run, output, index)
                    found[str(number)] = encode(values[index[number]])
                case _:
                    continue
        return found

    def list_of(self, run: Run, output: Output, index: tuple[int, ...]) -> list[Any]:
        """The list that a result is, in the item with that index; none for a task that was skipped.

        Raises:
            ItemsError: If the result is no list, or of a map that has no such item.
            MissingOutputError: If there is no result.
        """
        run_id = (run.inputs or {}).get(output.task_name)
        at = tuple(index[axis] for axis in output.at)
        key = (run_id or 0, at)
        if key not in self._lists:
            try:
                self._lists[key] = self._read(run, output, run_id, at)
            except IndexError as error:
                raise ItemsError(
                    f"task {run.task!r} has no item of {output.task_name!r} to go with its own, in "
                    f"item {list(index)}"
                ) from error
            if len(self._lists) > _LISTS_KEPT:
                self._lists.popitem(last=False)
        self._lists.move_to_end(key)
        return self._lists[key]

    def _read(self, run: Run, output: Output, run_id: int | None, at: tuple[int, ...]) -> list[Any]:
        text = self._store.result(run_id, at) if run_id is not None else None
        if text is None and output.optional:
            return []
        if text is None:
            raise MissingOutputError(
                f"task {run.task!r} is mapped over the output of {output.task_name!r}, which is "
                f"not in the store"
            )
        value = read(text)
        if not isinstance(value, list):
            where = f" in item {list(at)}" if at else ""
            raise ItemsError(
                f"task {run.task!r} is mapped over the output of {output.task_name!r}, which "
                f"returned {type(value).__name__}{where} and not a list: {text:.100}"
            )
        return value
