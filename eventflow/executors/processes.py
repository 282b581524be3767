"""Attempts in child processes, one each: the default of `eventflow run` and `serve`.

One reactor thread has everything: it talks to a nursery per snapshot folder and file, and over a
channel each to the children. What tasks ask of the desk is asked on a pool of threads, since a
commit takes its time. What is kept where: begin marks and outcomes in the spool folder, output in
the job's log.
"""

import logging
import random
import threading
from collections.abc import Callable
from pathlib import Path

from eventflow.clock import Clock, SystemClock
from eventflow.errors import LoadError
from eventflow.executors import groups
from eventflow.executors.attempt import lost, refused, stopped
from eventflow.executors.nurse import Nurse
from eventflow.executors.output import OutputReader
from eventflow.executors.pool import ThreadPool
from eventflow.executors.port import AttemptKey, Code, Desk, Job, Report
from eventflow.executors.reactor import Reactor
from eventflow.executors.roster import Roster
from eventflow.executors.spool import Spool
from eventflow.executors.ward import Means
from eventflow.model.operator import Operator

_LOG = logging.getLogger("eventflow")

# A snapshot folder, and the file in it that defines the workflows.
_Place = tuple[Path, str]

_IDLE_S = 300.0
_IMPORT_S = 60.0


class ProcessExecutor:
    """Runs attempts in child processes.

    Args:
        spool: Folder for begin marks and outcomes; one scheduler's at a time.
        store_url: What tasks and their child processes get as `EVENTFLOW_STORE`.
    """

    def __init__(self, spool: Path, *, store_url: str = "", clock: Clock | None = None) -> None:
        self._clock = clock if clock is not None else SystemClock()
        self._spool = Spool(spool.absolute())
        self._store_url = store_url
        self._pool = ThreadPool("eventflow-desk", self._clock)
        self._roster = Roster()
        # By folder and file: workflows of one file share the nursery that has imported it.
        self._nurses: dict[_Place, Nurse] = {}
        self._kept_open: set[_Place] = set()
        self._where: dict[AttemptKey, Nurse] = {}
        self._warned: set[str] = set()
        self._started = False
        self._closing = False
        self._muted = False
        self._emptied = threading.Event()

    def recover(self) -> list[Report]:
        self._spool.prepare()
        reports = []
        for key in self._spool.attempts():
            mark = self._spool.mark(key)
            if mark is not None:
                groups.end_earlier(mark.pid, mark.started, self._clock)
            outcome = self._spool.outcome(key)
            self._roster.take(key)
            reports.append(outcome or lost(key, "the scheduler that ran this attempt is gone"))
        return reports

    def start(
        self, desk: Desk, report: Callable[[Report], None], find: Callable[[Job], Operator]
    ) -> None:
        self._spool.prepare()
        self._report = report
        # Not before: who never starts has nothing open.
        self._reactor = Reactor("eventflow-children", self._clock)
        self._output = OutputReader(self._clock)
        self._means = Means(
            clock=self._clock,
            reactor=self._reactor,
            pool=self._pool,
            output=self._output,
            spool=self._spool,
            desk=desk,
            report=self._say,
            chance=random.SystemRandom().random,
            store_url=self._store_url,
        )
        self._started = True
        self._reactor.start()
        self._output.start()

    def prepare(self, code: Code) -> None:
        opened = threading.Event()
        self._reactor.post(lambda: self._open(code, opened.set))
        opened.wait(_IMPORT_S)

    def submit(self, job: Job) -> None:
        self._reactor.post(lambda: self._submit(job))

    def cancel(self, key: AttemptKey) -> None:
        self._reactor.post(lambda: self._cancel(key))

    def confirm(self, key: AttemptKey) -> None:
        self._spool.forget(key)
        self._reactor.post(lambda: self._roster.confirm(key))

    def stop(self, grace_s: float) -> None:
        if not self._started:
            return
        self._started = False
        self._reactor.post(self._close_doors)
        self._emptied.wait(grace_s)
        ended = threading.Event()
        self._reactor.post(lambda: self._end_all(ended))
        ended.wait()
        self._reactor.close()
        self._output.close()
        self._pool.close()

    def _submit(self, job: Job) -> None:
        if self._closing or not self._roster.take(job.key):
            return
        folder = job.code.folder
        if folder is None:
            workflow = job.workflow_execution.workflow_name
            self._say(
                refused(
                    job,
                    LoadError(
                        f"workflow {workflow!r} is defined in the running program, whose code "
                        f"other processes do not have; put it into a file and use 'eventflow run "
                        f'FILE\', or run it with executor="threads"'
                    ),
                )
            )
            return
        nurse = self._nurse_of(job.code, folder)
        self._where[job.key] = nurse
        nurse.begin(job)

    def _open(self, code: Code, opened: Callable[[], None]) -> None:
        """Have the nursery of a snapshot ready, and keep it: its next job starts at once."""
        if code.folder is None or self._closing:
            opened()
            return
        self._kept_open.add((code.folder, code.entry))
        self._nurse_of(code, code.folder).open(opened)

    def _nurse_of(self, code: Code, folder: Path) -> Nurse:
        place = (folder, code.entry)
        nurse = self._nurses.get(place)
        if nurse is None:
            nurse = Nurse(code, folder, self._means, self._warn, self._ended)
            self._nurses[place] = nurse
            if place not in self._kept_open:
                self._reactor.after(_IDLE_S, lambda: self._retire(place))
        return nurse

    def _cancel(self, key: AttemptKey) -> None:
        nurse = self._where.get(key)
        if nurse is not None:
            nurse.stop(key)
        elif self._roster.take(key):
            self._say(stopped(key, "stopped before it began"))

    def _ended(self, key: AttemptKey) -> None:
        self._where.pop(key, None)
        if self._closing and not self._where:
            self._emptied.set()

    def _retire(self, place: _Place) -> None:
        """End a nursery that has had nothing to do for long: old snapshots are not needed."""
        nurse = self._nurses[place]
        if place in self._kept_open:
            return
        idle_s = self._clock.monotonic() - nurse.idle_since if nurse.idle else 0.0
        if idle_s >= _IDLE_S:
            nurse.close()
            del self._nurses[place]
        else:
            self._reactor.after(_IDLE_S - idle_s, lambda: self._retire(place))

    def _close_doors(self) -> None:
        self._closing = True
        for nurse in self._nurses.values():
            for key in nurse.forget_waiting():
                self._where.pop(key, None)
        if not self._where:
            self._emptied.set()

    def _end_all(self, ended: threading.Event) -> None:
        self._muted = True
        for nurse in self._nurses.values():
            nurse.close()
        ended.set()

    def _say(self, report: Report) -> None:
        if not self._muted:
            self._report(report)

    def _warn(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            _LOG.warning(text)
