"""A history that goes wrong is made as small as it can be, and still goes wrong the same way."""

import re
import sys
import time
from collections.abc import Iterable
from dataclasses import replace

from tests.simulation.course import Course
from tests.simulation.fates import FAULTS
from tests.simulation.places import Disk
from tests.simulation.runner import Told, play_one

MOST_S = 120.0


def shrunk(told: Told, disk: Disk) -> Told:
    """Leave out steps and faults, as many as can be, in some two minutes."""
    return _Shrinking(told, disk).smallest()


class _Shrinking:
    """The smallest history so far."""

    def __init__(self, told: Told, disk: Disk) -> None:
        self._best = told
        self._wrong = _kind(told.wrong)
        self._disk = disk
        self._until = time.monotonic() + MOST_S

    def smallest(self) -> Told:
        self._steps(range(max(self._best.at + 1, 0)))
        self._faults(FAULTS)
        before = None
        while before != self._best.course and time.monotonic() < self._until:
            before = self._best.course
            self._drop_steps()
            self._faults(sorted(FAULTS.keys() - self._best.course.without))
        self._faults_that_never_were()
        return self._best

    def _steps(self, numbers: Iterable[int]) -> bool:
        return self._is_as_wrong(replace(self._best.course, only=frozenset(numbers)))

    def _drop_steps(self) -> None:
        """Leave out ever smaller stretches, down to single steps."""
        left = sorted(self._best.course.only or ())
        size = max(len(left) // 2, 1)
        while left:
            at = 0
            while at < len(left):
                rest = left[:at] + left[at + size :]
                if self._steps(rest):
                    left = rest
                else:
                    at += size
            if size == 1:
                return
            size //= 2

    def _faults(self, faults: Iterable[str]) -> None:
        for fault in faults:
            if self._best.happened[fault]:
                course = self._best.course
                self._is_as_wrong(replace(course, without=course.without | {fault}))

    def _faults_that_never_were(self) -> None:
        """What is left out though it would not have happened need not be named."""
        for fault in sorted(self._best.course.without):
            course = self._best.course
            self._is_as_wrong(replace(course, without=course.without - {fault}))

    def _is_as_wrong(self, course: Course) -> bool:
        if time.monotonic() > self._until:
            return False
        told = play_one(course, self._disk)
        if _kind(told.wrong) != self._wrong:
            return False
        self._best = told
        steps = len(told.course.only or ())
        print(f"\r{steps} steps ", end="", file=sys.stderr, flush=True)
        return True


def _kind(wrong: str) -> str:
    """What is wrong, whichever run or turn it is about."""
    return re.sub(r"[\d.:+-]+", "#", wrong)[:60]
