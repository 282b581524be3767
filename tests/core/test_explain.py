"""Causes and last events, from facts alone (S42)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from eventflow.core.explain import Act, Subject, before, last_event, link_of
from eventflow.core.explanation import How, LastEvent, Link
from eventflow.core.waiting import arrived, missing
from eventflow.model.condition import (
    AllOf,
    AnyOf,
    Condition,
    EventCondition,
    TaskStatusCondition,
)
from eventflow.model.event import Event
from eventflow.model.records import (
    DecisionRecord,
    TaskExecution,
    TaskExecutionKey,
    VerdictRecord,
    WorkflowExecution,
)
from eventflow.model.status import ExecutionType, TaskStatus, WorkflowStatus

pytestmark = pytest.mark.rule("S42")
NOW = datetime(2025, 3, 1, tzinfo=UTC)
X, Y, Z = (EventCondition(key) for key in "xyz")
EXECUTION = WorkflowExecution(
    id=3,
    workflow_name="shop",
    namespace="default",
    execution_type=ExecutionType.MANUAL,
    status=WorkflowStatus.RUNNING,
)


def came(key: str = "x", value: Any = None, *, sender: str = "", turn: int = 7) -> Event:
    return Event(key, value, sender=sender, time=NOW, logged_at=NOW, offset=5, turn=turn)


def decided(did: str, rule: int | None = 0) -> DecisionRecord:
    return DecisionRecord(
        turn=7,
        event_key="x",
        event_offset=5,
        at=NOW,
        workflow_execution_id=3,
        workflow="shop",
        task="pack",
        rule=rule,
        action="START",
        did=did,
        task_execution_id=None,
    )


def said(**told: Any) -> VerdictRecord:
    fields: dict[str, Any] = {
        "turn": 7,
        "event_key": "x",
        "event_offset": 5,
        "at": NOW,
        "workflow_execution_id": 3,
        "namespace": "default",
        "workflow": "shop",
        "task": "pack",
        "rule": 0,
        "met": False,
    }
    return VerdictRecord(**{**fields, **told})


def link(event: Event | None, how: How = How.RULE) -> Link:
    return Link(workflow_execution_id=3, workflow="shop", did="started", how=how, event=event)


@pytest.mark.parametrize(
    ("one", "next_subject"),
    [
        (link(came(sender="till-7")), None),
        (link(came(sender="3_pick_up_12")), Subject(key=TaskExecutionKey(3, "pick_up", 12))),
        (
            link(came("eventflow.task.shop.pick.success", {"task_execution_id": 4})),
            Subject(task_execution_id=4),
        ),
        (
            link(came("eventflow.workflow.shop.failed", {"workflow_execution_id": 9})),
            Subject(workflow_execution_id=9),
        ),
        (link(None, How.AUTOSTART), Subject(workflow_execution_id=3)),
        (link(came("eventflow.timer.periodic"), How.PERIODIC), None),
        (link(came("eventflow.command.task"), How.COMMAND), None),
        (link(None, How.UNKNOWN), None),
    ],
)
def test_each_link_says_what_to_ask_about_next(one: Link, next_subject: Subject | None) -> None:
    assert before(one) == next_subject


def test_a_run_whose_decision_is_gone_is_not_given_a_cause() -> None:
    run = TaskExecution(
        id=1,
        workflow_execution_id=3,
        task_name="pack",
        sequence_number=2,
        attempt=1,
        status=TaskStatus.SUCCESS,
        started_by="x",
    )

    assert link_of(Act(execution=EXECUTION, run=run)).how is How.UNKNOWN


def test_what_a_rule_made_of_its_last_event() -> None:
    class Asked(Condition):
        def is_met(self, event: Event, context: Any) -> bool:
            return False

    def told(condition: Condition, event: Event | None = None, **facts: Any) -> LastEvent:
        given: dict[str, Any] = {
            "decisions": [],
            "verdict": None,
            "wanted": (),
            "ended_at": None,
        }
        return last_event(event or came(), 0, condition, **(given | facts))

    asked = Asked(["x"])
    assert told(X, came(turn=0)).did == "undecided"
    assert told(X, decisions=[decided("ignored: alive")]).did == "ignored: alive"
    shadowed = told(X, decisions=[decided("stopped", 1), decided("shadowed", 0)])
    assert (shadowed.did, shadowed.why) == (
        "shadowed",
        "rule 1 of the task was met first: START stopped",
    )
    failed = told(asked, verdict=said(error="Traceback"))
    assert (failed.did, failed.error) == ("failed", "Traceback")
    no = told(asked, verdict=said(writes={"pack/0:seen": 2, "pack/0:@latched": [0]}))
    assert (no.did, no.wrote) == ("not met", {"seen": 2})
    assert told(X & Y, wanted=("event y",)).why == "not enough yet: event y"
    assert told(X).did == "not asked"
    assert told(X, ended_at=NOW - timedelta(seconds=1)).why == "the execution had ended by then"


def test_what_is_latched_is_not_missing_at_any_depth() -> None:
    pack = TaskStatusCondition("pack", TaskStatus.SUCCESS)
    condition = AllOf(AnyOf(AllOf(X, Y), Z), pack)
    latches = {".0.0": [1]}

    assert missing(condition, {}, latches) == [
        "event x or event z",
        "pack is SUCCESS (not started yet)",
    ]
    assert arrived(condition, latches) == [Y]
    assert missing(condition, {"pack": TaskStatus.SUCCESS}, {"": [0]}) == []
