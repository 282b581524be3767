"""The judge of a soak: journals on one side, what the command line tells on the other.

It knows nothing of eventflow's tables and imports none of its code. Each verdict is a sentence.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from tests.soak.journal import BESIDE, WHOLE, Acknowledged, RunLine, Sent
from tests.soak.shapes import BEAT, BEAT_S, INNER, STARTS, TASKS

Name = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that the judge is shown.

    Attributes:
        runs: (execution, task or `task.item`) -> lines in the order in which they were written.
        events: Events of users as `event list --json` tells them, in the order of the log.
        executions: As `execution list --json` tells them, by their ids.
        beats_until: Up to this second since 1970 each due time has fired; `None` for the last seen.
    """

    sent: list[Sent] = field(default_factory=list)
    acknowledged: list[Acknowledged] = field(default_factory=list)
    runs: dict[tuple[int, str], list[RunLine]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    executions: list[dict[str, Any]] = field(default_factory=list)
    beats_until: int | None = None


@dataclass(kw_only=True)
class Verdicts:
    """What is wrong, by kind; all empty when nothing is."""

    lost: list[str] = field(default_factory=list)
    ghosts: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    overlaps: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    wrong_ends: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)


def judge(seen: Evidence) -> Verdicts:
    """All verdicts on what was seen."""
    found = Verdicts()
    _judge_log(seen, found)
    _judge_starts(seen, found)
    _judge_beats(seen, found)
    _judge_causes(seen, found)
    _judge_ends(seen, found)
    for (execution, task), lines in seen.runs.items():
        _judge_attempts(f"execution {execution}, {task}", lines, found)
    return found


def _judge_log(seen: Evidence, found: Verdicts) -> None:
    """Sent and acknowledged on one side, the log on the other (S2, S3, S8)."""
    sent = {(one.sender, one.id): one for one in seen.sent}
    places: dict[Name, int] = {}
    for event in seen.events:
        name = (event["sender"], event["id"])
        told = f"event {event['key']} of {name[0]}, id {name[1]}, at offset {event['offset']}"
        if name in places:
            found.doubled.append(f"{told}: it is at offset {places[name]} too")
        places.setdefault(name, event["offset"])
        if name not in sent:
            found.ghosts.append(f"{told}: nobody sent it")
        elif (sent[name].key, sent[name].value) != (event["key"], event["value"]):
            found.ghosts.append(f"{told}: it is not what was sent: {sent[name]}")
        if not event["turn"]:
            found.stuck.append(f"{told}: it is not decided")
    for name, offsets in _acknowledged(seen).items():
        if len(offsets) > 1:
            found.doubled.append(f"id {name[1]} of {name[0]} was acknowledged at {sorted(offsets)}")
        if places.get(name) not in offsets:
            found.lost.append(
                f"id {name[1]} of {name[0]} was acknowledged at {sorted(offsets)}; in the log it "
                f"is at {places.get(name)}"
            )
    decided = [event for event in seen.events if event["turn"]]
    for one, other in pairwise(decided):
        if not (one["offset"] < other["offset"] and one["turn"] < other["turn"]):
            found.order.append(
                f"offset {other['offset']} has turn {other['turn']}, {one['offset']} before it "
                f"has {one['turn']}"
            )


def _acknowledged(seen: Evidence) -> dict[Name, set[int]]:
    offsets: dict[Name, set[int]] = defaultdict(set)
    for one in seen.acknowledged:
        offsets[one.sender, one.id].add(one.offset)
    return offsets


def _judge_starts(seen: Evidence, found: Verdicts) -> None:
    """Each event that starts a workflow has started it once, in the order of the log (S15)."""
    started: dict[str, list[int]] = {workflow: [] for workflow in STARTS}
    for execution in seen.executions:
        trigger = execution["trigger_event"]
        if trigger is not None and execution["workflow_name"] in started:
            started[execution["workflow_name"]].append(trigger["offset"])
    for workflow, offsets in started.items():
        wanted = {event["offset"] for event in seen.events if event["key"] == STARTS[workflow]}
        for offset in sorted(wanted - set(offsets)):
            found.lost.append(f"the event at offset {offset} started no execution of {workflow}")
        for offset in sorted(set(offsets) - wanted):
            found.ghosts.append(f"an execution of {workflow} names offset {offset} as its event")
        for offset in _repeated(offsets):
            found.doubled.append(f"the event at offset {offset} started {workflow} twice")
        for one, other in pairwise(offsets):
            if one > other:
                found.order.append(f"{workflow}: offset {one} was started before offset {other}")


