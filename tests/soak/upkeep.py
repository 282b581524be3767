"""What goes on beside a soak all the time: the store is read, pruned and backed up."""

import threading
import time
from pathlib import Path

from tests.soak.asking import AskingError, ask, run
from tests.soak.harvest import Harvest

PRUNE_EVERY, BACKUP_EVERY = 2, 3
# What a prune takes has ended so long ago, also by a clock that was stepped, that the harvest
# before it has seen it.
_LEAST_AGE_S = 60
_SOON_S = 20.0


class Upkeep(threading.Thread):
    """Gathers every `every_s`, prunes every second time, and backs up every third.

    Args:
        age_s: What ended longer ago is pruned.

    Attributes:
        faults: What went wrong that never may.
        busy: Prunes that found the store held by a process that was stopped.
    """

    def __init__(self, folder: Path, store: str, *, every_s: float, age_s: float) -> None:
        super().__init__(name="upkeep")
        self.harvest = Harvest(store)
        self.prunes = self.backups = self.busy = 0
        self.faults: list[str] = []
        self._folder = folder
        self._store = store
        self._every_s = every_s
        self._age_s = max(int(age_s), _LEAST_AGE_S)
        self._over = threading.Event()

    def run(self) -> None:
        rounds = 0
        while not self._over.wait(self._every_s):
            rounds += 1
            try:
                self._go_round(rounds)
            except (AskingError, ValueError) as error:
                self.faults.append(str(error))

    def stop(self) -> None:
        """Returns when the round that is under way is over."""
        self._over.set()
        if self.is_alive():
            self.join()

    def _go_round(self, rounds: int) -> None:
        if rounds % BACKUP_EVERY == 0:
            self._back_up()
        begin = time.monotonic()
        self.harvest.gather()
        if rounds % PRUNE_EVERY == 0 and time.monotonic() - begin < _SOON_S:
            self._prune()

    def _prune(self) -> None:
        done = run(self._store, "db", "prune", "--older-than", f"{self._age_s}s", "--json")
        if done.returncode == 0:
            self.prunes += 1
        elif "busy" in done.stderr or "locked" in done.stderr:
            self.busy += 1
        else:
            raise AskingError(f"db prune: exit {done.returncode}: {done.stderr[-2000:]}")

    def _back_up(self) -> None:
        file = self._folder / f"backup{self.backups}.db"
        ask(self._store, "db", "backup", str(file))
        checked = run(f"sqlite:///{file}", "fsck")
        if checked.returncode:
            raise AskingError(f"{file} is not whole: {checked.stdout}{checked.stderr}")
        self.backups += 1
        for path in self._folder.glob(f"{file.name}*"):
            if path.is_file():
                path.unlink()
