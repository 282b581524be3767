"""A time limit round users' conditions: asked on a judge thread, abandoned past it (S13)."""

import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterable

from eventflow.core.decision import Decision
from eventflow.core.judge import Answer
from eventflow.executors.failure import name_of, traceback_of
from eventflow.model.condition import Condition
from eventflow.model.context import RuleContext
from eventflow.model.event import Event

log = logging.getLogger("eventflow")
MAX_HANGS = 3


def ask_here(condition: Condition, event: Event, context: RuleContext, snapshot: str) -> Answer:
    """Ask a condition on this thread, with no limit of time.

    What it raises, and what it answers, are users' code too: asking either may raise again, and
    its words may be of any length and no valid Unicode, which no store could keep.
    """
    try:
        answer: object = condition.is_met(event, context)
        if answer is None or isinstance(answer, bool | int | float) or _is_truth(answer):
            return Answer(bool(answer))
    except BaseException as error:
        return Answer(False, traceback_of(error))
    return Answer(False, f"is_met returned a {name_of(answer)}; it answers True or False")


def log_failed(decisions: Iterable[Decision]) -> None:
    """One line in the log for each condition that failed (S13), or rule not followed (S45)."""
    for decision in decisions:
        for verdict in decision.verdicts:
            if verdict.error:
                log.warning(
                    "%s workflow=%s task=%s rule=%s event=%s offset=%s error=%r "
                    "look_at='eventflow event failed --open'",
                    "rule.not_followed" if verdict.met else "condition.failed",
                    verdict.workflow[1],
                    verdict.task or "-",
                    verdict.number,
                    decision.event.key,
                    decision.event.offset or "-",
                    verdict.error.rstrip().rpartition("\n")[2][:200],
                )


def _is_truth(answer: object) -> bool:
    """Whether it is one truth value of a library's own, as `numpy.bool_` is (S24).

    A text, a list or a coroutine is truthy too, and always a mistake.
    """
    kind = type(answer)
    return hasattr(kind, "__bool__") and not hasattr(kind, "__len__")


class Guard:
    """Asks conditions on one judge thread at a time.

    A condition that overruns leaves its thread behind: Python cannot kill it. After three such, the
    conditions of that snapshot are not asked any more.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._hangs: Counter[str] = Counter()
        self._judge: _Judge | None = None

    def ask(
        self, condition: Condition, event: Event, context: RuleContext, snapshot: str
    ) -> Answer:
        """Ask; never raises, and answers within the time-out."""
        if self._hangs[snapshot] >= MAX_HANGS:
            return Answer(
                False,
                f"not asked: conditions of this workflow hung {MAX_HANGS} times; they are "
                f"suspended until the scheduler starts again or the workflow changes",
            )
        if self._judge is None:
            self._judge = _Judge()
        answer = self._judge.ask(
            lambda: ask_here(condition, event, context, snapshot), self._timeout_s
        )
        if answer is None:
            self._judge = None
            self._hangs[snapshot] += 1
            name = name_of(condition)
            return Answer(False, f"{name}.is_met took longer than {self._timeout_s} s")
        return answer

    def close(self) -> None:
        """Let the judge thread go."""
        if self._judge is not None:
            self._judge.close()
            self._judge = None


class _Judge:
    """One thread that answers one question at a time."""

    def __init__(self) -> None:
        self._questions: queue.SimpleQueue[Callable[[], Answer] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="eventflow-judge", daemon=True).start()

    def ask(self, question: Callable[[], Answer], timeout_s: float) -> Answer | None:
        self._questions.put(question)
        try:
            return self._answers.get(timeout=timeout_s)
        except queue.Empty:
            self.close()
            return None

    def close(self) -> None:
        self._questions.put(None)

    def _work(self) -> None:
        while (question := self._questions.get()) is not None:
            self._answers.put(question())
