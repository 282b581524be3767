"""Tasks that die, hang, fork and flood: for executors that give each attempt a process."""

import ctypes
import io
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from eventflow.errors import TaskSkipped
from eventflow.model.context import TaskContext, current_context
from eventflow.model.workflow import Workflow
from eventflow.operators.python import PythonOperator


def give() -> int:
    return 1


def touch() -> None:
    """Leaves a file, whoever hears of it."""
    Path(current_context().params["file"]).touch()


def segfault() -> None:
    ctypes.string_at(0)


def leave_at_once(code: int) -> None:
    print("leaving", flush=True)  # noqa: T201  tasks print
    os._exit(code)


def kill_self(number: int) -> None:
    os.kill(os.getpid(), number)


def emit_and_die() -> None:
    current_context().emit("last.words", 1)
    os.kill(os.getpid(), signal.SIGKILL)


class SlowOutput(io.StringIO):
    """Keeps its process in its last steps, after the task's code, until somebody lets it go."""

    def __init__(self, context: TaskContext) -> None:
        super().__init__()
        self._context = context

    def flush(self) -> None:
        self._context.emit("running")
        Path(self._context.params["gate"]).read_text()


def end_slowly(error: str) -> None:
    sys.stdout = SlowOutput(current_context())
    if error:
        raise {"ValueError": ValueError, "TaskSkipped": TaskSkipped}[error]("no")


def run_on() -> None:
    """Runs until it is stopped, and tells its pid and its nursery's."""
    current_context().emit("running", [os.getpid(), os.getppid()])
    current_context().wait(600)


def hold_out() -> None:
    """Like `run_on`, with a grandchild in its group; neither heeds a SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    grandchild = _fork_and_hang()
    current_context().emit("running", [os.getpid(), os.getppid(), grandchild])
    threading.Event().wait()


def hold_on_detached() -> None:
    """Like `hold_out`, with a daemon in a session of its own, which holds the log open."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    daemon = _make_daemon(closed=False)
    current_context().emit("running", [os.getpid(), os.getppid(), daemon])
    threading.Event().wait()


def clean_up() -> None:
    """Does not look for a stop; a SIGTERM lets it clean up."""
    try:
        current_context().emit("running")
        threading.Event().wait()
    finally:
        current_context().emit("cleaned")


def leave_grandchild() -> int:
    return _fork_and_hang()


def leave_daemon() -> int:
    """A daemon, made as daemons are: forked twice, in a session of its own, its files closed."""
    return _make_daemon(closed=True)


def _make_daemon(*, closed: bool) -> int:
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(write, str(os.getpid()).encode())
            os.close(write)
            if closed:
                os.closerange(0, 100)
            _hang()
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        pid = int(told.read())
    os.wait()
    return pid


def leave_writer() -> int:
    """Something in the group that holds the log open."""
    return subprocess.Popen(["sleep", "600"]).pid


def stop_self() -> None:
    current_context().emit("running", [os.getpid(), os.getppid()])
    os.kill(os.getpid(), signal.SIGSTOP)


def flood(megabytes: int) -> int:
    block = b"x" * (1024 * 1024 - 1) + b"\n"
    for _ in range(megabytes):
        sys.stdout.buffer.write(block)
    return megabytes


def print_some() -> None:
    print("to stdout")  # noqa: T201  tasks print
    print("to stderr", file=sys.stderr)  # noqa: T201  tasks print
    subprocess.run(["echo", "from a child process"], check=True)
    os.write(1, b"raw\n")
    current_context().log.info("logged")
    print("no newline", end="")  # noqa: T201  tasks print


def list_files() -> list[str]:
    found = []
    for path in list(Path("/proc/self/fd").iterdir()):
        try:
            found.append(str(path.readlink()))
        except OSError:
            continue
    return found


def tell_surroundings() -> dict[str, Any]:
    return {
        "cwd": str(Path.cwd()),
        "store": os.environ.get("EVENTFLOW_STORE"),
        "run": os.environ.get("EVENTFLOW_TASK_EXECUTION"),
        "leads": os.getpgrp() == os.getpid(),
        "stdin": sys.stdin.read(),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "term": signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL,
    }


def use_context_in_fork() -> str:
    """A forked copy of the task has the context, but not the channel."""
    context = current_context()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            context.emit("forked")
        except BaseException as error:
            os.write(write, type(error).__name__.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        text = told.read()
    os.waitpid(pid, 0)
    return text


def emit_many(n: int) -> int:
    context = current_context()
    return [context.emit("many", number).offset for number in range(n)][-1]


def _fork_and_hang() -> int:
    pid = os.fork()
    if pid == 0:
        _hang()
    return pid


def _hang() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        signal.pause()


with Workflow("deadly", namespace="tests") as deadly:
    PythonOperator("give", give)
    PythonOperator("touch", touch)
    PythonOperator("segfault", segfault)
    PythonOperator("leave_0", leave_at_once, [0])
    PythonOperator("leave_3", leave_at_once, [3])
    PythonOperator("leave_3_picky", leave_at_once, [3], retry_on=ValueError)
    PythonOperator("kill_self", kill_self, [signal.SIGKILL.value])
    PythonOperator("emit_and_die", emit_and_die)
    PythonOperator("succeed_slowly", end_slowly, [""])
    PythonOperator("fail_slowly", end_slowly, ["ValueError"])
    PythonOperator("skip_slowly", end_slowly, ["TaskSkipped"])
    PythonOperator("run_on", run_on)
    PythonOperator("hold_out", hold_out)
    PythonOperator("hold_on_detached", hold_on_detached)
    PythonOperator("clean_up", clean_up)
    PythonOperator("leave_grandchild", leave_grandchild)
    PythonOperator("leave_daemon", leave_daemon)
    PythonOperator("leave_writer", leave_writer)
    PythonOperator("stop_self", stop_self)
    PythonOperator("flood", flood, [1024])
    PythonOperator("flood_some", flood, [8])
    PythonOperator("print_some", print_some)
    PythonOperator("list_files", list_files)
    PythonOperator("tell_surroundings", tell_surroundings)
    PythonOperator("use_context_in_fork", use_context_in_fork)
    PythonOperator("emit_many", emit_many, [500])
