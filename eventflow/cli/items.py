"""`eventflow execution items`: the items of a mapped task, one line for each (S43)."""

from typing import Annotated, Any

import typer

from eventflow.cli import options
from eventflow.cli.hints import command
from eventflow.cli.opened import find_execution, find_task, open_client
from eventflow.cli.printing import lasted, plain, say, say_json
from eventflow.cli.screens import screen, table
from eventflow.clock import SystemClock
from eventflow.model.itemname import in_brackets
from eventflow.model.records import TaskExecution
from eventflow.model.status import TaskStatus
from eventflow.runtime.items import each_item, map_of
from eventflow.store.ports import Store

COLUMNS = ("item", "status", "attempts", "began", "ended", "duration", "note")
_SHOWN = 50


def items(
    execution_id: options.ExecutionId,
    task: Annotated[str, typer.Argument(help="Name of the mapped task.")],
    status: Annotated[
        list[TaskStatus] | None,
        typer.Option(
            "--status",
            help="With this status only; several times if need be.",
            show_default=False,
            case_sensitive=False,
        ),
    ] = None,
    after: Annotated[
        int, typer.Option("--after", min=-1, help="Behind the item of this number, from 0.")
    ] = -1,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=1,
            help="At most so many. [default: 50; all with --json]",
            show_default="",
        ),
    ] = None,
    sequence: Annotated[
        int | None,
        typer.Option(
            "--sequence", min=1, help="Of this run of the task, not the newest.", show_default=False
        ),
    ] = None,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """List the items of a mapped task: status, attempts, times, and why those failed that did."""
    with open_client(store) as remote:
        execution = find_execution(remote.store, execution_id)
        find_task(remote.store, execution, task)
        run = map_of(remote.store, execution, task, sequence)
        wanted = tuple(status or ())
        if as_json:
            found = each_item(remote.store, run, wanted, after=after, limit=limit)
            say_json(_document(remote.store, run, list(found)))
            return
        limit = limit or _SHOWN
        found = each_item(remote.store, run, wanted, after=after, limit=limit + 1)
        same = "".join(f" --status {one.value}" for one in wanted)
        same += f" --sequence {sequence}" if sequence is not None else ""
        _show(
            run, list(found), limit, command(f"execution items {execution_id} {task}{same}", store)
        )


def _show(run: TaskExecution, found: list[TaskExecution], limit: int, asked: str) -> None:
    now, shown = SystemClock().now(), found[:limit]
    screen().print(
        f"{run.label} of execution {run.workflow_execution_id}: {run.items}", style="bold"
    )
    rows = [
        (
            f"{one.task_name}{in_brackets(one.index)}",
            one.status.value,
            one.attempt,
            one.begin_date,
            one.end_date,
            lasted(one.begin_date, one.end_date or now),
            one.reason,
        )
        for one in shown
    ]
    screen().print(table(COLUMNS, rows))
    if len(found) > limit and shown[-1].item is not None:
        say(f"there are more: {asked} --after {shown[-1].item}")


def _document(store: Store, run: TaskExecution, found: list[TaskExecution]) -> dict[str, Any]:
    """The run, and the items with how their attempts failed."""
    told = []
    for one in found:
        # Most have ended at their first attempt, and have nothing to be asked for.
        may_have = one.attempt > 1 or one.status not in (TaskStatus.INIT, TaskStatus.SUCCESS)
        told.append({**plain(one), "failures": plain(store.failures(one.id)) if may_have else []})
    return {"run": plain(run), "items": told}
