"""Registering many workflows at once (S41, S45)."""

import logging
from pathlib import Path

import pytest

from eventflow import PythonOperator, Scheduler, Workflow
from eventflow.errors import DefinitionError


def workflow(name: str, *keys: str, tasks: bool = True) -> Workflow:
    with Workflow(name) as made:
        if tasks:
            PythonOperator("t", int)
    for key in keys:
        made.trigger_on_event(key)
    return made


@pytest.mark.rule("S41")
def test_many_workflows_take_few_commits_to_register(tmp_path: Path) -> None:
    many = [workflow(f"w{number}", f"key.{number}") for number in range(200)]
    with Scheduler(f"sqlite:///{tmp_path}/store.db") as scheduler:
        scheduler.register(workflow("first"))
        before = scheduler.store.commits
        scheduler.register(*many)

        # Their snapshots, and few besides: what is asked and what is decided is done together.
        assert scheduler.store.commits - before <= len(many) + 10
        assert len(scheduler.workflows()) == 201
        scheduler.emit("key.117")
        assert scheduler.client.until(lambda: scheduler.executions() or None, 10)
        assert [one.workflow_name for one in scheduler.executions()] == ["w117"]


@pytest.mark.rule("S41")
def test_when_one_of_several_cannot_work_none_is_registered(tmp_path: Path) -> None:
    with Scheduler(f"sqlite:///{tmp_path}/store.db") as scheduler:
        with pytest.raises(DefinitionError, match="'bad' has no task"):
            scheduler.register(workflow("good"), workflow("bad", tasks=False))

        assert scheduler.workflows() == []


@pytest.mark.rule("S41")
def test_of_two_definitions_at_once_both_are_known_and_the_later_is_newest(tmp_path: Path) -> None:
    with Scheduler(f"sqlite:///{tmp_path}/store.db") as scheduler:
        scheduler.register(workflow("w", "a"), workflow("w", "b"))
        scheduler.emit("a")
        scheduler.emit("b")
        assert scheduler.client.until(lambda: scheduler.executions() or None, 10)

        (found,) = scheduler.executions()
        assert found.trigger_event is not None
        assert found.trigger_event.key == "b"


@pytest.mark.rule("S45")
def test_a_circle_is_told_once_also_when_its_workflows_come_together(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ping = workflow("ping", "eventflow.workflow.pong.success")
    pong = workflow("pong", "eventflow.workflow.ping.success")
    with caplog.at_level(logging.WARNING), Scheduler(f"sqlite:///{tmp_path}/s.db") as scheduler:
        scheduler.register(ping, workflow("other", "any.key"), pong)
        scheduler.register(workflow("another", "any.key"))

    told = [record.message for record in caplog.records if "workflow.circle" in record.message]
    assert len(told) == 1
    assert "ping -> pong -> ping" in told[0]


@pytest.mark.rule("S45")
def test_a_circle_is_told_when_its_last_workflow_comes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ping = workflow("ping", "eventflow.workflow.pong.success")
    pong = workflow("pong", "eventflow.workflow.ping.success")
    with caplog.at_level(logging.WARNING), Scheduler(f"sqlite:///{tmp_path}/s.db") as scheduler:
        scheduler.register(ping)
        assert not [one for one in caplog.records if "workflow.circle" in one.message]
        scheduler.register(pong)

    (told,) = [one.message for one in caplog.records if "workflow.circle" in one.message]
    assert "name=pong" in told
