"""`eventflow schedule ...`: when scheduled workflows are due, and were last."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import typer
from rich.text import Text

from eventflow.cli import options
from eventflow.cli.opened import open_client, sketch
from eventflow.cli.printing import say_json
from eventflow.cli.screens import screen, table
from eventflow.core.firetimes import next_due
from eventflow.model.schedule import Cron, Schedule
from eventflow.store.ports import Store

app = typer.Typer(no_args_is_help=True)
SHOWN = 5


@app.callback()
def schedules() -> None:
    """List schedules and the times at which they are due."""


@app.command("list")
def list_schedules(store: options.Store = None, as_json: options.AsJson = False) -> None:
    """List schedules with their next due times, in the schedule's own zone."""
    with open_client(store) as remote:
        found = _schedules(remote.store)
    if as_json:
        say_json(found)
        return
    rows = [
        (
            one.workflow,
            one.namespace,
            one.schedule,
            "paused" if one.paused else "",
            local(one.last_fired, one.zone) if one.last_fired else "never",
            Text("\n".join(local(due, one.zone) for due in one.next_due)),
        )
        for one in found
    ]
    columns = ("workflow", "namespace", "schedule", "paused", "last fired", "next due")
    screen().print(table(columns, rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """One schedule of the listing; `zone` is empty for an interval."""

    workflow: str
    namespace: str
    schedule: str
    zone: str
    paused: bool
    last_fired: datetime | None
    next_due: list[datetime]


def due_after(schedule: Schedule, first: datetime) -> list[datetime]:
    """The due time `first` and the next after it, `SHOWN` in all."""
    found = [first]
    while len(found) < SHOWN:
        due = next_due(schedule, found[-1], anchor=first)
        if due is None:
            break
        found.append(due)
    return found


def zone_of(schedule: Schedule) -> str:
    """The zone in which its times are read: its own, or this machine's (empty)."""
    return schedule.tz if isinstance(schedule, Cron) else ""


def local(instant: datetime, zone: str) -> str:
    """An instant on the clocks of a zone, or of this machine where that is empty."""
    there = instant.astimezone(ZoneInfo(zone) if zone else None)
    return there.strftime("%Y-%m-%d %H:%M:%S %Z")


def _schedules(store: Store) -> list[_Listed]:
    timers = {timer.key: timer for timer in store.timers(["schedule"])}
    found = []
    for record in store.workflows():
        workflow = sketch(store, record.snapshot)
        if workflow is None or workflow.schedule is None:
            continue
        key = f"schedule:{record.namespace}/{record.name}"
        timer = timers.get(key)
        found.append(
            _Listed(
                workflow=record.name,
                namespace=record.namespace,
                schedule=str(workflow.schedule),
                zone=zone_of(workflow.schedule),
                paused=record.paused,
                last_fired=store.last_fired(key),
                next_due=due_after(workflow.schedule, timer.due_at) if timer else [],
            )
        )
    return found
