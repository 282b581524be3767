"""Conditions that failed: which they are, what came of asking again, and which may be (S13)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eventflow.core.again import REJUDGE, carried
from eventflow.errors import ConflictError, NotFoundError
from eventflow.model.event import Event
from eventflow.model.records import VerdictRecord
from eventflow.store.ports import Store

# One answer of a condition is looked for among so many that failed.
_LOOKED_THROUGH = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedVerdict:
    """A condition that failed on an event.

    Attributes:
        event: The one on which it failed; also where it was asked again by command.
        verdict: What it said, with the traceback.
        later: What it said when it was asked again, oldest first.
    """

    event: Event
    verdict: VerdictRecord
    later: tuple[VerdictRecord, ...] = ()

    @property
    def open(self) -> bool:
        """Whether nobody has asked again since."""
        return not self.later


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Which failed verdicts are meant; what is `None` does not narrow.

    Attributes:
        offset: Of the event on which they failed.
        workflow: Namespace and name.
        since: They failed on events that the log took from this instant on; aware.
    """

    offset: int | None = None
    workflow: tuple[str, str] | None = None
    since: datetime | None = None
    execution_id: int | None = None
    task: str | None = None
    rule: int | None = None

    def has(self, verdict: VerdictRecord) -> bool:
        """Whether a verdict is meant, by all but its event."""
        return (
            self.workflow in (None, (verdict.namespace, verdict.workflow))
            and self.execution_id in (None, verdict.workflow_execution_id)
            and self.task in (None, verdict.task)
            and self.rule in (None, verdict.rule)
        )


def failed_verdicts(
    store: Store, which: Which, *, unanswered: bool = False, limit: int = 1000
) -> list[FailedVerdict]:
    """The newest verdicts that failed, in turn order.

    Args:
        unanswered: Only where the condition was not asked again since.

    Raises:
        NotFoundError: If an offset is given at which no event is.
    """
    turns: list[int | None] = [None]
    if which.offset is not None:
        event = event_at(store, which.offset)
        turns = [*_turns_of(store, event)] if event.turn else []
    found = [
        verdict
        for turn in turns
        for verdict in store.verdicts(
            which.execution_id,
            workflow=which.workflow,
            turn=turn,
            failed=True,
            unanswered=unanswered,
            limit=_LOOKED_THROUGH if which.since or which.task or turn else limit,
        )
        if which.has(verdict)
    ]
    told = [_told(store, verdict) for verdict in found]
    if which.since is not None:
        told = [one for one in told if one.event.logged_at and one.event.logged_at >= which.since]
    return told[-limit:]


def commands_for(
    store: Store, which: Which, *, limit: int = 1000
) -> tuple[list[tuple[str, dict[str, Any]]], list[str]]:
    """The commands that ask again what failed and is open: one for each event and execution.

    Returns:
        Id and value of each, and why some that failed cannot be asked again.

    Raises:
        NotFoundError: If there is no such event.
        ConflictError: If nothing is there to be asked again; says why.
    """
    groups: dict[tuple[object, ...], list[FailedVerdict]] = {}
    for failed in failed_verdicts(store, which, unanswered=True, limit=limit):
        verdict = failed.verdict
        owner = (verdict.workflow_execution_id, verdict.namespace, verdict.workflow)
        groups.setdefault((failed.event.turn, *owner), []).append(failed)
    if not groups:
        raise ConflictError(_nothing(store, which))
    commands, left_out = [], []
    for group in groups.values():
        why = _ended(store, group[0].verdict)
        if why:
            left_out.append(why)
        else:
            commands.append(_command(store, group))
    if not commands:
        raise ConflictError("; ".join(dict.fromkeys(left_out)))
    return commands, left_out


def event_at(store: Store, offset: int) -> Event:
    """The event of the log at an offset, the scheduler's own too.

    Raises:
        NotFoundError: If there is none.
    """
    found = store.read(after=max(offset - 1, 0), until=offset, keys=["**", "eventflow.**"])
    if not found:
        raise NotFoundError(f"no event has offset {offset} in {store.url}")
    return found[0]


def later_verdicts(store: Store, verdict: VerdictRecord) -> list[VerdictRecord]:
    """What the same rule said about the same event when it was asked again, oldest first."""
    return [
        later
        for later in store.verdicts(of_turn=verdict.of_turn or verdict.turn)
        if later.turn > verdict.turn and _place(later) == _place(verdict)
    ]


