"""Many processes and threads at the same store, while schedulers come and go (F25, F48)."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from eventflow import PythonOperator, Scheduler, TaskAction, Workflow
from eventflow.clock import SystemClock
from eventflow.errors import DuplicateEventError, EventflowError
from eventflow.runtime.remote import RemoteClient
from eventflow.store.opening import open_store

SOON_S = 40
PROCESSES, THREADS, EACH = 3, 5, 67

EMITS = """
import sys, threading
from eventflow.runtime.remote import RemoteClient
answers = []
def emit(client):
    for _ in range(int(sys.argv[3])):
        event = client.emit("orders.paid", {"n": 7}, sender="till", id="7")
        answers.append((event.offset, event.logged_at.isoformat()))
with RemoteClient(sys.argv[1]) as remote:
    print("ready", flush=True)
    sys.stdin.readline()
    threads = [threading.Thread(target=emit, args=[remote.client]) for _ in range(int(sys.argv[2]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(len(answers), *sorted(set(answers)))
"""


@pytest.mark.rule("S3")
@pytest.mark.fault("F25")
def test_f25_one_event_that_processes_emit_a_thousand_times_at_once_is_one_with_one_answer(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    open_store(url, clock=SystemClock()).close()
    others = [
        subprocess.Popen(
            [sys.executable, "-c", EMITS, url, str(THREADS), str(EACH)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    assert {other.stdout.readline() for other in others if other.stdout} == {"ready\n"}
    for other in others:
        assert other.stdin is not None
        other.stdin.write("go\n")
        other.stdin.flush()
    told = [other.communicate(timeout=SOON_S)[0] for other in others]

    with RemoteClient(url) as remote:
        (event,) = remote.store.read()
        answer = (event.offset, event.logged_at.isoformat() if event.logged_at else "")
        assert told == [f"{THREADS * EACH} {answer}\n"] * PROCESSES
        with pytest.raises(DuplicateEventError):
            remote.client.emit("orders.paid", {"n": 8}, sender="till", id="7")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


FLOW = """
from eventflow import PythonOperator, Workflow, current_context

def work():
    current_context().emit("ran")

with Workflow("a", max_active=1_000) as workflow:
    PythonOperator("t", work)
workflow.trigger_on_event("start.a")
"""


class Crowd:
    """Threads that use a scheduler without asking whether it is on."""

    def __init__(self, url: str) -> None:
        self.scheduler = Scheduler(url)
        self.acknowledged: list[int] = []
        self.asked = 0
        self._over = threading.Event()
        self._wrong: list[BaseException] = []
        does = [self._emit, self._read, self._run, self._emit]
        self._threads = [
            threading.Thread(target=self._go_on, args=(does[n % 4],)) for n in range(16)
        ]

    def _go_on(self, does: Callable[[], object]) -> None:
        while not self._over.wait(0.03):
            try:
                does()
            except EventflowError:
                continue  # it is off, or being closed: said by an error of ours
            except BaseException as error:
                self._wrong.append(error)
                return

    def _emit(self) -> None:
        self.acknowledged.append(self.scheduler.emit("start.a", sender="crowd").offset)

    def _read(self) -> None:
        scheduler = self.scheduler
        scheduler.executions(limit=5)
        scheduler.count("start.*")
        scheduler.workflows()
        next(scheduler.listen("start.*", after=0, timeout=0.01), None)

    def _run(self) -> None:
        self.asked += bool(self.scheduler.run("a", idempotency_key=f"k{self.asked % 3}").id)

    def __enter__(self) -> "Crowd":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(SOON_S)
        self.scheduler.stop()
        assert self._wrong == []
        assert not any(thread.is_alive() for thread in self._threads)


@pytest.mark.rule("S2", "S10")
@pytest.mark.fault("F48")
def test_f48_threads_go_on_while_schedulers_come_and_go_and_nothing_is_lost_or_left(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    flow = tmp_path / "flow.py"
    flow.write_text(FLOW)
    with Scheduler(url) as scheduler:
        scheduler.register_file(flow)
    files, threads = open_files(), set(threading.enumerate())

    with Crowd(url) as crowd:
        for round_ in range(4):
            crowd.scheduler.start()
            crowd.scheduler.register_file(flow)
            wanted = len(crowd.acknowledged) + 10
            crowd.scheduler.client.until(
                lambda wanted=wanted: len(crowd.acknowledged) >= wanted or None, SOON_S
            )
            crowd.scheduler.stop()
            if round_ < 3:
                crowd.scheduler = Scheduler(url)

    left = [thread for thread in threading.enumerate() if thread not in threads]
    for thread in left:
        thread.join(SOON_S)
    assert [thread.name for thread in left if thread.is_alive()] == []
    assert open_files() <= files
    with Scheduler(url) as scheduler:
        stored = {event.offset for event in scheduler.events("start.a", limit=100_000)}
        assert set(crowd.acknowledged) <= stored
        last = scheduler.store.last_offset()
        assert scheduler.client.until(lambda: scheduler.store.decided_offset(last) or None, SOON_S)
        started = [
            one.trigger_event.offset
            for one in scheduler.executions("a", limit=100_000)
            if one.trigger_event is not None and one.trigger_event.key == "start.a"
        ]
        assert sorted(started) == sorted(stored)


@pytest.mark.fault("F48")
def test_f48_who_waits_is_told_when_another_thread_stops_the_scheduler(tmp_path: Path) -> None:
    told: list[str] = []
    with Workflow("w") as workflow:
        PythonOperator("t", lambda: None, autostart=False).action_on_event_received(
            TaskAction.START, "never"
        )
    scheduler = Scheduler(f"sqlite:///{tmp_path}/store.db")
    scheduler.start()
    execution = scheduler.run(workflow)
    assert execution.id

    def wait() -> None:
        with pytest.raises(EventflowError) as refused:
            execution.wait()
        told.append(str(refused.value))

    waits = threading.Thread(target=wait, daemon=True)
    waits.start()
    scheduler.stop()
    waits.join(SOON_S)

    assert not waits.is_alive()
    assert len(told) == 1


INTERRUPTED = """
import sys
from eventflow import PythonOperator, Scheduler, Workflow, current_context
with Workflow("w") as workflow:
    PythonOperator("t", lambda: print("runs", flush=True) or current_context().wait(600))
with Scheduler(sys.argv[1]) as scheduler:
    scheduler.run(workflow).wait()
"""


@pytest.mark.fault("F48")
def test_f48_ctrl_c_in_the_middle_of_a_run_ends_a_program_and_leaves_the_store_in_order(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "runs\n"
        os.kill(program.pid, signal.SIGINT)
        _, errors = program.communicate(timeout=SOON_S)

    assert program.returncode in (-signal.SIGINT, 130)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert errors.count("Traceback") == 1
    store = open_store(url, clock=SystemClock())
    assert store.holder() is None
    store.hold("test")
    assert store.was_clean()
    (execution,) = store.executions()
    assert execution.status == "RUNNING"
    store.close()
