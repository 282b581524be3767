"""AppOperator: a task whose work is a run of an application at a remote service.

The service keeps the contract of `operators.appservice`. Nothing secret is kept: an operator knows
the names of environment variables, and the token in them is in no definition, log, event or error.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self, TypeVar

from eventflow.errors import DefinitionError, RemoteRunFailedError
from eventflow.model.arguments import Output, fill
from eventflow.model.context import TaskContext
from eventflow.model.itemname import index_text
from eventflow.model.keys import check_pattern
from eventflow.model.mapped import Mapped
from eventflow.model.operator import Operator
from eventflow.model.workflow import content_hash
from eventflow.operators.apprecorded import answer_for, read_recorded, recorded_state
from eventflow.operators.appservice import AppService, RunOrder, RunState, RunStatus
from eventflow.operators.appvalues import (
    AppConnection,
    AppPolling,
    AppRun,
    checked_options,
    option_texts,
)
from eventflow.operators.following import Following, how_it_ended
from eventflow.operators.python import plain

T = TypeVar("T")

_MAX_NAME = 128


class AppOperator(Operator):
    """Starts a run of an application at a remote service, and waits for its end.

    The task's result is the run's output. A run that fails, or is canceled at the service, is a
    failed task with the service's error text; `retries` start new runs. An attempt that is lost, or
    fails while the run goes on, is followed by one that joins the same run. A task that is stopped,
    or runs into its `timeout`, cancels its run.

    Args:
        app_id: The application's id at the service.
        input: What it gets, JSON; may hold `other.output`, and may be an AppRun, also as the JSON
            that an upstream returns. Without one a mapped task gives its item, which may be an
            AppRun too: options, name, description and instance of each run (S43).
        options: Its options; the values become text and `None` is left out. May hold outputs.
        instance_id: The instance that runs it; empty for the service's default.
        connection: Where the service is.
        recorded: An answer in place of the service, for tests: `{"output": ...}`, or what a `GET`
            of a run answers, where `metadata` with a `status_v2` of `failed` makes it fail; or the
            path of a JSON file with that. A list has one for each item of a mapped task, in their
            order. Nothing is sent.
        full_result: Whether the result is `{"id", "metadata", "output"}`.
        emit_logs: Whether the run's log is relayed into the task's.
        polling: How often to look.
        told_by_event: Key or pattern of events that tell of a run's end: their value is the run's
            id, or holds it as `run_id` or `id`. They only make it look at once; polling at the
            ceiling goes on, in case that one is lost.

    Raises:
        DefinitionError: If an argument is not well formed.
    """

    def __init__(
        self,
        name: str,
        app_id: str,
        *,
        input: Any = None,  # noqa: A002  the contract's word
        options: Mapping[str, Any] | None = None,
        instance_id: str = "",
        connection: AppConnection | None = None,
        recorded: Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | Path | None = None,
        full_result: bool = False,
        emit_logs: bool = False,
        polling: AppPolling | None = None,
        told_by_event: str | None = None,
        **config: Any,
    ) -> None:
        self.app_id = _checked_text(name, "app_id", app_id)
        self.input = input.to_json() if isinstance(input, AppRun) else input
        self.options = checked_options(f"operator {name!r}", options)
        self.instance_id = _checked_text(name, "instance_id", instance_id) if instance_id else ""
        self.connection = _checked(name, "connection", connection or AppConnection(), AppConnection)
        self.polling = _checked(name, "polling", polling or AppPolling(), AppPolling)
        self.full_result = _checked(name, "full_result", full_result, bool)
        self.emit_logs = _checked(name, "emit_logs", emit_logs, bool)
        if told_by_event is not None:
            check_pattern(told_by_event)
        self.told_by_event = told_by_event
        self.recorded = read_recorded(name, recorded)
        self._running: dict[tuple[int, int], Following] = {}
        super().__init__(name, **config)

    def map(self, items: Iterable[Any] | Output | Mapped, *, nested: bool = False) -> Self:
        """As every operator's; items that are AppRuns say what is run, each for itself (S43)."""
        if isinstance(items, list | tuple):
            items = [one.to_json() if isinstance(one, AppRun) else one for one in items]
        return super().map(items, nested=nested)

    @property
    def arguments(self) -> Any:
        return [self.input, self.options]

    def check_places(self) -> None:
        super().check_places()
        if isinstance(self.recorded, list) and self.mapped is None:
            raise DefinitionError(
                f"operator {self.name!r}: a list of recorded answers is for a mapped task; give "
                f"one answer"
            )

    def describe(self) -> dict[str, Any]:
        return {
            **super().describe(),
            "app_id": self.app_id,
            "input": plain(self.input),
            "options": plain(self.options),
            "instance_id": self.instance_id,
            "connection": asdict(self.connection),
            "polling": asdict(self.polling),
            "full_result": self.full_result,
            "emit_logs": self.emit_logs,
            "told_by_event": self.told_by_event,
            "recorded": content_hash(self.recorded) if self.recorded is not None else None,
        }

    def start(self, context: TaskContext) -> Any:
        order = self._order(context)
        if self.recorded is not None:
            return self._result(recorded_state(answer_for(self.recorded, context.task_execution)))
        following = Following(
            AppService(self.connection, self.app_id, self.polling.request_timeout),
            self.polling,
            context,
            told_by=self.told_by_event or "",
            relay=self.emit_logs,
            grace_s=self.settings.stop_grace,
        )
        self._running[_attempt_of(context)] = following
        try:
            state = _undisturbed(lambda: following.run(order), context)
        finally:
            del self._running[_attempt_of(context)]
        return self._result(state) if state is not None else None

    def stop(self, context: TaskContext) -> None:
        following = self._running.get(_attempt_of(context))
        if following is not None:
            following.stop()

    def _order(self, context: TaskContext) -> RunOrder:
        # Without an input it is the item's; of a task that is not mapped there is none.
        wanted = fill(self.input, context.value_of) if self.input is not None else context.item
        run = AppRun.of(wanted)
        options = {**fill(self.options, context.value_of), **(run.options or {})}
        execution, own = context.workflow_execution, context.task_execution
        name = f"{execution.workflow_name}.{self.name} ({own.sender})"
        item = f", item {index_text(own.index)}" if own.index else ""
        description = (
            f"Started by eventflow for task {self.name}{item}, run {own.sequence_number}, of "
            f"execution {execution.id} of workflow {execution.workflow_name}"
        )
        return RunOrder(
            input=run.input,
            options=option_texts(options),
            name=(run.name or name)[:_MAX_NAME],
            description=run.description or description,
            instance_id=run.instance_id or self.instance_id,
        )

    def _result(self, state: RunState) -> Any:
        if state.status is not RunStatus.SUCCEEDED:
            raise RemoteRunFailedError(how_it_ended(state))
        if not self.full_result:
            return state.output
        return {"id": state.id, "metadata": state.metadata, "output": state.output}


