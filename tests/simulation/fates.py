"""What goes wrong in one seed, and how often: drawn once, then asked at every turn."""

from collections import Counter
from random import Random

# Fault -> the most often that it happens, as a chance at each occasion.
FAULTS = {
    "commit: died before": 0.1,
    "commit: died after": 0.1,
    "commit: busy": 0.08,
    "commit: full": 0.08,
    "commit: error, not written": 0.1,
    "commit: error, written": 0.1,
    "append: busy": 0.08,
    "append: error, not written": 0.05,
    "append: error, written": 0.08,
    "read: error": 0.1,
    "start: error": 0.1,
    "report: late": 0.4,
    "report: twice": 0.4,
    "report: long after": 0.3,
    "worker: lost": 0.6,
    "worker: silent": 0.15,
    "worker: refused": 0.1,
    "worker: mark not written": 0.3,
    "clock: forward": 0.2,
    "clock: back": 0.2,
    "process: died": 0.06,
    "code: changed": 0.3,
    "code: not at hand": 0.15,
    "event: same id again": 0.3,
    "event: same id, other value": 0.1,
    "command: malformed": 0.1,
    "condition: raises": 0.3,
}


class Fates:
    """The dice of one seed. Everything that is left to chance asks here."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        # In most histories most faults never happen: what is rare beside much else is seen too.
        often = self.dice.choice([0.1, 0.3, 0.6, 0.9])
        self.rates = {
            fault: most * self.dice.random() if self.dice.random() < often else 0.0
            for fault, most in FAULTS.items()
        }
        self.happened: Counter[str] = Counter()
        self.calm = False

    def strikes(self, fault: str) -> bool:
        """Whether a fault happens now; never once it is calm."""
        rate = self.rates[fault]
        if self.calm or not rate or self.dice.random() >= rate:
            return False
        self.happened[fault] += 1
        return True
