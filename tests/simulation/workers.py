"""Workers that run nothing and die, hang, and report late, twice and in any order."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from eventflow.executors.attempt import lost, refusal
from eventflow.executors.failure import plain_failure
from eventflow.executors.port import AttemptKey, Code, Desk, Job, Report, ReportKind
from eventflow.model.jsonvalue import encode
from eventflow.model.operator import Operator
from eventflow.testing.clock import VirtualClock
from tests.simulation.fates import Fates
from tests.simulation.flows import RESULTS


@dataclass
class Spool:
    """What outlives a death: marks of attempts that began, and how they ended."""

    outcomes: dict[AttemptKey, Report | None] = field(default_factory=dict)
    said: list[Report] = field(default_factory=list)


class Sent(NamedTuple):
    """A report on its way."""

    at: datetime
    report: Report


class Workers:
    """An Executor of one process; `fault` is told what no scheduler may ask."""

    def __init__(
        self, clock: VirtualClock, fates: Fates, spool: Spool, fault: Callable[[str], None]
    ) -> None:
        self._clock = clock
        self._fates = fates
        self._spool = spool
        self._fault = fault
        self._running: dict[AttemptKey, datetime | None] = {}
        self._taken: set[AttemptKey] = set()
        self._sent: list[Sent] = []

    def recover(self) -> list[Report]:
        found = self._spool.outcomes.items()
        return [outcome or lost(key, "it ran when the process died") for key, outcome in found]

    def start(
        self, desk: Desk, report: Callable[[Report], None], find: Callable[[Job], Operator]
    ) -> None:
        self._report = report

    def prepare(self, code: Code) -> None:
        """Nothing runs here."""

    def submit(self, job: Job) -> None:
        key = job.key
        if key in self._taken:
            return
        self._taken.add(key)
        others = [one for one in self._running if one[0] == key[0]]
        if others:
            self._fault(f"attempt {key} begins while {others} runs")
        if self._fates.strikes("worker: refused"):
            self._send(refusal(key, ValueError("no"), "it cannot be started"))
            return
        self._spool.outcomes[key] = None
        self._send(Report(key=key, kind=ReportKind.RUNNING))
        self._running[key] = self._end_of()

    def cancel(self, key: AttemptKey) -> None:
        self._taken.add(key)
        was_running = key in self._running
        self._running.pop(key, None)
        report = Report(key=key, kind=ReportKind.STOPPED)
        if was_running:
            # Now and then it ends by itself before it can be stopped.
            report = self._ending(key) if self._fates.dice.random() < 0.2 else report
            self._spool.outcomes[key] = report
        self._send(report)

    def confirm(self, key: AttemptKey) -> None:
        if key in self._running:
            self._fault(f"attempt {key} is forgotten while it runs")
        self._spool.outcomes.pop(key, None)

    def stop(self, grace_s: float) -> None:
        """A process that dies stops nothing."""

    def die(self) -> None:
        """The process has ended, and all that ran in it: some had just come to an end."""
        for key in self._running:
            if self._fates.strikes("worker: mark not written"):
                self._spool.outcomes.pop(key, None)
            elif self._fates.dice.random() < 0.3:
                self._spool.outcomes[key] = self._ending(key)
        # One that was refused has left no mark: the next process begins the same attempt, and
        # nobody is left who could say that it was refused.
        self._spool.said = [one for one in self._spool.said if one.kind is not ReportKind.REFUSED]

    def next_instant(self) -> datetime | None:
        """When a worker ends, or a report arrives."""
        ends = [at for at in self._running.values() if at is not None]
        return min([*ends, *(sent.at for sent in self._sent)], default=None)

    def go_on(self) -> bool:
        """End one attempt or deliver one report that is due; `False` when there is none."""
        now = self._clock.now()
        due = [key for key, at in self._running.items() if at is not None and at <= now]
        if due:
            self._end(self._fates.dice.choice(due))
            return True
        arrived = [sent for sent in self._sent if sent.at <= now]
        if not arrived:
            return False
        sent = self._fates.dice.choice(arrived) if self._may_mix(arrived) else arrived[0]
        self._sent.remove(sent)
        self._report(sent.report)
        if self._fates.strikes("report: twice"):
            self._report(sent.report)
        return True

    def say_again(self) -> bool:
        """Report something that was said long ago, perhaps in an earlier life."""
        if not self._spool.said or not self._fates.strikes("report: long after"):
            return False
        self._report(self._fates.dice.choice(self._spool.said))
        return True

    def lose(self) -> bool:
        """The worker of a running attempt dies."""
        if not self._running or not self._fates.strikes("worker: lost"):
            return False
        key = self._fates.dice.choice(list(self._running))
        del self._running[key]
        self._finish(lost(key, "its worker died"))
        return True

    def calm_down(self) -> None:
        """Whoever runs ends now, and what is under way arrives."""
        now = self._clock.now()
        self._running = dict.fromkeys(self._running, now)
        self._sent = [sent._replace(at=now) for sent in self._sent]

    def _may_mix(self, arrived: list[Sent]) -> bool:
        return len(arrived) > 1 and self._fates.rates["report: late"] > 0 and not self._fates.calm

    def _end_of(self) -> datetime | None:
        if self._fates.strikes("worker: silent"):
            return None
        # When it is calm everybody is quick, so that all comes to an end.
        after = 0 if self._fates.calm else self._fates.dice.choice([0, 0, 1, 3, 20, 60])
        return self._clock.now() + timedelta(seconds=after)

    def _end(self, key: AttemptKey) -> None:
        del self._running[key]
        self._finish(self._ending(key))

    def _finish(self, report: Report) -> None:
        if report.key in self._spool.outcomes:
            self._spool.outcomes[report.key] = report
        self._send(report)

    def _ending(self, key: AttemptKey) -> Report:
        dice = self._fates.dice
        kind = dice.choice(["success", "success", "success", "failed", "skipped"])
        if kind == "success":
            return Report(key=key, kind=ReportKind.SUCCESS, result=encode(dice.choice(RESULTS)))
        if kind == "skipped":
            return Report(key=key, kind=ReportKind.SKIPPED, reason="nothing to do")
        failure = plain_failure(RuntimeError, "it was to fail", key.attempt)
        retryable = dice.random() < 0.8
        return Report(
            key=key, kind=ReportKind.FAILED, failure=failure, retryable=retryable, chance=0.5
        )

    def _send(self, report: Report) -> None:
        late = self._fates.strikes("report: late")
        seconds = self._fates.dice.choice([1, 10, 40]) if late else 0
        self._sent.append(Sent(self._clock.now() + timedelta(seconds=seconds), report))
        self._spool.said.append(report)
