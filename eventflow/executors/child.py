"""The worker's end: one attempt in a process of its own, which it leads the group of.

The main thread runs the task. A second one has the channel to the scheduler: it sends heartbeats,
brings answers, and calls the operator's `stop`. When the channel ends, the scheduler is gone and
nobody would hear of this attempt, so it ends itself with its whole group.

A SIGTERM, which comes when half of the grace after a stop is over, raises SystemExit in the task's
code: `finally` blocks and context managers still run. No exit handlers run at the end, since those
that the import has registered belong to the nursery and would run once per child.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from eventflow.clock import SystemClock
from eventflow.crashpoints import reach
from eventflow.errors import EventflowError, LoadError
from eventflow.executors import groups
from eventflow.executors.attempt import Attempt, lost, refused
from eventflow.executors.code import load_workflows
from eventflow.executors.desk import RemoteDesk
from eventflow.executors.messages import (
    Answer,
    Begin,
    Begun,
    Emitted,
    Ended,
    Heartbeat,
    Message,
    Refusal,
    Stop,
    to_frame,
)
from eventflow.executors.port import AttemptKey, Job, Report
from eventflow.executors.reactor import Line, Reactor
from eventflow.executors.spool import Mark, Spool
from eventflow.executors.taskcontext import AttemptContext
from eventflow.executors.tasklog import TaskLog
from eventflow.model.operator import Operator
from eventflow.model.workflow import Workflow

_HEARTBEAT_S = 5.0
_BROKEN = 70  # EX_SOFTWARE: a fault of ours, not of the task


class Worker:
    """The channel of one attempt, and what comes and goes over it."""

    def __init__(self, channel: socket.socket, reactor: Reactor) -> None:
        self._begin: Begin | None = None
        self._reactor = reactor
        self._line = Line(channel, reactor, self._take, end_own_group)
        self._desk = RemoteDesk(
            lambda frame: self._reactor.post(lambda: self._line.send_frame(frame))
        )
        self._attempt: Attempt | None = None
        self._stop_asked = False

    def run(self, workflows: Sequence[Workflow]) -> NoReturn:
        """Make the attempt that the scheduler names, and leave."""
        reach("child.started")
        while (begin := self._begin) is None:
            self._reactor.turn()  # a thread for the channel has nothing to do before
        spool = Spool(Path(begin.spool))
        try:
            report = self._make(begin, spool, _find(begin.job, workflows))
        except EventflowError as error:
            report = refused(begin.job, error)
        else:
            reach("child.done")
            self._write_down(report, spool, durable=True)
        reach("child.leaving")
        flush_output()
        ended = to_frame(Ended(report=report))
        self._reactor.post(lambda: self._leave(ended))
        if self._attempt is None:
            self._reactor.turn()  # nothing was begun, so no other thread does it
        threading.Event().wait()
        os._exit(_BROKEN)

    def _make(self, begin: Begin, spool: Spool, operator: Operator) -> Report:
        job = begin.job
        context = AttemptContext(
            job,
            self._desk,
            TaskLog(_to_output),
            SystemClock(),
            store_url=begin.store_url,
            own_group=True,
        )
        os.environ.update(context.environment)
        attempt = Attempt(job, operator, context)
        pid = os.getpid()
        started = groups.started(pid)
        try:
            spool.begin(Mark(job.key, pid, started), durable=job.must_not_repeat)
        except FileExistsError:
            if self._line.hung_up:
                end_own_group()
            return _begun_before(job.key, spool)
        except OSError as error:
            # Not its task's fault: another attempt may find a disk that can be written to.
            return lost(job.key, f"the begin of the attempt cannot be written down: {error}")
        if self._line.hung_up:
            # Asked for behind the mark: a scheduler that lives now, or comes from now on, sees it.
            # That of this child is dead, and the next one may have had the attempt made, and have
            # forgotten it since.
            spool.withdraw(job.key)
            end_own_group()
        begun = Begun(pid=pid, started=started, retries_any=not operator.settings.retry_on)
        # The scheduler knows of the begin before the code can take this process down.
        self._attend(attempt, begun)
        self._reactor.start()
        reach("child.told")
        signal.signal(signal.SIGTERM, lambda number, frame: _terminated(attempt))
        return attempt.run()

    def _attend(self, attempt: Attempt, begun: Begun) -> None:
        self._attempt = attempt
        self._line.send(begun)
        every_s = min(_HEARTBEAT_S, attempt.job.heartbeat_timeout_s / 4)
        self._reactor.after(every_s, lambda: self._beat(every_s))
        if self._stop_asked:
            self._stop(attempt)

    def _beat(self, every_s: float) -> None:
        self._line.send(Heartbeat())
        self._reactor.after(every_s, lambda: self._beat(every_s))

    def _take(self, message: Message) -> None:
        match message:
            case Begin():
                self._begin = message
            case Stop():
                self._stop_asked = True
                if self._attempt is not None:
                    self._stop(self._attempt)
            case Answer() | Emitted() | Refusal():
                self._desk.answered(message)

    def _stop(self, attempt: Attempt) -> None:
        if attempt.ask_to_stop():
            threading.Thread(target=attempt.call_stop, name="eventflow-stop", daemon=True).start()

    def _write_down(self, report: Report, spool: Spool, *, durable: bool) -> None:
        try:
            spool.end(report, durable=durable)
        except OSError as error:
            # The scheduler can still be told, and its store has a disk of its own.
            _to_output(f"[eventflow] the outcome cannot be written down: {error}\n".encode())

    def _leave(self, ended: bytes) -> None:
        with contextlib.suppress(OSError):  # nobody is there: who comes finds it written down
            self._line.send_last(ended)
        os._exit(0)


def become(take: Callable[[], tuple[int, int]], load: Callable[[], Sequence[Workflow]]) -> NoReturn:
    """Turn this process into a child: make the attempt that comes over its channel, and end.

    Args:
        take: Gives two descriptors, when they are there: of the socket to the scheduler, and of
            what becomes standard output and error.
        load: Gives the workflows of the snapshot.
    """
    try:
        groups.die_with_parent(signal.SIGKILL)
        groups.adopt_orphans()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        reactor = Reactor("eventflow-channel", SystemClock())
        channel, output = take()
        _redirect(output)
        Worker(socket.socket(fileno=channel), reactor).run(load())
    except BaseException:  # the end of a process
        traceback.print_exc()
    os._exit(_BROKEN)


def end_own_group() -> None:
    """Nobody listens any more: nothing of this attempt may live on."""
    groups.signal_group(os.getpgrp(), signal.SIGKILL)


def main() -> None:
    """A fresh interpreter as a child: `channel output folder entry` are its arguments."""
    channel, output, folder, entry = sys.argv[1:]
    path = Path(folder, entry)
    sys.argv = [str(path)]
    files = int(channel), int(output)
    become(lambda: files, lambda: load_workflows(path, alone=True))


def _find(job: Job, workflows: Sequence[Workflow]) -> Operator:
    wanted, task = job.workflow_execution, job.task_execution.task_name
    for workflow in workflows:
        if (workflow.namespace, workflow.name) == (wanted.namespace, wanted.workflow_name):
            operator = workflow.tasks.get(task)
            if isinstance(operator, Operator):
                return operator
    raise LoadError(
        f"snapshot {job.code.snapshot[:12]}: {job.code.entry} has no task {task!r} in a workflow "
        f"{wanted.workflow_name!r} of namespace {wanted.namespace!r}"
    )


def _begun_before(key: AttemptKey, spool: Spool) -> Report:
    """The end of an attempt that another process has begun: it is not begun again (S11).

    That one came from a nursery that had stopped, and heard of it only when the next scheduler was
    at work: it is dead before another attempt begins (S28).
    """
    mark = spool.mark(key)
    if mark is not None:
        groups.end_earlier(mark.pid, mark.started, SystemClock())
    return spool.outcome(key) or lost(key, "another process has begun it, and is gone")


def _terminated(attempt: Attempt) -> None:
    if attempt.in_code:
        raise SystemExit(128 + signal.SIGTERM)


def _redirect(output: int) -> None:
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = open(number, "w", 1, "utf-8", "backslashreplace", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)


def flush_output() -> None:
    """Write out what is buffered, in Python and in C."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        # Users' code may have put anything in their places.
        with contextlib.suppress(BaseException):
            if stream is not None:
                stream.flush()
    groups.flush_c()


def _to_output(line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(2, rest) :]
