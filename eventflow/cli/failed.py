"""`eventflow event failed` and `rejudge`: conditions that failed, and asking them again."""

import contextlib
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

import typer

from eventflow.cli import options
from eventflow.cli.hints import command, on_store
from eventflow.cli.opened import NO_SCHEDULER, check_workflow, open_client
from eventflow.cli.printing import clean, plain, say, say_json, when
from eventflow.errors import ConflictError, EventflowError
from eventflow.model.event import Event
from eventflow.runtime.client import Client
from eventflow.runtime.failing import (
    FailedVerdict,
    Which,
    asked_again,
    event_at,
    failed_verdicts,
    in_short,
)
from eventflow.store.ports import Store

DONE, FAILED, WRONG = 0, 1, 2
OfWorkflow = Annotated[
    str | None, typer.Option("--workflow", help="Of this workflow only.", show_default=False)
]


def failed(
    still_open: Annotated[
        bool, typer.Option("--open", help="Only those that nobody has asked again since.")
    ] = False,
    workflow: OfWorkflow = None,
    namespace: options.Namespace = "default",
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """List events on which a user's condition failed, with its traceback; the newest last.

    Also those whose rule was met and not followed, because rules go round in a circle (max_hops).
    """
    which = Which(workflow=(namespace, workflow) if workflow is not None else None)
    with open_client(store) as remote:
        check_workflow(remote.store, workflow, namespace)
        found = failed_verdicts(remote.store, which, unanswered=still_open, limit=limit)
    if as_json:
        say_json([_document(one) for one in found])
        return
    for one in found:
        verdict = one.verdict
        again = " again" if verdict.of_turn else ""
        how = "was not followed" if verdict.met else f"failed{again}"
        place = _place(verdict.task, verdict.rule, verdict.workflow_execution_id)
        say(
            f"{one.event.offset}  {when(verdict.at)}  {one.event.key}  {how} in {place} "
            f"of {verdict.workflow}"
        )
        say(*(f"    {clean(line)}" for line in verdict.error.rstrip().splitlines()))
        say(f"    {asked_again(one.later[:1])}" if one.later else "    open", "")
    if not found:
        say("no failed condition is open" if still_open else "no condition has failed")
    elif any(one.open for one in found):
        again = command("event rejudge OFFSET", store)
        say(f"once the cause is mended, ask again: {again}")


def rejudge(
    offset: Annotated[
        int | None,
        typer.Argument(help="Offset of the event, as 'event failed' lists it.", min=1),
    ] = None,
    workflow: OfWorkflow = None,
    namespace: options.Namespace = "default",
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            help="On events from this time (ISO 8601) or offset on.",
            show_default=False,
            metavar="AT",
        ),
    ] = None,
    execution: Annotated[
        int | None,
        typer.Option("--execution", help="Only rules of this execution's tasks."),
    ] = None,
    task: Annotated[str | None, typer.Option("--task", help="Only rules of this task.")] = None,
    rule: Annotated[int | None, typer.Option("--rule", min=0, help="Only this rule.")] = None,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Ask the conditions again that failed: on the event at OFFSET, or all of --workflow.

    Mend the cause first. The conditions see the event of then and the state of now; a rule that is
    met acts as usual. Workflow rules are those of the newest snapshot; a running execution keeps
    its own, so that there only a cause outside of its code can be mended.

    Exit status: 0 when all have answered, 1 when one failed again, 2 when one was refused.
    """
    if offset is None and workflow is None:
        raise EventflowError(
            "say which: the OFFSET of an event, or --workflow NAME for all that failed in it"
        )
    which = Which(
        offset=offset,
        workflow=(namespace, workflow) if workflow is not None else None,
        execution_id=execution,
        task=task,
        rule=rule,
    )
    with open_client(store) as remote:
        check_workflow(remote.store, workflow, namespace)
        commands = remote.client.rejudge(replace(which, since=_instant(remote.store, since)))
        if remote.store.holder() is None:
            waits = on_store(NO_SCHEDULER, store)
            did = {"did": waits, "offsets": [asked.offset for asked in commands]}
            say_json(did) if as_json else say(f"asked again: {waits}")
            return
        documents = [document for asked in commands for document in _came_to(remote.client, asked)]
    say_json(documents) if as_json else say(*map(_line, documents))
    raise typer.Exit(_status([document["did"] for document in documents]))


def _status(dids: list[str]) -> int:
    """The exit status for what rules came to."""
    if any(did.startswith("refused: ") for did in dids):
        return WRONG
    return FAILED if "failed again" in dids else DONE


def _came_to(client: Client, asked: Event) -> list[dict[str, Any]]:
    """What each rule came to, a refusal too: others were asked beside it."""
    with contextlib.suppress(ConflictError):
        client.outcome(asked)
    event = {"event_offset": asked.value["event"]["offset"]}
    event["event_key"] = asked.value["event"]["key"]
    return [
        {**plain(record), **event, "asked_at_offset": asked.offset}
        for record in client.store.decisions(command_offset=asked.offset)
    ]


def _line(document: dict[str, Any]) -> str:
    place = _place(document["task"], document["rule"], document["workflow_execution_id"])
    event = f"event {document['event_key']} (offset {document['event_offset']})"
    return f"{event}, {place} of {document['workflow']}: {clean(document['did'])}"


def _place(task: str, rule: int | None, execution_id: int | None) -> str:
    place = f"rule {rule} of task {task}" if task else "a workflow rule"
    return f"{place} in execution {execution_id}" if task and execution_id is not None else place


def _document(failed: FailedVerdict) -> dict[str, Any]:
    """A failed verdict as JSON: named by its event, also where a command asked again."""
    again = [
        {"offset": later.event_offset, "did": in_short(later), "at": plain(later.at)}
        for later in failed.later
    ]
    named = {"event_key": failed.event.key, "event_offset": failed.event.offset}
    return {**plain(failed.verdict), **named, "open": failed.open, "again": again}


def _instant(store: Store, since: str | None) -> datetime | None:
    moment = options.read_moment("--since", since)
    return event_at(store, moment).logged_at if isinstance(moment, int) else moment
