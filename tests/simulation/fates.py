"""What goes wrong in one history, and how often: drawn once, then asked at every turn."""

from collections import Counter
from random import Random

from tests.simulation.course import Course

# Fault -> the most often that it happens, as a chance at each occasion.
FAULTS = {
    "commit: died before": 0.1,
    "commit: died after": 0.1,
    "commit: busy": 0.08,
    "commit: full": 0.08,
    "commit: error, not written": 0.1,
    "commit: error, written": 0.1,
    "commit: a statement fails": 0.1,
    "commit: died at a statement": 0.1,
    "append: busy": 0.08,
    "append: error, not written": 0.05,
    "append: error, written": 0.08,
    "append: a statement fails": 0.08,
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
    "clock: days": 0.1,
    "process: died": 0.06,
    "code: changed": 0.3,
    "code: not at hand": 0.15,
    "event: same id again": 0.3,
    "event: same id, other value": 0.1,
    "command: malformed": 0.1,
    "condition: raises": 0.3,
    "retention: prunes": 0.8,
    "retention: takes code": 0.5,
    "retention: a statement fails": 0.3,
    "retention: died at a statement": 0.3,
}
_APART = 1_000_003


class Fates:
    """The dice of one history. Everything that is left to chance asks here.

    Each step has dice of its own, so that one that is left out changes nothing of what is thrown in
    the others; and a fault that never happens throws all the same.
    """

    def __init__(self, course: Course) -> None:
        self._seed = course.seed
        self.dice = Random(course.seed)
        # In most histories most faults never happen: what is rare beside much else is seen too.
        often = self.dice.choice([0.1, 0.3, 0.6, 0.9])
        rates = {
            fault: most * self.dice.random() if self.dice.random() < often else 0.0
            for fault, most in FAULTS.items()
        }
        self.rates = rates | dict.fromkeys(course.without & rates.keys(), 0.0)
        self.happened: Counter[str] = Counter()
        self.calm = False

    def turn_to(self, step: int) -> None:
        """Take the dice of a step."""
        self.dice.seed(self._seed * _APART + step)

    def strikes(self, fault: str) -> bool:
        """Whether a fault happens now; never once it is calm."""
        if self.dice.random() >= self.rates[fault] or self.calm:
            return False
        self.happened[fault] += 1
        return True
