"""One attempt of one task: run the operator, and say how it went. Runs in any process or thread.

It starts nothing and kills nothing: who runs it, supervises it.
"""

import inspect
import math
import random
import threading
from typing import Any

from msgspec.structs import replace

from eventflow.errors import (
    EventflowError,
    MissingOutputError,
    ResultError,
    TaskSkipped,
    WorkerLostError,
)
from eventflow.executors.failure import cut, exit_code, failure_of, message_of, plain_failure
from eventflow.executors.port import AttemptKey, Job, Report, ReportKind
from eventflow.executors.taskcontext import AttemptContext
from eventflow.model.context import inside
from eventflow.model.jsonvalue import JsonValueError, encode
from eventflow.model.operator import Operator

MAX_RESULT_BYTES = 1024 * 1024
_MAX_NAME = 200

_CHANCE = random.SystemRandom()
_NEVER_RETRIED = (MissingOutputError, ResultError)


class Attempt:
    """One attempt: `run` it once, `ask_to_stop` it from any thread."""

    def __init__(self, job: Job, operator: Operator, context: AttemptContext) -> None:
        self.job = job
        self._operator = operator
        self._context = context
        if job.index and operator.mapped is not None:
            context.find_item_at(operator.mapped.item)
        self._lock = threading.Lock()
        self._stop_asked = False
        self._ended = False
        self._in_code = False

    @property
    def in_code(self) -> bool:
        """Whether the task's own code runs, so that an exception raised there ends it alone."""
        return self._in_code

    def run(self) -> Report:
        """Run the task's code to its end, and return how that was. Never raises."""
        if self._context.should_stop():
            return stopped(self.job.key, "stopped before it began")
        with inside(self._context):
            report = self._outcome()
            metrics = self._metrics()
        with self._lock:
            self._ended = True
            stop_asked = self._stop_asked
        if stop_asked:
            # S20: it ends STOPPED whatever its code returned.
            report = stopped(self.job.key, "stopped")
        return replace(report, metrics=metrics) if metrics else report

    def ask_to_stop(self) -> bool:
        """From now on `should_stop()` is true, and the end will be STOPPED.

        Returns:
            False when the attempt had ended before: its report stands.
        """
        with self._lock:
            if self._ended:
                return False
            self._stop_asked = True
        self._context.ask_to_stop()
        return True

    def call_stop(self) -> None:
        """Call the operator's `stop`; on a thread of its own, since it may take its time."""
        with inside(self._context):
            try:
                self._operator.stop(self._context)
            except BaseException:  # users' code; who asks for a stop waits for the end, not for it
                self._context.log.exception("stop of operator %r raised", self._operator.name)

    def _outcome(self) -> Report:
        try:
            self._check_inputs()
            self._in_code = True
            result = self._operator.start(self._context)
            if result is None:
                result = self._operator.await_termination(self._context)
            text = result_text(result)
            self._in_code = False
        except TaskSkipped as skipped:
            self._in_code = False
            return Report(key=self.job.key, kind=ReportKind.SKIPPED, reason=message_of(skipped))
        except BaseException as error:  # users' code
            self._in_code = False
            if isinstance(error, SystemExit) and error.code in (None, 0):
                return Report(key=self.job.key, kind=ReportKind.SUCCESS, result="null")
            return self._failed(error)
        return Report(key=self.job.key, kind=ReportKind.SUCCESS, result=text)

    def _check_inputs(self) -> None:
        for name in self._operator.takes:
            if name not in self.job.inputs and name not in self._operator.takes_if_any:
                raise MissingOutputError(
                    f"task {self._operator.name!r} takes the output of {name!r}, which has not "
                    f"succeeded in this execution (S38)"
                )

    def _failed(self, error: BaseException) -> Report:
        wanted = self._operator.settings.retry_on or (BaseException,)
        retryable = isinstance(error, wanted) and not isinstance(error, _NEVER_RETRIED)
        return Report(
            key=self.job.key,
            kind=ReportKind.FAILED,
            failure=failure_of(error, self.job.task_execution.attempt),
            retryable=retryable,
            chance=_CHANCE.random(),
            reason=f"exit code {exit_code(error)}" if isinstance(error, SystemExit) else "",
        )

    def _metrics(self) -> dict[str, float]:
        try:
            figures = self._operator.get_metrics(self._context)
            return {
                cut(str(name), _MAX_NAME): float(figure)
                for name, figure in figures.items()
                if math.isfinite(float(figure))
            }
        except BaseException:  # users' code; the work is done, and its end stands
            self._context.log.exception("get_metrics of %r raised", self._operator.name)
            return {}


def result_text(result: Any) -> str:
    """The JSON text of what a task returned.

    Raises:
        ResultError: If it is not strict JSON or larger than 1 MiB (S37).
    """
    if inspect.iscoroutine(result):
        result.close()
        raise ResultError(
            "the task returned a coroutine that was never awaited; make the callable of a "
            "PythonOperator 'async def', or run it with asyncio.run(...)"
        )
    try:
        return encode(result, max_bytes=MAX_RESULT_BYTES)
    except (JsonValueError, RecursionError) as error:
        raise ResultError(
            f"the result cannot be stored: {error}. Results are JSON of at most "
            f"{MAX_RESULT_BYTES} bytes; write larger or other things to a file and return its path"
        ) from error


def refused(job: Job, error: EventflowError) -> Report:
    """The report of an attempt that cannot be started; no attempt after it could."""
    return Report(
        key=job.key,
        kind=ReportKind.REFUSED,
        failure=failure_of(error, job.task_execution.attempt),
        retryable=False,
        reason="cannot be started",
    )


def refusal(key: AttemptKey, error: Exception, message: str) -> Report:
    """The report of a run that no executor holds, and that cannot be started."""
    failure = plain_failure(type(error), message, key.attempt)
    return Report(key=key, kind=ReportKind.REFUSED, failure=failure)


def lost(key: AttemptKey, message: str, *, counted: bool = True) -> Report:
    """The report of an attempt of which nobody knows how it ended (S28)."""
    return Report(
        key=key,
        kind=ReportKind.LOST,
        failure=plain_failure(WorkerLostError, message, key.attempt),
        counted=counted,
        reason=message,
    )


def stopped(key: AttemptKey, reason: str) -> Report:
    """The report of an attempt that was stopped (S20)."""
    return Report(key=key, kind=ReportKind.STOPPED, reason=reason)
