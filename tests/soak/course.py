"""One soak from its start to its judgement."""

import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.soak.asking import AskingError, ask, run
from tests.soak.crew import Crew, CrewError
from tests.soak.journal import RUNS, SENT, all_runs, all_sent, whole_lines
from tests.soak.judge import Evidence, Verdicts, judge
from tests.soak.nemesis import Nemesis, SecondServeError
from tests.soak.service import ServeError, Service
from tests.soak.shapes import BEAT, BEAT_S
from tests.soak.upkeep import Upkeep

PRODUCERS = 4
PROGRESS_S = 10.0
REST_S = 180.0
SENT_S = 120.0
_SHOWN = 20


class Soak:
    """Real processes in a folder, harm done to them for some minutes, and what is to be said.

    Attributes:
        over: Set it, and the harm ends; what there is is still judged.
        clock: The wall clock that is stepped, or why none can be.
    """

    def __init__(self, folder: Path, *, minutes: float, seed: int, rate: float) -> None:
        self.over = threading.Event()
        self._folder = folder
        self._minutes = minutes
        self._seed = seed
        self._begin = time.monotonic()
        self._service = Service(folder)
        self.clock = self._service.clock
        self._crew = Crew(folder, PRODUCERS, seed, rate / PRODUCERS)
        self._nemesis = Nemesis(self._service, self._crew, seed)
        self._upkeep = Upkeep(
            folder,
            self._service.store,
            every_s=min(max(minutes * 60 / 8, 15), 60),
            age_s=minutes * 60 / 3,
        )
        self._faults: list[str] = []
        self._beats_until: int | None = None
        self._with_history: dict[str, Any] = {}
        self._done = threading.Event()

    def run(self) -> dict[str, Any]:
        """The whole course; what it came to, as JSON."""
        progress = threading.Thread(target=self._tell_progress, name="progress")
        progress.start()
        try:
            with self._noting_faults():
                self._service.start()
                self._crew.start()
                self._upkeep.start()
                self._nemesis.rage(self._begin + self._minutes * 60, self.over)
            self._nemesis.relent()
            with self._noting_faults():
                self._come_to_rest()
                self._start_with_history()
                self._come_to_rest()
                self._service.end()
        finally:
            self._done.set()
            progress.join()
            self._nemesis.relent()
            self._crew.abandon()
            self._upkeep.stop()
            self._faults += self._service.abandon()
        return self._result()

    def _noting_faults(self) -> "_Noting":
        return _Noting(self._faults)

    def _come_to_rest(self) -> None:
        """With no more harm all is decided and done, in its time.

        Raises:
            ServeError: If it is not.
        """
        self._service.check()
        self._crew.end(SENT_S)
        if self._beats_until is None:
            # A clock that was stepped is right again, and what has become due by that is fired.
            self._done.wait(2 * BEAT_S)
            # What is due just before the pause may be decided just after it.
            self._beats_until = int(time.time()) - BEAT_S
            ask(self._service.store, "workflow", "pause", BEAT)
        deadline = time.monotonic() + REST_S
        while (found := run(self._service.store, "fsck", "--quiet")).returncode:
            self._service.check()
            if time.monotonic() > deadline:
                raise ServeError(f"not at rest {REST_S:.0f} s after the last fault: {found.stdout}")
            self._done.wait(1.0)

    def _start_with_history(self) -> None:
        """kill -9, and the time until it decides again with all that it has behind it."""
        counted = ask(self._service.store, "event", "count", "--all")
        self._service.kill()
        seconds = self._service.start()
        self._with_history = {
            "restart_with_history_s": round(seconds, 2),
            "history_events": counted["total"],
        }

    def _result(self) -> dict[str, Any]:
        self._faults += self._upkeep.faults
        with self._noting_faults():
            self._upkeep.harvest.gather()
        seen = self._evidence()
        verdicts = judge(seen)
        checked = run(self._service.store, "fsck", "--quiet")
        if checked.returncode:
            self._faults.append(checked.stdout + checked.stderr)
        self._tell(verdicts)
        return {
            "minutes": round((time.monotonic() - self._begin) / 60, 2),
            "seed": self._seed,
            **self._harm(),
            **_counted(seen),
            **{kind: len(sentences) for kind, sentences in asdict(verdicts).items()},
            "slowest_recovery_s": round(max(self._service.answered_s, default=0.0), 2),
            **self._with_history,
            "fsck": checked.returncode,
            "faults": self._faults,
        }

    def _evidence(self) -> Evidence:
        sent, acknowledged = all_sent(self._folder)
        return Evidence(
            sent=sent,
            acknowledged=acknowledged,
            runs=all_runs(self._folder),
            events=self._upkeep.harvest.events,
            executions=self._upkeep.harvest.executions,
            beats_until=self._beats_until,
        )

    def _harm(self) -> dict[str, Any]:
        nemesis, upkeep = self._nemesis, self._upkeep
        return {
            "kills": dict(nemesis.kills),
            "kills_in_all": nemesis.kills.total(),
            "stops": dict(nemesis.stops),
            "clock_steps": self.clock.refused or nemesis.steps,
            "second_serves_refused": nemesis.refused,
            "prunes": upkeep.prunes,
            "prunes_while_busy": upkeep.busy,
            "backups": upkeep.backups,
        }

    def _tell(self, verdicts: Verdicts) -> None:
        for kind, sentences in asdict(verdicts).items():
            for sentence in sentences[:_SHOWN]:
                print(f"{kind}: {sentence}", file=sys.stderr)
            if len(sentences) > _SHOWN:
                print(f"{kind}: and {len(sentences) - _SHOWN} more", file=sys.stderr)

    def _tell_progress(self) -> None:
        places: dict[Path, int] = {}
        counts: Counter[str] = Counter()
        while not self._done.wait(PROGRESS_S):
            for path in (self._folder / SENT).glob("*"):
                lines, places[path] = whole_lines(path, places.get(path, 0))
                counts.update(line.partition(" ")[0] for line in lines)
            executions = sum(1 for _ in (self._folder / RUNS).glob("*"))
            nemesis = self._nemesis
            print(
                f"{time.monotonic() - self._begin:6.0f} s: {counts['sent']} sent, "
                f"{counts['ack']} acknowledged, {executions} executions, "
                f"{nemesis.kills.total()} kills, {nemesis.stops.total()} stops, slowest recovery "
                f"{max(self._service.answered_s, default=0.0):.1f} s",
                file=sys.stderr,
                flush=True,
            )


def _counted(seen: Evidence) -> dict[str, Any]:
    acknowledged = {(one.sender, one.id) for one in seen.acknowledged}
    return {
        "sent": len({(one.sender, one.id) for one in seen.sent}),
        "acknowledged": len(acknowledged),
        "repeats": len(seen.acknowledged) - len(acknowledged),
        "executions": len(seen.executions),
        "by_workflow": dict(Counter(one["workflow_name"] for one in seen.executions)),
        "attempts": sum(line.what == "begin" for run in seen.runs.values() for line in run),
    }


class _Noting(suppress):
    """Keeps what never may happen, so that what there is is still judged."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__(ServeError, CrewError, SecondServeError, AskingError)
        self._faults = faults

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> bool:
        noted = bool(super().__exit__(kind, error, traceback))
        if noted:
            self._faults.append(f"{type(error).__name__}: {error}")
        return noted
