"""Who does the harm: kills, stops, clocks, a second scheduler. Every choice is the seed's."""

import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable

from tests.soak.crew import Crew
from tests.soak.journal import append, open_to_append
from tests.soak.processes import Process, attempts, look_at, nurseries
from tests.soak.service import Service

PAUSE_S = (1.0, 4.0)
STOPPED_S = (0.5, 30.0)
AHEAD_S = 20.0
FED_S, LATE_S = (0.3, 2.0), (0.0, 4.0)
_REFUSED_S = 60.0


class SecondServeError(Exception):
    """A second `serve` was let in beside the first."""


class Nemesis:
    """Faults, one after the other; what is stopped goes on later, beside the next ones.

    Attributes:
        kills: How many, by what was killed.
        stops: How many, by what was stopped.
        steps: How often the wall clock of `serve` was stepped.
        refused: How many second `serve`s were refused.
    """

    def __init__(self, service: Service, crew: Crew, seed: int) -> None:
        self._service = service
        self._crew = crew
        self._dice = random.Random(f"{seed} nemesis")
        self._stopped: list[tuple[float, Process]] = []
        self._journal = open_to_append(service.folder / "nemesis")
        self.kills: Counter[str] = Counter()
        self.stops: Counter[str] = Counter()
        self.refused = self.steps = 0
        self._bag: list[Callable[[], None]] = []
        self._faults: dict[Callable[[], None], int] = {
            self._kill_scheduler: 5,
            self._kill_nursery: 3,
            self._kill_task: 5,
            self._kill_producer: 3,
            self._kill_all: 2,
            self._wake_late: 2,
            lambda: self._stop("scheduler", look_at(service.pid)): 1,
            lambda: self._stop("nursery", self._one(nurseries(service.pid))): 2,
            lambda: self._stop("task", self._one(attempts(service.pid))): 2,
            self._second_serve: 2,
            self._step_clock: 0 if service.clock.refused else 2,
        }

    def rage(self, until: float, over: threading.Event) -> None:
        """Do harm until an instant of the monotonic clock, or until it is over."""
        while not over.is_set() and time.monotonic() < until:
            if self._rest(min(time.monotonic() + self._dice.uniform(*PAUSE_S), until), over):
                break
            self._service.check()
            self._crew.check()
            self._next_fault()()

    def relent(self) -> None:
        """Have all go on that is stopped, by the clock of the machine."""
        self._service.clock.set_ahead(0)
        while self._stopped:
            self._go_on(self._stopped.pop()[1])

    def _next_fault(self) -> Callable[[], None]:
        """Out of a bag that is filled again when it is empty: each kind comes soon."""
        if not self._bag:
            for fault, count in self._faults.items():
                self._bag += [fault] * count
            self._dice.shuffle(self._bag)
        return self._bag.pop()

    def _rest(self, until: float, over: threading.Event) -> bool:
        """Wait, and have those go on whose time has come; whether it is over."""
        while (now := time.monotonic()) < until:
            self._stopped.sort(key=lambda one: one[0])
            while self._stopped and self._stopped[0][0] <= now:
                self._go_on(self._stopped.pop(0)[1])
            next_one = min([until, *(at for at, _ in self._stopped)])
            if over.wait(max(next_one - now, 0)):
                return True
        return False

    def _kill_scheduler(self) -> None:
        self._note(f"kill scheduler {self._service.pid}")
        self._service.kill()
        self.kills["scheduler"] += 1
        self._start_again()

    def _wake_late(self) -> None:
        """A nursery that was stopped wakes when its scheduler is dead and the next one begins.

        What it was told to begin meanwhile, it must not begin.
        """
        nursery = self._one(nurseries(self._service.pid))
        if nursery is None or not nursery.send(signal.SIGSTOP):
            return
        self._note(f"stop nursery {nursery.pid} until its scheduler is dead")
        self.stops["nursery"] += 1
        threading.Event().wait(self._dice.uniform(*FED_S))
        late = threading.Timer(self._dice.uniform(*LATE_S), self._go_on, [nursery])
        late.start()
        try:
            self._kill_scheduler()
        finally:
            late.join()

    def _kill_nursery(self) -> None:
        self._kill("nursery", self._one(nurseries(self._service.pid)))

    def _kill_task(self) -> None:
        self._kill("task", self._one(attempts(self._service.pid)))

    def _kill_producer(self) -> None:
        name = self._dice.choice(self._crew.names)
        self._note(f"kill producer {self._crew.pid(name)}")
        self._crew.kill(name)
        self.kills["producer"] += 1

    def _kill_all(self) -> None:
        below = [*nurseries(self._service.pid), *attempts(self._service.pid)]
        self._note(f"kill all {self._service.pid} {' '.join(str(one.pid) for one in below)}")
        self._dice.shuffle(below)
        for one in below[: len(below) // 2]:
            one.kill_group()
        self._service.kill()
        for one in below[len(below) // 2 :]:
            one.kill_group()
        for name in self._crew.names:
            self._crew.kill(name)
        self.kills["all"] += 1
        self._start_again()

    def _start_again(self) -> None:
        took = self._service.start()
        self._note(f"started {self._service.pid} answered {took:.2f}")

    def _kill(self, what: str, process: Process | None) -> None:
        if process is not None and process.kill_group():
            self._note(f"kill {what} {process.pid}")
            self.kills[what] += 1

    def _stop(self, what: str, process: Process | None) -> None:
        if process is not None and process.send(signal.SIGSTOP):
            seconds = self._dice.uniform(*STOPPED_S)
            self._note(f"stop {what} {process.pid} for {seconds:.1f}")
            self._stopped.append((time.monotonic() + seconds, process))
            self.stops[what] += 1

    def _go_on(self, process: Process) -> None:
        self._note(f"go on {process.pid}")
        process.send(signal.SIGCONT)

    def _step_clock(self) -> None:
        seconds = self._dice.uniform(-AHEAD_S, AHEAD_S)
        self._note(f"clock {seconds:+.1f}")
        self._service.clock.set_ahead(seconds)
        self.steps += 1

    def _second_serve(self) -> None:
        """A second `serve` on the same store ends, and says who has it."""
        self._note("second serve")
        second = self._service.launch("second.log")
        assert second.stdout is not None
        try:
            said, _ = second.communicate(timeout=_REFUSED_S)
        except subprocess.TimeoutExpired as error:
            raise SecondServeError("a second serve has not ended") from error
        finally:
            second.kill()
            second.wait()
        if second.returncode == 0 or b"ready" in said:
            raise SecondServeError(f"a second serve was let in: {said!r}")
        self.refused += 1

    def _one(self, processes: list[Process]) -> Process | None:
        return self._dice.choice(processes) if processes else None

    def _note(self, line: str) -> None:
        append(self._journal, f"{time.monotonic_ns()} {line}")
