"""Which events may wait for company: those that no rule wants, told by their keys alone."""

import pytest
from core_bench import Bench, Idle

from eventflow import Event, TaskAction, Workflow
from eventflow.core.judge import any_is_wanted


def world_of_rules() -> Bench:
    """A workflow that `file.*` starts, and an execution of one whose task `go` starts."""
    bench = Bench()
    with Workflow("started") as started:
        Idle("t")
    started.trigger_on_event("file.*")
    with Workflow("waits", completion="manual") as waits:
        Idle("t").action_on_event_received(TaskAction.START, "go")
    bench.register(started)
    bench.register(waits)
    bench.run(waits)
    return bench


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        (Event("file.arrived"), True),
        (Event("go"), True),
        (Event("go", workflow_execution_id=1), True),
        (Event("nobody.listens", workflow_execution_id=1), True),
        (Event("eventflow.command.stop", {"workflow_execution_id": 1}), True),
        (Event("nobody.listens"), False),
        (Event("file"), False),
        (Event("file.arrived", namespace="other"), False),
    ],
)
def test_an_event_is_wanted_when_a_rule_may_be_met_by_it(event: Event, wanted: bool) -> None:
    assert any_is_wanted(world_of_rules().world, [event]) is wanted


def test_one_that_is_wanted_makes_all_of_an_append_wanted() -> None:
    events = [Event("nobody.listens"), Event("nobody.listens"), Event("go")]

    assert any_is_wanted(world_of_rules().world, events)
    assert not any_is_wanted(world_of_rules().world, events[:2])


def test_whatever_starts_something_is_wanted() -> None:
    for key in ("file.arrived", "go", "go.on", "file", "nobody.listens"):
        bench = world_of_rules()
        wanted = any_is_wanted(bench.world, [Event(key)])
        assert bool(bench.emit(key).changes) is wanted
