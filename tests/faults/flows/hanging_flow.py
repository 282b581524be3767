"""Tasks that hang, each in its own way, and tasks that somebody else kills."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

from eventflow import PythonOperator, Workflow, current_context

LIMITS = {"timeout": 0.6, "stop_grace": 0.4}


def tell_group() -> None:
    """Emit the pids of this process and of one that it has started in its group."""
    beside = subprocess.Popen(["sleep", "600"])
    current_context().emit("hanging", [os.getpid(), beside.pid])


def suspended() -> None:
    tell_group()
    os.kill(os.getpid(), signal.SIGSTOP)


def deadlocked() -> None:
    tell_group()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    lock = threading.Lock()
    with lock:
        lock.acquire()


def endless() -> None:
    tell_group()
    while True:
        pass


def matching() -> None:
    """Holds the interpreter, so that no other thread of the process runs."""
    tell_group()
    re.match(r"(a+)+$", "a" * 60 + "b")


def live_and_tell(once: str) -> int:
    """The first attempt runs until it is killed; the next one returns its number."""
    context = current_context()
    if context.task_execution.attempt == 1:
        context.emit(once, [os.getpid(), os.getppid()])
        context.wait(600)
    return context.task_execution.attempt


def number() -> int:
    return current_context().task_execution.attempt


def _suspend_the_first() -> None:
    """In a new child, before anything of ours runs there."""
    mark = os.environ.get("EVENTFLOW_TEST_SUSPEND", "")
    if mark and sys.platform == "linux":
        try:
            os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        Path(mark).write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGSTOP)


os.register_at_fork(after_in_child=_suspend_the_first)

with Workflow("hanging", namespace="tests") as hanging:
    PythonOperator("suspended", suspended, **LIMITS)
    PythonOperator("deadlocked", deadlocked, **LIMITS)
    PythonOperator("endless", endless, **LIMITS)
    PythonOperator("matching", matching, **LIMITS)

with Workflow("killed", namespace="tests") as killed:
    PythonOperator("child", live_and_tell, ["child"], retries=1, retry_delay=0)

with Workflow("orphaned", namespace="tests") as orphaned:
    PythonOperator("nursery", live_and_tell, ["nursery"], retries=0)

with Workflow("unborn", namespace="tests") as unborn:
    PythonOperator("a", number, heartbeat_timeout=0.5, max_lost=2)