def _judge_beats(seen: Evidence, found: Verdicts) -> None:
    """From the first due time on, each has one execution (S33)."""
    due = [
        round(datetime.fromisoformat(execution["scheduled_time"]).timestamp())
        for execution in seen.executions
        if execution["workflow_name"] == BEAT and execution["scheduled_time"]
    ]
    for instant in _repeated(due):
        found.doubled.append(f"{BEAT}: due time {instant} fired twice")
    times = set(due)
    last = max([*times, seen.beats_until or 0])
    wanted = range(min(times), last + 1, BEAT_S) if times else ()
    for instant in sorted(set(wanted) - times):
        found.lost.append(f"{BEAT}: due time {instant} never fired")
    for instant in sorted(times - set(wanted)):
        found.ghosts.append(f"{BEAT}: {instant} is no due time")


def _judge_causes(seen: Evidence, found: Verdicts) -> None:
    """Each execution has one cause, and each run one execution (S15, S33, S40)."""
    known = {execution["id"]: execution for execution in seen.executions}
    parents = []
    for number, execution in known.items():
        workflow, parent = execution["workflow_name"], execution["parent"]
        if workflow == INNER and parent is not None:
            parents.append((parent["workflow_execution_id"], parent["task_name"]))
            caused = parent["workflow_execution_id"] in known
        elif workflow == BEAT:
            caused = execution["scheduled_time"] is not None
        else:
            caused = workflow in STARTS and execution["trigger_event"] is not None
        if not caused:
            found.ghosts.append(f"execution {number} of {workflow} has no cause")
    for parent_id, task in _repeated(parents):
        found.doubled.append(f"{task} of execution {parent_id} ran {INNER} twice")
    for number, task in seen.runs:
        if number not in known:
            found.ghosts.append(f"{task} ran in execution {number}, which there is not")
        elif task not in TASKS.get(known[number]["workflow_name"], ()):
            found.ghosts.append(f"{task} ran in execution {number}, which has no such task")


def _judge_ends(seen: Evidence, found: Verdicts) -> None:
    """An execution ends, as SUCCESS, and then all of its tasks have come to their end."""
    for execution in seen.executions:
        told = f"execution {execution['id']} of {execution['workflow_name']}"
        if execution["status"] in ("INIT", "RUNNING"):
            found.stuck.append(f"{told} has not ended: {execution['status']}")
            continue
        if execution["status"] != "SUCCESS":
            found.wrong_ends.append(f"{told} is {execution['status']}: {execution['reason']}")
            continue
        for task in TASKS.get(execution["workflow_name"], ()):
            lines = seen.runs.get((execution["id"], task), [])
            if not any(line.what == "end" and line.how == WHOLE for line in lines):
                found.wrong_ends.append(f"{told} is SUCCESS, but {task} never came to its end")


def _judge_attempts(where: str, lines: list[RunLine], found: Verdicts) -> None:
    """Attempts of one task or item: one after the other, each begun once (S11, S19, S28).

    An attempt without an end line lasted until the system let go of its lock: what begins `alone`
    began after that.
    """
    ends = {
        (line.sequence_number, line.attempt, line.pid): line.at
        for line in lines
        if line.what == "end"
    }
    last, busy_until = (0, 0), 0
    for line in lines:
        if line.what != "begin":
            continue
        which = (line.sequence_number, line.attempt)
        told = f"{where}: attempt {which[1]} of run {which[0]}"
        if line.how == BESIDE or line.at < busy_until:
            found.overlaps.append(f"{told} began while another was there")
        if which == last:
            found.doubled.append(f"{told} began twice")
        elif which < last:
            found.overlaps.append(f"{told} began after attempt {last[1]} of run {last[0]}")
        last = max(last, which)
        busy_until = max(busy_until, ends.get((*which, line.pid), 0))


def _repeated(values: Iterable[Any]) -> list[Any]:
    """Those that come more than once, each once."""
    seen: set[Any] = set()
    again: dict[Any, None] = {}
    for value in values:
        if value in seen:
            again[value] = None
        seen.add(value)
    return list(again)