def in_short(later: VerdictRecord) -> str:
    """What asking again came to: `met`, `not met` or `failed again`."""
    if later.error:
        return "failed again"
    return "met" if later.met else "not met"


def asked_again(later: Iterable[VerdictRecord]) -> str:
    """All that came of asking again, in words; empty where nobody has."""
    said = [f"asked again (offset {one.event_offset}): {in_short(one)}" for one in later]
    return "; ".join(said)


def _told(store: Store, verdict: VerdictRecord) -> FailedVerdict:
    event = store.event_of_turn(verdict.of_turn or verdict.turn)
    if event is None:
        raise NotFoundError(f"the event of turn {verdict.turn} is not in {store.url}")
    return FailedVerdict(event=event, verdict=verdict, later=tuple(later_verdicts(store, verdict)))


def _turns_of(store: Store, event: Event) -> list[int]:
    """The turns in which conditions were asked about an event; of a command, about its event."""
    turn = event.value["event"]["turn"] if event.key == REJUDGE else event.turn
    return [turn, *dict.fromkeys(one.turn for one in store.verdicts(of_turn=turn))]


def _place(verdict: VerdictRecord) -> tuple[object, ...]:
    return (
        verdict.workflow_execution_id,
        verdict.namespace,
        verdict.workflow,
        verdict.task,
        verdict.rule,
    )


def _nothing(store: Store, which: Which) -> str:
    """Why there is nothing to ask again."""
    answered = failed_verdicts(store, which, limit=1)
    where = f" on the event at offset {which.offset}" if which.offset is not None else ""
    if not answered:
        if which.offset is not None and not event_at(store, which.offset).turn:
            return f"the event at offset {which.offset} is not decided yet; nothing was asked"
        return f"no such condition has failed{where}; 'eventflow event failed' lists those that did"
    return f"what failed{where} was {asked_again(answered[0].later)}"


def _ended(store: Store, verdict: VerdictRecord) -> str:
    """Why nothing can be asked again in an execution; empty when it can."""
    if verdict.workflow_execution_id is None:
        return ""
    status = store.execution_status(verdict.workflow_execution_id)
    if status is None or not status.ended:
        return ""
    return (
        f"execution {verdict.workflow_execution_id} of {verdict.workflow} has ended "
        f"{status.value}: no rule of it acts any more"
    )


def _command(store: Store, group: list[FailedVerdict]) -> tuple[str, dict[str, Any]]:
    """One command for the rules of one owner that failed on one event.

    Its id counts the earlier ones that are decided, so that two who ask at the same time ask once.
    """
    event, verdict = group[0].event, group[0].verdict
    owner = (verdict.workflow_execution_id, verdict.namespace, verdict.workflow)
    earlier = [
        command
        for command in store.read(
            keys=[REJUDGE], after=event.offset, limit=_LOOKED_THROUGH, newest=True
        )
        if command.turn
        and command.value["event"]["turn"] == event.turn
        and _owner(command.value) == owner
    ]
    value = {
        "workflow_execution_id": verdict.workflow_execution_id,
        "namespace": verdict.namespace,
        "workflow": verdict.workflow,
        "rules": sorted([one.verdict.task, one.verdict.rule] for one in group),
        "started": _started(store, event, earlier, owner),
        "event": carried(event),
    }
    # A workflow's name is up to 128 characters and an id up to 256.
    return f"again/{event.turn}/{owner[0] or owner[2]}/{len(earlier)}", value


def _owner(value: dict[str, Any]) -> tuple[object, ...]:
    return (value["workflow_execution_id"], value["namespace"], value["workflow"])


def _started(
    store: Store, event: Event, earlier: list[Event], owner: tuple[object, ...]
) -> int | None:
    """The execution that the event has started by a rule of the workflow itself (S15)."""
    if owner[0] is not None:
        return None
    return next(
        (
            decision.workflow_execution_id
            for asked in (event, *earlier)
            for decision in store.decisions(command_offset=asked.offset)
            if (decision.workflow, decision.action) == (owner[2], "trigger")
            and decision.did == "started"
        ),
        None,
    )
