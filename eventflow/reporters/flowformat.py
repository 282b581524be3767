"""A picture as the report that a platform of flows takes: steps, and nodes that have run.

It has four statuses and no more members than its platform knows, so that one which is strict takes
it; what else there is to tell is in our own format.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from eventflow.model.records import ItemCounts
from eventflow.model.status import TaskStatus, WorkflowStatus
from eventflow.reporters.items import MAX_ITEMS, MAX_LINKS
from eventflow.reporters.picture import Picture, PicturedRun, PicturedTask

_STATUS = {
    TaskStatus.INIT: "pending",
    TaskStatus.QUEUED: "pending",
    TaskStatus.RETRYING: "running",
    TaskStatus.RUNNING: "running",
    TaskStatus.STOPPING: "running",
    TaskStatus.RESTARTING: "running",
    TaskStatus.SUCCESS: "succeeded",
    TaskStatus.SKIPPED: "succeeded",
    TaskStatus.FAILED: "failed",
}


def flow_of(picture: Picture, at: datetime) -> dict[str, Any]:
    """The body of a report that was made at an instant, as JSON."""
    counted = {run.task: run for run in picture.runs if run.counts and not run.items}
    return {
        "pipeline_graph": {
            "steps": [_step(task, counted.get(task.name)) for task in picture.tasks],
            "nodes": list(_Nodes(picture).told()),
        },
        "updated_at": at.astimezone(UTC).isoformat(timespec="microseconds"),
    }


def _step(task: PicturedTask, counted: PicturedRun | None) -> dict[str, Any]:
    """A step; of a map whose items are too many, what it says for itself ends with their counts."""
    step: dict[str, Any] = {"id": task.name, "predecessors": list(task.predecessors)}
    docs = task.docs
    if counted is not None and counted.counts:
        by_status = dict(counted.counts)
        counts = ItemCounts(total=sum(by_status.values()), by_status=by_status)
        docs = f"{docs}\n\n{counts}".strip()
    return {**step, "docs": docs} if docs else step


class _Nodes:
    """One node for each run, or for each item of one that is told item by item."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._maps = {task.name for task in picture.tasks if task.is_mapped}
        self._maps |= {run.task for run in picture.runs if run.counts is not None}
        self._ids: dict[str, list[str]] = {}
        for run in picture.runs:
            ids = [self._id(run, number) for number in range(len(run.items) or 1)]
            self._ids[run.key] = ids
            self._ids.update((item.key, [node]) for item, node in zip(run.items, ids, strict=False))
        self._links = 0

    def told(self) -> Iterator[dict[str, Any]]:
        for run in self._picture.runs:
            if not run.items:
                yield self._node(
                    self._ids[run.key][0], run, run.status, self._all(run.predecessors)
                )
            for item in run.items:
                before = self._some(item.predecessors)
                yield self._node(self._ids[item.key][0], run, item.status, before)

    def _id(self, run: PicturedRun, number: int) -> str:
        # Of a map every run has room for all items that are ever told.
        room = MAX_ITEMS if run.task in self._maps else 1
        return f"{run.task}_{(run.sequence_number - 1) * room + number}"

    def _node(
        self, node: str, run: PicturedRun, status: TaskStatus, before: list[str]
    ) -> dict[str, Any]:
        return {
            "id": node,
            "parent_id": run.task,
            "predecessor_ids": before,
            "status": self._status(status),
        }

    def _all(self, keys: Iterable[str]) -> list[str]:
        return [node for key in keys for node in self._ids.get(key, ())]

    def _some(self, keys: Iterable[str]) -> list[str]:
        """The nodes that an item came from; where each came from a whole map these are left out."""
        found = self._all(keys)
        self._links += len(found)
        return found if self._links <= MAX_LINKS else []

    def _status(self, status: TaskStatus) -> str:
        if status is TaskStatus.STOPPED:
            # What a rule stopped has ended as planned (S30); the platform has no word for it.
            planned = self._picture.status in (WorkflowStatus.RUNNING, WorkflowStatus.SUCCESS)
            return "succeeded" if planned else "failed"
        return _STATUS[status]
