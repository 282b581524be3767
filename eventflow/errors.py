"""Every exception that eventflow raises on purpose, as one family tree. Imports no part of it.

One class for each thing a caller can do something different about. A message names the thing,
shows the value, says which rule it broke, and what to do when that is not plain.
"""

from collections.abc import Sequence
from typing import Any


class EventflowError(Exception):
    """Root of every exception that eventflow raises on purpose."""


class DefinitionError(EventflowError):
    """A workflow, rule or schedule is wrong as written. A retry cannot help; the source must."""


class ReservedKeyError(DefinitionError):
    """Someone tried to emit a key that belongs to the scheduler (S4)."""


class ScheduleError(DefinitionError):
    """A cron expression, interval or time zone is wrong as written (S32)."""


class LoadError(DefinitionError):
    """A file that should hold workflows is missing, does not import, or holds none."""


class FlowDefinitionError(DefinitionError):
    """A flow of steps is wrong as written; names the step, the argument and the reason."""


class FlowFailedError(EventflowError):
    """A flow has failed or was stopped; the message names every failure.

    Attributes:
        failures: Each as a StepFailure: step, item, and what it raised; in order of time.
        exceptions: The exceptions themselves, of those that were raised in this process. The first
            is the `__cause__` too.
    """

    def __init__(
        self,
        message: str,
        failures: Sequence[Any] = (),
        exceptions: Sequence[BaseException] = (),
    ) -> None:
        super().__init__(message)
        self.failures = tuple(failures)
        self.exceptions = tuple(exceptions)


class HopLimitError(EventflowError):
    """A rule was met and not followed: rules have started one another too often (S45).

    Never raised: it names the failed verdict of the rule.
    """


class EventError(EventflowError):
    """An event is refused before anything is written: bad key, value, size or field (S6)."""


class DuplicateEventError(EventError):
    """An event of this namespace, sender and id was emitted before, with another value (S3)."""


class StateError(EventflowError):
    """What a condition or task wanted to keep cannot be kept: not JSON, or too large."""


class NotFoundError(EventflowError):
    """A workflow, execution or task was named that this store does not hold."""


class ConflictError(EventflowError):
    """A command was refused because of the state its target is in."""


class TransitionError(EventflowError):
    """A status change that the table in `model.status` does not hold: always a bug of ours."""


class StoreError(EventflowError):
    """The store cannot be opened, read or written as asked."""


class CommitUnknownError(StoreError):
    """A commit failed, and whether it is one cannot be read: what was to be written may be there.

    Look whether it is, by its id, before it is done again.
    """


class StoreBusyError(StoreError):
    """Another scheduler holds this store; the message names it."""


class StoreLockedError(StoreError):
    """Another process keeps the store's file locked; nothing was written, try again."""


class StoreGoneError(StoreError):
    """The store's file was deleted, or another was put in its place, while it was open."""


class LeaseLostError(StoreError):
    """The cursor is not where this scheduler left it: another one decides now."""


class StoreRefusedError(StoreError):
    """What was to be written breaks a constraint: it never can be, whenever it is tried."""


class TaskError(EventflowError):
    """Root of what ends an attempt for a reason of its own."""


class TaskTimeoutError(TaskError):
    """An attempt ran longer than its task's `timeout` (S27)."""


class TaskSkipped(TaskError):  # noqa: N818  an end that its task wants, and no error
    """A task's code raises it where there is nothing to do: SKIPPED, and its text says why (S27).

    Not a failure: nothing is retried, and there is no result.
    """


class WorkerLostError(TaskError):
    """The process that ran an attempt is gone, or went silent (S28)."""


class MissingOutputError(TaskError):
    """A task takes the output of another that has not succeeded in this execution (S38)."""


class ItemsFailedError(TaskError):
    """Items of a mapped task have failed; the message names the first (S43)."""


class ItemsError(TaskError):
    """What a task is mapped over cannot be counted, or is too much; no item has run (S43)."""


class SubWorkflowFailedError(TaskError):
    """The workflow execution that a task runs has failed; the message names it (S40)."""


class ResultError(TaskError):
    """A task returned what cannot be stored: not JSON, or too large (S37)."""


class UplinkError(EventflowError):
    """A report is not sent: its token cannot stand in a header, or its address is refused."""


class RemoteRunFailedError(TaskError):
    """A run at a remote service has failed, or was canceled there; the text is the service's."""


class RemoteServiceError(TaskError):
    """A remote service cannot be reached, refuses, or answers what nobody can make sense of.

    Attributes:
        status: The HTTP status that it answered with; `None` without an answer.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class WaitTimeoutError(EventflowError):
    """What was waited for did not happen in time; it goes on happening."""
