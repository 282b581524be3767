"""`eventflow check`: what the workflows of a file are, without a store and without running them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer

from eventflow.cli import options
from eventflow.cli.files import load
from eventflow.cli.printing import say, say_json
from eventflow.cli.schedules import due_after, local, zone_of
from eventflow.cli.unset import unset_pools
from eventflow.clock import SystemClock
from eventflow.core.circles import circles_among, in_words
from eventflow.core.firetimes import next_due
from eventflow.core.waiting import never_start
from eventflow.model.picture import to_text
from eventflow.model.workflow import Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    """What came of one workflow."""

    workflow: Workflow
    next_due: list[datetime]
    warnings: list[str]
    hints: list[str]


def check(
    file: Annotated[str, typer.Argument(metavar="FILE[:NAME]", help="A file of workflows.")],
    as_json: options.AsJson = False,
) -> None:
    """Check the workflows of a file without running them: rules, next due times, warnings.

    Exit status: 0 when they can run as they are written, also with warnings; 2 when not.
    """
    path, chosen = load(file)
    circles = circles_among(chosen)
    checked = [_check(workflow, circles) for workflow in chosen]
    if as_json:
        say_json(
            [
                {
                    "definition": one.workflow.definition(),
                    "next_due": one.next_due,
                    "warnings": one.warnings,
                    "hints": one.hints,
                }
                for one in checked
            ]
        )
        return
    for one in checked:
        say(to_text(one.workflow))
        schedule = one.workflow.schedule
        if schedule is not None:
            shown = ", ".join(local(due, zone_of(schedule)) for due in one.next_due)
            say(f"next due: {shown}", "")
        say(*[f"warning: {warning}" for warning in one.warnings])
        say(*[f"hint: {hint}" for hint in one.hints])
    count = sum(len(one.warnings) for one in checked)
    say(f"{path}: {len(checked)} workflow(s) in order, {count} warning(s)")


def _check(workflow: Workflow, circles: list[list[Workflow]]) -> _Checked:
    workflow.validate()
    now = SystemClock().now()
    schedule = workflow.schedule
    first = next_due(schedule, now, anchor=now) if schedule is not None else None
    due = due_after(schedule, first) if schedule is not None and first is not None else []
    warnings = [
        f"task {task!r} can never start but by command: no rule, schedule or output can begin it"
        for task in never_start(workflow)
    ]
    warnings += [in_words(circle) for circle in circles if circle[0] is workflow]
    # Pools are set in a store, and this looks at none.
    hints = unset_pools([workflow])
    return _Checked(workflow=workflow, next_due=due, warnings=warnings, hints=hints)
