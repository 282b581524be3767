"""`eventflow execution start` and `retry`: ask for an execution, and follow it to its end."""

from typing import Annotated

import typer

from eventflow.cli import options
from eventflow.cli.follow import Follower, Killed, show_end, view_for
from eventflow.cli.hints import command as to_copy
from eventflow.cli.hints import on_store
from eventflow.cli.interrupts import Interrupts
from eventflow.cli.opened import NO_SCHEDULER, find_execution, find_workflow, open_client
from eventflow.cli.printing import note, say, say_json
from eventflow.cli.watch import Watch
from eventflow.clock import SystemClock
from eventflow.errors import ConflictError
from eventflow.model.records import WorkflowExecution
from eventflow.runtime.handle import ExecutionHandle
from eventflow.runtime.remote import RemoteClient
from eventflow.store.ports import Store

FAILED, KILLED = 1, 130


def start(
    name: Annotated[str, typer.Argument(help="Name of a registered workflow.")],
    param: options.Params = None,
    namespace: options.Namespace = "default",
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end.")] = False,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Start an execution of a registered workflow.

    Exit status with --wait: 0 when it ended SUCCESS, 1 when not. Ctrl-C then stops the execution.
    """
    params = options.read_params(param)
    with open_client(store) as remote:
        find_workflow(remote.store, name, namespace)
        command = remote.client.run(namespace, name, params)
        handle = ExecutionHandle(remote.client, command=command)
        served = remote.store.holder() is not None
        if not served and not wait:
            _say_started(name, None, command.offset, store, as_json=as_json)
            return
        if not served:
            note(f"execution of {name}: {on_store(NO_SCHEDULER, store)}")
            remote.client.outcome(command, None)
        if wait:
            raise typer.Exit(_follow(remote, handle.id, command.offset, store, as_json=as_json))
        _say_started(name, handle.id, command.offset, store, as_json=as_json)


def retry(
    execution_id: options.ExecutionId,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end.")] = False,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Run again what failed, or was stopped from outside, in an execution that has ended.

    A new execution, of the same definition, code and params: what succeeded is taken over with its
    result. Exit status with --wait: 0 when it ended SUCCESS, 1 when not.
    """
    with open_client(store) as remote:
        old = find_execution(remote.store, execution_id)
        served = remote.store.holder() is not None
        if not served:
            _check_code(remote.store, old)
        command = remote.client.retry(execution_id)
        if not as_json:
            _say_beside(remote.store, old, store)
        if not served and not wait:
            _say_started(
                old.workflow_name, None, command.offset, store, as_json=as_json, retry_of=old.id
            )
            return
        if not served:
            note(f"retry of execution {old.id}: {on_store(NO_SCHEDULER, store)}")
            remote.client.outcome(command, None)
        new = ExecutionHandle(remote.client, command=command).id
        if wait:
            raise typer.Exit(_follow(remote, new, command.offset, store, as_json=as_json))
        _say_started(
            old.workflow_name, new, command.offset, store, as_json=as_json, retry_of=old.id
        )


def _check_code(store: Store, old: WorkflowExecution) -> None:
    """Refuse what no scheduler of a command line could do: the code is that of a program."""
    snapshot = store.snapshot(old.snapshot)
    if snapshot is not None and not snapshot.folder:
        raise ConflictError(
            f"workflow {old.workflow_name!r} of execution {old.id} is defined in a program that "
            f"does not run now; have it retried there: scheduler.register(workflow), then "
            f"scheduler.retry({old.id})"
        )


def _say_beside(store: Store, old: WorkflowExecution, option: str | None) -> None:
    """What else there is to know: that code changed since does not run, and whose work it was."""
    newest = {(one.namespace, one.name): one.snapshot for one in store.workflows()}
    known = newest.get((old.namespace, old.workflow_name))
    if known is not None and known != old.snapshot:
        start = to_copy(f"execution start {old.workflow_name}{_of(old.namespace)}", option)
        note(
            f"a retry runs the code of execution {old.id}, snapshot {old.snapshot[:12]}: "
            f"{old.workflow_name} has changed since. To run the newest: {start}"
        )
    if old.parent is not None:
        above, task = old.parent.workflow_execution_id, old.parent.task_name
        note(
            f"execution {old.id} belongs to task {task} of execution {above}; to mend that: "
            f"{to_copy(f'execution retry {above}', option)}"
        )


def _of(namespace: str) -> str:
    return f" --namespace {namespace}" if namespace != "default" else ""


def _say_started(
    name: str,
    execution_id: int | None,
    offset: int,
    option: str | None,
    *,
    as_json: bool,
    retry_of: int | None = None,
) -> None:
    if as_json:
        told = {"retry_of": retry_of} if retry_of is not None else {}
        say_json({"workflow": name, "execution": execution_id, "offset": offset, **told})
        return
    what = "execution" if retry_of is None else f"retry of execution {retry_of}"
    if execution_id is None:
        say(f"{what} of {name} is asked for: {on_store(NO_SCHEDULER, option)}")
    else:
        started = f", the retry of execution {retry_of}," if retry_of is not None else ""
        say(f"execution {execution_id} of {name}{started} is started")


def _follow(
    remote: RemoteClient, execution_id: int, offset: int, option: str | None, *, as_json: bool
) -> int:
    clock = SystemClock()
    follower = Follower(remote.client, clock, view_for(silent=as_json), None, lambda: None)
    with Interrupts() as interrupts:
        try:
            found = follower.follow(Watch(remote.store, clock, execution_id, offset), interrupts)
        except Killed:
            note(f"execution {execution_id} is not waited for any more; it goes on")
            return KILLED
    success = show_end(remote.store, clock, found, as_json=as_json, brief=False, option=option)
    return 0 if success else FAILED
