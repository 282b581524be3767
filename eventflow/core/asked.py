"""What a condition is handed: it reads the draft, and keeps apart what is written through it."""

from typing import Any

from eventflow.core.world import LiveExecution
from eventflow.errors import NotFoundError, StateError
from eventflow.model.context import RuleContext, S_co, StateDescriptor
from eventflow.model.jsonvalue import JsonValueError, encode, read
from eventflow.model.records import WorkflowExecution
from eventflow.model.status import TaskStatus
from eventflow.model.suggest import nearest

MAX_STATE_BYTES = 256 * 1024

# Name -> JSON text; `None` where the state was forgotten.
Writes = dict[str, str | None]


class Asked(RuleContext):
    """What one condition is handed: reads the draft, keeps its writes apart until it has answered.

    Names of private state are `<task>/<rule><place>:<name>` (S35); `shared:<name>` is one for the
    execution.
    """

    def __init__(
        self,
        record: WorkflowExecution | None,
        live: LiveExecution | None,
        kept: dict[str, str],
        written: Writes,
        owner: str,
        writes: Writes | None = None,
    ) -> None:
        self._record = record
        self._live = live
        self._kept = kept
        self._written = written
        self._owner = owner
        self.writes: Writes = {} if writes is None else writes

    @property
    def place(self) -> tuple[int | None, str]:
        """The execution, `None` of a workflow rule, and the rule."""
        return self._live.id if self._live is not None else None, self._owner

    def shadow(self) -> "Asked":
        return Asked(self._record, self._live, self._kept, self._written, self._owner)

    @property
    def workflow_execution(self) -> WorkflowExecution | None:
        return self._record

    def get_state(self, descriptor: StateDescriptor[S_co]) -> S_co:
        owner = "shared" if descriptor.shared else self._owner
        return descriptor.open(
            _Place(self._kept, self._written, self.writes, f"{owner}:{descriptor.name}")
        )

    def get_task_status(self, task_name: str) -> TaskStatus | None:
        if self._live is None:
            raise NotFoundError(
                f"a workflow rule has no execution in which task {task_name!r} could have a status"
            )
        plan = self._live.plan
        if task_name not in plan.tasks:
            raise NotFoundError(
                f"workflow {plan.name!r} has no task {task_name!r}{nearest(task_name, plan.tasks)}"
            )
        told = self._live.standing(task_name).told
        return told[1] if told is not None else None

    def within(self, place: int) -> RuleContext:
        owner = f"{self._owner}.{place}"
        return Asked(self._record, self._live, self._kept, self._written, owner, self.writes)

    def forget(self, place: int) -> None:
        inside = f"{self._owner}.{place}"
        for name in sorted({*self._kept, *self._written, *self.writes}):
            if name.endswith(":@latched") and name.startswith((f"{inside}:", f"{inside}.")):
                self.writes[name] = None


class _Place:
    """One named place of state: as this asking wrote it, else an earlier one, else as kept."""

    def __init__(self, kept: dict[str, str], written: Writes, writes: Writes, name: str) -> None:
        self._kept = kept
        self._written = written
        self._writes = writes
        self._name = name

    def read(self, default: Any) -> Any:
        for layer in (self._writes, self._written, self._kept):
            if self._name in layer:
                text = layer[self._name]
                return default if text is None else read(text)
        return default

    def write(self, value: Any) -> None:
        try:
            self._writes[self._name] = encode(value, max_bytes=MAX_STATE_BYTES)
        except JsonValueError as error:
            name = self._name.rpartition(":")[2]
            raise StateError(f"state {name!r} cannot be kept: {error}") from error

    def delete(self) -> None:
        self._writes[self._name] = None


def recall(context: RuleContext, writes: Writes) -> None:
    """Let a condition have written what a recorded verdict says that it wrote (S9)."""
    if isinstance(context, Asked):
        context.writes.clear()
        context.writes.update(writes)


def asked_of(context: RuleContext) -> tuple[int | None, str]:
    """Whose condition is asked: the execution, `None` of a workflow rule, and the rule's owner."""
    if not isinstance(context, Asked):
        raise TypeError(f"{type(context).__name__} is no context that `judge` has made")
    return context.place


def apart(context: RuleContext) -> tuple[RuleContext, Writes]:
    """A second context that reads the same, and where it keeps what is written through it."""
    if not isinstance(context, Asked):
        raise TypeError(f"{type(context).__name__} is no context that `judge` has made")
    shadow = context.shadow()
    return shadow, shadow.writes
