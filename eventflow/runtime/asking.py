"""What conditions say in a replay: what is recorded; and, beside it, what they say today."""

from typing import Any

from eventflow.core.asked import Writes, apart, asked_of, recall
from eventflow.core.judge import Answer, Ask
from eventflow.model.condition import Condition
from eventflow.model.context import RuleContext
from eventflow.model.event import Event
from eventflow.model.jsonvalue import read
from eventflow.runtime.differences import Replayed, Unsteady
from eventflow.store.recording import Stored

_NOT_THEN = "it was not asked then"


class Asking:
    """Answers as recorded.

    Args:
        found: Is told of conditions that answer otherwise today.
        ask: Asks them again; `None` asks none. What they write is compared, and goes nowhere.
    """

    def __init__(self, found: Replayed, ask: Ask | None) -> None:
        self._found = found
        self._again = ask
        self._turn = 0
        self._key = ""
        self._verdicts: list[Stored] = []
        self._told: set[tuple[str, str, str, int]] = set()

    def begin(self, turn: int, key: str, verdicts: list[Stored]) -> None:
        """Be ready for the questions of a turn; of those of one rule the first comes first."""
        self._turn, self._key = turn, key
        self._verdicts = list(verdicts)

    def ask(
        self, condition: Condition, event: Event, context: RuleContext, snapshot: str
    ) -> Answer:
        verdict = self._take(*asked_of(context))
        if verdict is None:
            return Answer(False, _NOT_THEN)
        writes: Writes = read(verdict["writes"])
        if self._again is not None:
            shadow, written = apart(context)
            answer = self._again(condition, event, shadow, snapshot)
            self._found.asked += 1
            self._compare(verdict, writes, answer, written)
        recall(context, writes)
        return Answer(bool(verdict["met"]), _fault_of(verdict))

    def _take(self, execution_id: int | None, rule: str) -> Stored | None:
        """What the condition of a rule said: a verdict may also be of one that is never asked."""
        for place, verdict in enumerate(self._verdicts):
            if (verdict["workflow_execution_id"], _rule_of(verdict)) == (execution_id, rule):
                return self._verdicts.pop(place)
        return None

    def _compare(self, verdict: Stored, writes: Writes, answer: Answer, written: Writes) -> None:
        then = _said(bool(verdict["met"]), _fault_of(verdict), writes)
        now = _said(answer.met, answer.error, written)
        # A traceback names files and lines, which may be others by now.
        if {**then, "error": bool(then["error"])} == {**now, "error": bool(now["error"])}:
            return
        name = (verdict["namespace"], verdict["workflow"], verdict["task"], verdict["rule"])
        if name in self._told:
            return
        self._told.add(name)
        self._found.unsteady.append(
            Unsteady(
                turn=self._turn,
                event=self._key,
                namespace=name[0],
                workflow=name[1],
                task=name[2],
                rule=name[3],
                workflow_execution_id=verdict["workflow_execution_id"],
                then=then,
                now=now,
            )
        )


def _fault_of(verdict: Stored) -> str:
    """Why a condition had no answer; a verdict that is met says why it was not followed (S45)."""
    return "" if verdict["met"] else str(verdict["error"])


def _rule_of(verdict: Stored) -> str:
    return f"{verdict['task'] or 'trigger'}/{verdict['rule']}"


def _said(met: bool, error: str, writes: Writes) -> dict[str, Any]:
    """An answer; one that failed wrote nothing (S13)."""
    last = error.strip().rpartition("\n")[2]
    return {"met": met, "error": last, "writes": {} if error else dict(writes)}
