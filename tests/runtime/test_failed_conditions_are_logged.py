"""A condition that fails is a line of the log, as an operator at night reads it (S13)."""

import logging
from pathlib import Path

import pytest

from eventflow import (
    BashOperator,
    Condition,
    Event,
    RuleContext,
    Scheduler,
    TaskAction,
    Workflow,
)


class Broken(Condition):
    """Misses what it reads."""

    def is_met(self, event: Event, context: RuleContext) -> bool:
        raise FileNotFoundError("limits.json")


@pytest.mark.rule("S13")
def test_a_condition_that_fails_is_told_with_its_rule_its_event_and_where_to_look(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Workflow("w") as workflow:
        alarm = BashOperator("alarm", bash_command="true")
        alarm.action_on_condition(TaskAction.START, Broken(["load.measured"]))
    with (
        caplog.at_level(logging.WARNING, "eventflow"),
        Scheduler(f"sqlite:///{tmp_path / 'store.db'}") as scheduler,
    ):
        scheduler.run(workflow)
        event = scheduler.emit("load.measured", 50)
        scheduler.client.until(lambda: scheduler.store.verdicts() or None, 30)

    (line,) = [text for text in caplog.messages if text.startswith("condition.failed")]
    assert f"workflow=w task=alarm rule=0 event=load.measured offset={event.offset}" in line
    assert "FileNotFoundError: limits.json" in line
    assert "eventflow event failed --open" in line
