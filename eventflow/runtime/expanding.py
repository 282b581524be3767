"""Runs of mapped tasks: what they are mapped over is counted, and becomes a command (S43).

Results are read here and never by the core: the command holds all that deciding needs, the counts.
"""

from collections.abc import Callable

from eventflow.core.plan import TaskPlan
from eventflow.core.world import Run
from eventflow.crashpoints import reach
from eventflow.errors import ItemsError, MissingOutputError
from eventflow.executors.attempt import refusal
from eventflow.executors.port import Report
from eventflow.model.arguments import Output
from eventflow.model.mapped import Along, Axis, Each, Given, Mapped
from eventflow.model.shape import Counts, Shape, even
from eventflow.runtime.client import Client
from eventflow.runtime.dispatch import Order
from eventflow.runtime.elements import Elements
from eventflow.runtime.taken import taken_items
from eventflow.store.ports import Store


class Expander:
    """Counts the items of a START order, and asks for them.

    Args:
        report: Takes the refusal of a run whose items cannot be counted, or are too many.
    """

    def __init__(self, client: Client, report: Callable[[Report], None]) -> None:
        self._client = client
        self._report = report

    def __call__(self, order: Order) -> None:
        run, record, plan = order.run, order.record, order.plan
        if run is None or record is None or plan is None:
            raise ValueError(f"order {order.key} has no run to count the items of")
        task, store = plan.tasks[run.task], self._client.store
        try:
            shape = _Counting(store, task, run).shape()
        except (ItemsError, MissingOutputError) as error:
            self._report(refusal(order.key, error, str(error)))
        else:
            reach("expand.counted")
            self._client.expand(run, record, shape, taken_items(store, record, run, shape))


class _Counting:
    """Counts the items of one run, axis by axis."""

    def __init__(self, store: Store, task: TaskPlan, run: Run) -> None:
        self._store = store
        self._task = task
        self._run = run
        self._elements = Elements(store)
        self._shapes: dict[str, Shape] = {}

    def shape(self) -> Shape:
        """How many items there are.

        Raises:
            ItemsError: If a result is no list, maps do not agree, or there are too many items.
            MissingOutputError: If a result is not there.
        """
        levels: list[Counts] = []
        for number, axis in enumerate(self._task.mapped.axes if self._task.mapped else ()):
            levels.append(self._level(axis, Shape(levels) if number else None))
            self._check_count(Shape(levels).count)
        return Shape(levels)

    def _level(self, axis: Axis, above: Shape | None) -> Counts:
        if isinstance(axis, Given):
            return len(axis.elements)
        if above is None or not any(output.at for output in Mapped((axis,)).outputs):
            return self._count(axis, ())
        return even([self._count(axis, above.index_of(item)) for item in range(above.count)])

    def _count(self, axis: Axis, index: tuple[int, ...]) -> int:
        match axis:
            case Each(output):
                return len(self._elements.list_of(self._run, output, index))
            case Along(outputs):
                counts = {output: self._count_along(output, index) for output in outputs}
                if len(set(counts.values())) > 1:
                    told = ", ".join(
                        f"{output.task_name!r} has {count}" for output, count in counts.items()
                    )
                    raise ItemsError(
                        f"task {self._task.name!r} takes items of several tasks side by side, and "
                        f"they do not have as many: {told}{_where(index)}"
                    )
                return counts[outputs[0]]
            case _:
                raise TypeError(f"no count of {axis!r}")

    def _count_along(self, output: Output, index: tuple[int, ...]) -> int:
        run_id = (self._run.inputs or {}).get(output.task_name)
        if run_id is None:
            return 0
        try:
            return self._shape_of(output.task_name, run_id).count_at(
                tuple(index[axis] for axis in output.at)
            )
        except IndexError as error:
            raise ItemsError(
                f"task {self._task.name!r} has no item of {output.task_name!r} to go with its own"
                f"{_where(index)}"
            ) from error

    def _shape_of(self, task_name: str, run_id: int) -> Shape:
        if task_name not in self._shapes:
            shape = self._store.shape(run_id)
            if shape is None:
                raise MissingOutputError(f"the items of {task_name!r} are not in the store")
            self._shapes[task_name] = shape
        return self._shapes[task_name]

    def _check_count(self, count: int) -> None:
        limit = self._task.settings.max_items
        if count > limit:
            over = ", ".join(repr(name) for name in self._task.takes) or "what it was given"
            raise ItemsError(
                f"task {self._task.name!r} would have {count} items or more, mapped over {over}; "
                f"its max_items is {limit}. Raise it, or let the items be larger and fewer"
            )


def _where(index: tuple[int, ...]) -> str:
    return f", in item {list(index)}" if index else ""
