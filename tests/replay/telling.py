"""A long story with everything in it, told to the real core and loop in virtual time.

Run as a program it records the story: `python tests/replay/telling.py` writes the recording of this
release, which every later one must replay equal. One of another release is never written again.
"""

import tempfile
from pathlib import Path

from eventflow import TaskAction, TaskStatus, WorkflowExecution, __version__
from eventflow.model.status import WorkflowStatus
from eventflow.runtime.registry import Registry
from eventflow.store.recording_file import write_recording
from eventflow.testing import VirtualScheduler

HERE = Path(__file__).parent
SUCCESS, FAILED, RUNNING = TaskStatus.SUCCESS, TaskStatus.FAILED, TaskStatus.RUNNING
SKIPPED = TaskStatus.SKIPPED


class Recorder(VirtualScheduler):
    """A scheduler in virtual time that knows workflows of files, and keeps their code.

    Args:
        folder: Where the snapshots of their code go.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._registry = Registry(self.store, self.clock, folder)

    def register_file(self, path: Path) -> None:
        for plan in self._registry.take_file(path):
            self.client.register(plan.namespace, plan.name, plan.snapshot)
            self._workflows.append(plan.workflow)
        self.run_until_idle()


def tell(scheduler: Recorder, flows: Path) -> None:
    """Tell the story.

    Args:
        flows: A copy of the folder of workflows; one of them is changed on the way.
    """
    scheduler.register_file(flows / "orders.py")
    scheduler.register_file(flows / "clocks.py")
    scheduler.register_file(flows / "garden.py")
    scheduler.register_file(flows / "fleet.py")
    scheduler.register_file(flows / "echoes.py")
    parts = (busy_day, downtime, rules_at_odds, other_snapshot, garden, echoes, fleet, ends)
    for part in parts:
        part(scheduler, flows)


def busy_day(scheduler: Recorder, flows: Path) -> None:
    """Retries with delay, time-outs, refused and lost attempts, `max_active`."""
    scheduler.outcome("pick", FAILED, after=10)
    scheduler.outcome("pick", FAILED, after=10)
    scheduler.outcome("pick", SUCCESS, after=5, result={"crate": 7, "weights": [1.5, 2]})
    scheduler.outcome("pack", RUNNING)
    scheduler.outcome("pack", SUCCESS, after=20)
    for task in ("watch", "watch", "watch", "once"):
        for _ in range(3):
            scheduler.outcome(task, RUNNING)
    for _ in range(20):
        scheduler.outcome("count", SUCCESS, after=1500)
    scheduler.emit("orders.paid", {"amount": 30, "who": "Zoë"}, attributes={"till": "4"})
    scheduler.run("orders", {"colour": "red", "sizes": [1, None]})
    third = scheduler.run("orders")  # waits for `max_active`
    scheduler.emit("bill.wanted")  # nothing was picked yet: no output to take
    scheduler.advance(minutes=3)
    scheduler.emit("stock.changed")
    scheduler.lose("watch")
    scheduler.lose("watch")
    scheduler.emit("stock.changed")
    scheduler.lose("once")
    scheduler.advance(minutes=12)
    scheduler.emit("ship.ready", workflow_execution_id=1)
    scheduler.emit("ship.ready")
    scheduler.emit("ship.again", id="a1", sender="till")
    scheduler.emit("ship.again", id="a1", sender="till")  # a repeat: one event
    scheduler.emit("ship.again")
    scheduler.stop_workflow(third.id)
    scheduler.advance(hours=3)


def downtime(scheduler: Recorder, flows: Path) -> None:
    """Due times that were missed, a pause, a scheduler that dies."""
    scheduler.advance(hours=26)
    scheduler.restart_scheduler()
    scheduler.outcome("extract", FAILED, after=60)
    scheduler.jump(days=2, hours=1)
    scheduler.pause("pulse")
    scheduler.advance(hours=20)
    scheduler.resume("pulse")
    scheduler.resume("pulse")
    scheduler.advance(hours=13)


def rules_at_odds(scheduler: Recorder, flows: Path) -> None:
    """Conditions that count, fail and write; START, STOP and RESTART half way."""
    for value in (1, "raise", 2, 3, None):
        scheduler.emit("orders.asked", value)
    for _ in range(12):
        scheduler.outcome("audit", RUNNING)
    for key, value in (
        ("audit.asked", 1),
        ("audit.asked", "raise"),
        ("audit.asked", 2),
        ("audit.level", 5),
        ("audit.level", 4),
        ("audit.asked", 3),
        ("audit.asked", 4),
        ("audit.level", 9),
        ("audit.level", "high"),
        ("audit.off", None),
    ):
        scheduler.emit(key, value)
    live = alive(scheduler)
    for _ in range(4):
        scheduler.outcome("watch", RUNNING)
    for action in (TaskAction.START, TaskAction.RESTART, TaskAction.RESTART, TaskAction.STOP):
        scheduler.client.task(live.id, "watch", action)
    scheduler.run_until_idle()
    together(scheduler, "stock.changed", "stock.changed", "stock.closed", "stock.changed")
    scheduler.report("pick", SUCCESS, execution=1)  # late: it has ended
    scheduler.advance(minutes=30)
    scheduler.lose("watch", counted=False)
    scheduler.restart_scheduler()
    scheduler.advance(minutes=1)


def other_snapshot(scheduler: Recorder, flows: Path) -> None:
    """The workflow changes while executions of the old one go on."""
    path = flows / "orders.py"
    changed = path.read_text().replace("max_active=2", "max_active=3").replace("1200", "900")
    path.write_text(changed)
    scheduler.emit("orders.paid", {"amount": 1})
    scheduler.register_file(path)
    scheduler.emit("orders.paid", {"amount": 2})
    scheduler.outcome("pack", RUNNING)
    scheduler.outcome("pack", RUNNING)
    scheduler.advance(minutes=20)
    together(scheduler, "ship.ready", "audit.asked", "bill.wanted", "nobody.hears")
    scheduler.emit("orders.paid", namespace="other")
    scheduler.emit("stock.changed", namespace="other")
    scheduler.emit("audit.level", 2, workflow_execution_id=alive(scheduler).id)
    scheduler.advance(hours=2)


def garden(scheduler: Recorder, flows: Path) -> None:
    """Sub-executions, slots of a pool, a retry of what ended, a condition that is asked again."""
    for ending in (SUCCESS, FAILED, FAILED):
        scheduler.outcome("dig", ending, after=10)
    scheduler.outcome("water", RUNNING)
    first = scheduler.run("garden")
    scheduler.advance(seconds=20)
    scheduler.set_pool("hose", 1)
    scheduler.advance(seconds=60)
    scheduler.restart_scheduler()
    scheduler.emit("roses.wanted")
    scheduler.set_pool("hose", 0)
    scheduler.set_pool("hose", 2)
    scheduler.advance(seconds=10)
    scheduler.stop_task(first, "peas")
    scheduler.advance(seconds=60)
    for ending in (FAILED, FAILED, RUNNING, RUNNING, RUNNING):
        scheduler.outcome("dig", ending, after=10)
    again = scheduler.retry(first)
    scheduler.advance(seconds=60)
    scheduler.stop_workflow(again)
    scheduler.retry(again)
    scheduler.advance(seconds=5)
    below = scheduler.store.executions(workflow="row", statuses=[WorkflowStatus.RUNNING])
    scheduler.stop_workflow(below[0], "from below")
    scheduler.advance(seconds=60)
    failed = scheduler.store.verdicts(failed=True, unanswered=True)
    scheduler.rejudge(failed[0].event_offset)


def fleet(scheduler: Recorder, flows: Path) -> None:
    """Maps of every kind, skipped tasks, a retry that takes over items."""
    scheduler.set_pool("road", 2)
    scheduler.outcome("find", SUCCESS, result=["a", "b", "c"])
    for ending, result in ((FAILED, None), (SUCCESS, ["x"]), (SUCCESS, []), (SUCCESS, ["y", "z"])):
        scheduler.outcome("load", ending, after=10, result=result)
    for ending in (SUCCESS, SKIPPED, RUNNING):
        scheduler.outcome("drive", ending, after=10, result={"km": 7})
    for ending in (SUCCESS, FAILED):
        scheduler.outcome("parcels", ending, after=5, retryable=False)
    first = scheduler.run("fleet")
    scheduler.emit("wash.wanted")
    scheduler.advance(seconds=30)
    scheduler.outcome("wash", SUCCESS, after=5, result="clean")
    scheduler.outcome("wash", FAILED, after=5, retryable=False)
    scheduler.emit("wash.wanted")  # the third item never starts
    scheduler.advance(seconds=60)
    scheduler.restart_scheduler()
    scheduler.lose("drive")
    scheduler.advance(minutes=5)
    again = scheduler.retry(first)
    scheduler.advance(minutes=1)
    scheduler.retry(again)
    scheduler.outcome("find", SUCCESS, result=[1, 2, 3])
    for _ in range(7):
        scheduler.outcome("drive", RUNNING)
    scheduler.run("fleet")
    scheduler.emit("road.changed")
    scheduler.emit("road.changed")  # while the first restart is pending
    scheduler.restart_scheduler()
    scheduler.set_pool("road", 1)
    scheduler.emit("road.closed")
    scheduler.outcome("find", SUCCESS, result=[])  # maps over nothing, one after the other
    scheduler.run("fleet")
    scheduler.outcome("find", SUCCESS, result="no list")
    scheduler.run("fleet")
    scheduler.outcome("find", SKIPPED, reason="nothing is there today")
    scheduler.run("fleet")
    for _ in range(2):
        scheduler.outcome("find", SUCCESS, result=[1, 2, 3])
        scheduler.outcome("load", FAILED, after=5)
        for _ in range(2):
            scheduler.outcome("load", RUNNING)
        stopped = scheduler.run("fleet")
        scheduler.advance(seconds=10)
    scheduler.stop_workflow(stopped, "enough")  # the other is half way when the story ends


def echoes(scheduler: Recorder, flows: Path) -> None:
    """Rules that go round: refused at the cap, followed again on request, let go on when calm."""
    scheduler.run("echo")
    for after in (30, 61, 61, 61, 61, 1, 1):
        scheduler.outcome("ding", SUCCESS, after=after)
    rings = scheduler.run("ring")
    scheduler.emit("bell.pulled")
    scheduler.advance(minutes=3)
    scheduler.restart_scheduler()
    scheduler.advance(minutes=3)
    ding = scheduler.execution(rings).tasks[-1]
    scheduler.emit("bell.pulled", sender=ding.sender, of_run=ding.id)
    failed = scheduler.store.verdicts(failed=True, unanswered=True, workflow=("default", "echo"))
    scheduler.rejudge(failed[0].event_offset)
    failed = scheduler.store.verdicts(rings.id, failed=True, unanswered=True)
    scheduler.rejudge(failed[0].event_offset)
    scheduler.stop_workflow(rings)


def ends(scheduler: Recorder, flows: Path) -> None:
    """Some things are alive when the story ends: the world then is compared too."""
    scheduler.emit("orders.paid")
    scheduler.outcome("watch", RUNNING)
    scheduler.outcome("pick", FAILED, retryable=False)
    scheduler.emit("orders.paid")
    scheduler.advance(seconds=20)
    scheduler.emit("stock.changed")
    scheduler.client.task(alive(scheduler).id, "ship", TaskAction.RESTART)
    scheduler._loop.step()  # its order is given, and no executor has taken it
    scheduler.client.emit("ship.ready")  # in the log, and no turn


def together(scheduler: Recorder, *keys: str) -> None:
    """Events that are in the log before the first of them is decided."""
    for key in keys:
        scheduler.client.emit(key)
    scheduler.run_until_idle()


def alive(scheduler: Recorder) -> WorkflowExecution:
    """The newest execution of the orders that runs."""
    found = scheduler.store.executions(workflow="orders", statuses=[WorkflowStatus.RUNNING])
    return found[0]


def record(path: Path) -> None:
    """Tell the story, and write its recording."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        flows = folder / "flows"
        flows.mkdir()
        for source in (HERE / "flows").glob("*.py"):
            (flows / source.name).write_text(source.read_text())
        scheduler = Recorder(folder / "snapshots")
        tell(scheduler, flows)
        with scheduler.store.recording() as recording:
            write_recording(recording, path, made_by=f"eventflow {__version__}")
        # Tracebacks of conditions name the folder, which is gone in a moment.
        path.write_text(path.read_text().replace(str(folder), "/story"))


if __name__ == "__main__":
    record(HERE / f"{__version__}.jsonl")
