"""A tale that reaches each point, told through something that goes wrong; and what must be so."""

from collections import Counter
from dataclasses import dataclass, field

import invariants
from journal import append_and_sync, read
from place import Place

from eventflow.crashpoints import ONCE, VARIABLE
from eventflow.model.event import Event
from eventflow.model.records import WorkflowExecution
from eventflow.runtime.handle import ExecutionHandle
from eventflow.runtime.remote import RemoteClient

# What tasks do so that each point is reached: they draw, keep data, emit, fail once and wait for a
# timer, and are mapped. Each holds a lock that is its task's, which ends with its process: one that
# finds it taken runs beside another, and says so.
WORKFLOW = """
import fcntl, os, time
from eventflow import PythonOperator, Workflow, current_context

def write(line):
    descriptor = os.open({journal!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, (line + "\\n").encode())
    os.fsync(descriptor)
    os.close(descriptor)

def work(item=None):
    context = current_context()
    run = context.task_execution
    task = f"{{run.workflow_execution_id}}/{{run.task_name}}{{list(run.index)}}"
    name = f"{{task}} {{run.sequence_number}} {{run.attempt}} {{os.getpid()}}"
    alone = os.open({journal!r} + "-" + task.replace("/", "-"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        write(f"beside {{name}} {{time.monotonic_ns()}}")
    write(f"begin {{name}} {{time.monotonic_ns()}}".replace("[]", ""))
    try:
        context.deterministic.uuid()
        context.data.set(run.task_name, run.attempt)
        if run.task_name == "first" and not context.data.get("failed"):
            context.data.set("failed", True)
            raise ValueError("once")
        if run.task_name == "last":
            context.emit("step.done", id="done")
        return [1, 2, 3]
    finally:
        write(f"end {{name}} {{time.monotonic_ns()}}".replace("[]", ""))

often = dict(retries=3, max_lost=20, heartbeat_timeout=30)
with Workflow("steps") as workflow:
    first = PythonOperator("first", work, retry_delay=0.05, **often)
    each = PythonOperator("each", work, **often).map(first.output)
    last = PythonOperator("last", work, **often)
    last.start_after(each)
workflow.trigger_on_event("go")
"""
# The same, where a stall is long enough for an attempt to be lost.
IMPATIENT = WORKFLOW.replace("heartbeat_timeout=30", "heartbeat_timeout=2")
TASKS = {"first", "each[0]", "each[1]", "each[2]", "last"}


@dataclass
class Tale:
    """Two executions, one by command and one by event.

    Attributes:
        wrongs: `POINT:ACTION` of the first process, of the one that follows it, and so on; the
            last is for all that come after. Each happens once.
        begun: How many processes there were.
    """

    place: Place
    wrongs: list[str]
    begun: int = 0
    executions: list[WorkflowExecution] = field(default_factory=list)

    def tell(self) -> None:
        """Go through it to the end of both executions."""
        self._serve()
        with RemoteClient(self.place.url) as remote:
            command, event = self.ask(remote)
            self.place.until(lambda: self._is_over(remote), "the executions did not end")
            handle = ExecutionHandle(remote.client, command=command)
            found = [remote.store.execution(one.id) for one in remote.store.executions()]
            self.executions = [one for one in found if one is not None]
            assert handle.id in {one.id for one in self.executions}
            logged = remote.store.read(keys=["go"])
            assert [one.offset for one in logged] == [event.offset]
        self.place.end()

    def ask(self, remote: RemoteClient) -> tuple[Event, Event]:
        """Ask for both executions; what is acknowledged is written down."""
        command = remote.client.run("default", "steps", idempotency_key="by hand")
        event = remote.client.emit("go", 1, id="go", sender="test")
        append_and_sync(self.place.folder / "acknowledged", str(event.offset))
        return command, event

    def happened(self, number: int = 0) -> bool:
        """Whether the thing came to go wrong."""
        return (self.place.folder / f"once-{number}").exists()

    def check(self) -> None:
        """What must be so whatever went wrong."""
        assert sorted(one.execution_type for one in self.executions) == ["EVENT", "MANUAL"]
        lines = read(self.place.journal)
        assert [line for line in lines if line.what == "beside"] == []
        ended = Counter(line.task for line in lines if line.what == "end")
        for execution in self.executions:
            assert execution.status == "SUCCESS", (execution.reason, self.place.log)
            assert {f"{execution.id}/{task}" for task in TASKS} <= ended.keys()
        assert invariants.broken(self.place.folder / "store.db") == []

    def _serve(self) -> None:
        for _ in range(3 + len(self.wrongs)):
            number = min(self.begun, len(self.wrongs) - 1)
            once = self.place.folder / f"once-{number}"
            self.begun += 1
            if self.place.serve(**{VARIABLE: self.wrongs[number], ONCE: str(once)}):
                return
            self.place.kill()
        raise AssertionError(self.place.log)

    def _is_over(self, remote: RemoteClient) -> bool:
        if self.place.ended:
            self.place.kill()
            self._serve()
        found = remote.store.executions()
        return len(found) == 2 and all(one.ended for one in found)