def _attempt_of(context: TaskContext) -> tuple[int, int]:
    """Names an attempt: one that was abandoned may still be here when the next one runs."""
    return context.task_execution.id, context.task_execution.attempt


def _undisturbed(work: Callable[[], T], context: TaskContext) -> T:
    """Do `work` on a thread of its own, and wait for it.

    A stop sends a SIGTERM to a child when half of its grace is over, which raises SystemExit in the
    main thread: there it could break the very request that cancels the run.
    """
    done: Future[T] = Future()

    def do() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # it is raised where it is waited for
            done.set_exception(error)

    threading.Thread(target=do, name="eventflow-app", daemon=True).start()
    while True:
        try:
            return done.result()
        except SystemExit:
            if not context.should_stop():
                raise


def _checked_text(name: str, what: str, text: Any) -> str:
    if isinstance(text, Output):
        raise DefinitionError(
            f"operator {name!r}: an output cannot be the {what}; an AppRun that another task "
            f"returns as JSON may name the instance"
        )
    if not isinstance(text, str) or not 0 < len(text) <= 200 or not text.isprintable():
        raise DefinitionError(f"operator {name!r}: {what} is text up to 200, got {text!r:.300}")
    if text in (".", ".."):
        raise DefinitionError(f"operator {name!r}: {what} {text!r} is no id but a place in a path")
    return text


def _checked(name: str, what: str, value: T, kind: type) -> T:
    if not isinstance(value, kind):
        raise DefinitionError(f"operator {name!r}: {what} is a {kind.__name__}, got {value!r}")
    return value
