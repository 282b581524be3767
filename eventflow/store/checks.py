"""What a check of a store is: a question to its tables, and what a fault that it finds means.

The questions ask the tables and nothing else, so that no fault of the code that reads can hide one
of the code that writes. None of them holds more than a row at a time: grouping is SQLite's.
"""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from eventflow.model.status import ALIVE, BUSY, WORKFLOW_ENDED

Ask = Callable[[sqlite3.Connection], Iterator[str]]

# What to do about a fault that no command mends.
KEEP_A_COPY = (
    "end the scheduler, copy the file and its -wal with it, restore the last good copy of the "
    "store, and report the fault with the copy"
)
STOP_IT = (
    "stop the execution by 'eventflow execution stop ID', retry it once it has ended, and report "
    "the fault"
)
LOOK_AT_IT = (
    "nothing that goes on depends on it; look at the rows before you trust what commands say of "
    "them, and report the fault"
)

_SETS = {":BUSY": BUSY, ":ALIVE": ALIVE, ":ENDED": WORKFLOW_ENDED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that must be so after every commit.

    Attributes:
        number: Of the invariant of the architecture, of reliability as `G1`, or the rule as `S43`.
        means: What must be so, in one sentence.
        remedy: What to do when it is not.
        ask: Yields a line for each fault, which names the rows.
    """

    name: str
    number: str
    means: str
    remedy: str
    ask: Ask


def check(number: str, means: str, *, remedy: str = KEEP_A_COPY) -> Callable[[Ask], Check]:
    """Make a question a check, named as its function."""

    def made(ask: Ask) -> Check:
        name = ask.__name__.replace("_", "-")
        return Check(name=name, number=number, means=means, remedy=remedy, ask=ask)

    return made


def each(
    connection: sqlite3.Connection, words: str, question: str, *, given: str = ""
) -> Iterator[str]:
    """A line for each row of an answer.

    Args:
        words: With as many `{}` as the answer has columns.
        question: A SELECT; `:BUSY`, `:ALIVE` and `:ENDED` stand for sets of statuses.
        given: What its names stand for: a WITH before it.
    """
    for row in connection.execute(with_statuses(given + question)):
        yield words.format(*row)


@cache
def with_statuses(question: str) -> str:
    """Put the statuses where a question names a set of them."""
    for name, statuses in _SETS.items():
        listed = ", ".join(f"'{status}'" for status in sorted(statuses))
        question = question.replace(name, f"({listed})")
    return question
