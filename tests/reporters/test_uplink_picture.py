"""Pictures and lineage from what a store says, and both wire formats."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from eventflow import (
    EventCondition,
    Operator,
    PythonOperator,
    Scheduler,
    TaskAction,
    TaskContext,
    TaskStatus,
    TaskStatusCondition,
    Workflow,
)
from eventflow.model.event import Event
from eventflow.model.records import AttemptFailure
from eventflow.reporters import UplinkConfig
from eventflow.reporters.lineage import Ancestry
from eventflow.reporters.picture import Definition, Picture, picture_of
from eventflow.reporters.wire import Report, request_of
from eventflow.testing import VirtualScheduler

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def look(scheduler: VirtualScheduler, workflow: Workflow) -> Picture:
    return picture_of(scheduler.store, scheduler.execution(), Definition(workflow))


def origins(picture: Picture) -> dict[str, list[str]]:
    """Run -> the runs it came from, without the id of the execution."""
    return {
        run.key.partition("_")[2]: [one.partition("_")[2] for one in run.predecessors]
        for run in picture.runs
    }


def sent(picture: Picture, **settings: Any) -> tuple[str, str, Any]:
    """Method, URL and body of the request for a picture."""
    config = UplinkConfig(url="https://platform.example/api", **settings)
    report = Report(picture=picture, id="0190-x", number=7, at=AT)
    request = request_of(report, config, token="")
    return request.method, request.url, json.loads(request.body)


class Talkative(Operator):
    """Says much."""

    def start(self, context: TaskContext) -> None:
        """Do nothing."""


def with_docs() -> None:
    """Fetch the numbers.

    Twice a day.
    """


def diamond() -> Workflow:
    with Workflow("diamond") as workflow:
        top = PythonOperator("top", with_docs)
        left, right = Talkative("left"), PythonOperator("right", int)
        bottom = PythonOperator("bottom", int)
        top >> [left, right]
        bottom.start_after([left, right])
    return workflow


def test_a_run_comes_from_the_runs_that_it_started_after() -> None:
    workflow = diamond()
    scheduler = VirtualScheduler(workflow)

    scheduler.run()
    picture = look(scheduler, workflow)

    assert origins(picture) == {
        "top_1": [],
        "left_1": ["top_1"],
        "right_1": ["top_1"],
        "bottom_1": ["left_1", "right_1"],
    }
    assert {task.name: task.predecessors for task in picture.tasks} == {
        "top": (),
        "left": ("top",),
        "right": ("top",),
        "bottom": ("left", "right"),
    }


def test_a_restarted_task_comes_from_the_newest_run_of_each_upstream() -> None:
    with Workflow("serving", completion="manual") as workflow:
        train = PythonOperator("train", int)
        train.action_on_event_received(TaskAction.START, "data")
        serve = PythonOperator("serve", int)
        serve.action_on_task_status(TaskAction.RESTART, {train: TaskStatus.SUCCESS})
        serve.action_on_event_received(TaskAction.RESTART, "config")
    scheduler = VirtualScheduler(workflow)

    scheduler.run()
    scheduler.emit("data")
    scheduler.emit("config")
    scheduler.emit("data")

    found = origins(look(scheduler, workflow))
    assert found["serve_1"] == []  # it starts with its execution
    assert found["serve_2"] == ["train_1"]
    assert found["serve_3"] == []  # the file changed; no run led to it
    assert found["serve_4"] == ["train_2"]


def test_an_event_that_comes_when_a_status_stands_leads_back_to_that_run() -> None:
    with Workflow("both") as workflow:
        ready = PythonOperator("ready", int)
        idle = PythonOperator("idle", int, autostart=False)
        go = PythonOperator("go", int)
        go.action_on_condition(
            TaskAction.START,
            EventCondition("go")
            & TaskStatusCondition(ready, TaskStatus.SUCCESS)
            & ~TaskStatusCondition(idle, TaskStatus.RUNNING),
        )
    scheduler = VirtualScheduler(workflow)

    scheduler.run()
    scheduler.emit("go")

    assert origins(look(scheduler, workflow))["go_1"] == ["ready_1"]
    assert Ancestry(workflow).upstreams("go") == ("ready",)


def test_an_output_leads_back_to_the_run_whose_result_was_taken(tmp_path: Path) -> None:
    with Workflow("sums") as workflow:
        number = PythonOperator("number", lambda: 20)
        other = PythonOperator("other", lambda: 1)
        PythonOperator("sum", lambda a, b: a + b, [number.output, other.output])

    for store in ("sqlite://", f"sqlite:///{tmp_path / 'store.db'}"):
        with Scheduler(store) as scheduler:
            ended = scheduler.run(workflow).wait(20)
            # Without the definition, outputs still tell.
            for known in (Definition(workflow), None):
                picture = picture_of(scheduler.store, ended, known)
                assert origins(picture)["sum_1"] == ["number_1", "other_1"]


def test_what_an_author_says_about_a_task_is_cut_at_a_thousand_characters() -> None:
    def novel() -> None:
        """Replaced."""

    novel.__doc__ = "x" * 1_500
    with Workflow("docs") as workflow:
        PythonOperator("long", novel)
        PythonOperator("short", with_docs)
        Talkative("kind")
    scheduler = VirtualScheduler(workflow)

    scheduler.run()
    docs = {task.name: task.docs for task in look(scheduler, workflow).tasks}

    assert docs["long"] == "x" * 1_000 + "..."
    assert docs["short"] == "Fetch the numbers.\n\nTwice a day."
    assert docs["kind"] == "Says much."


def test_of_too_many_runs_the_newest_are_shown_and_one_of_every_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("eventflow.reporters.picture.MAX_RUNS", 5)
    with Workflow("many", completion="manual") as workflow:
        PythonOperator("once", int)
        PythonOperator("often", int).action_on_event_received(TaskAction.START, "tick")
    scheduler = VirtualScheduler(workflow)
    scheduler.run()
    for _ in range(20):
        scheduler.emit("tick")

    picture = look(scheduler, workflow)

    assert [run.key for run in picture.runs] == ["1_once_1"] + [
        f"1_often_{number}" for number in range(16, 21)
    ]
    assert picture.left_out == 15


def test_the_flow_format_is_what_its_platform_takes() -> None:
    workflow = diamond()
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("left", TaskStatus.FAILED)
    scheduler.outcome("right", after=60)

    scheduler.run()
    method, url, body = sent(
        look(scheduler, workflow), wire="flow", application_id="my app", run_id="r/1-{workflow}"
    )

    assert method == "PUT"
    assert url == (
        "https://platform.example/api/v1/internal/applications/my%20app/runs/r%2F1-diamond/flow"
    )
    assert body == {
        "pipeline_graph": {
            "steps": [
                {"id": "top", "predecessors": [], "docs": "Fetch the numbers.\n\nTwice a day."},
                {"id": "left", "predecessors": ["top"], "docs": "Says much."},
                {"id": "right", "predecessors": ["top"]},
                {"id": "bottom", "predecessors": ["left", "right"]},
            ],
            "nodes": [
                {
                    "id": "top_0",
                    "parent_id": "top",
                    "predecessor_ids": [],
                    "status": "succeeded",
                },
                {
                    "id": "left_0",
                    "parent_id": "left",
                    "predecessor_ids": ["top_0"],
                    "status": "failed",
                },
                {
                    "id": "right_0",
                    "parent_id": "right",
                    "predecessor_ids": ["top_0"],
                    "status": "running",
                },
            ],
        },
        "updated_at": "2026-03-01T12:00:00.000000+00:00",
    }


def test_what_a_rule_stopped_has_ended_as_planned_and_what_was_stopped_with_all_has_not() -> None:
    with Workflow("endless") as workflow:
        PythonOperator("by_rule", int).action_on_event_received(TaskAction.STOP, "enough")
        PythonOperator("with_all", int)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("by_rule", TaskStatus.RUNNING)
    scheduler.outcome("with_all", TaskStatus.RUNNING)

    execution = scheduler.run()
    scheduler.emit("enough")
    planned = sent(look(scheduler, workflow), wire="flow")[2]["pipeline_graph"]["nodes"]
    scheduler.stop_workflow(execution)
    ended = sent(look(scheduler, workflow), wire="flow")[2]["pipeline_graph"]["nodes"]

    assert [node["status"] for node in planned] == ["succeeded", "running"]
    assert [node["status"] for node in ended] == ["failed", "failed"]


@pytest.mark.rule("S7")
def test_our_own_format_is_a_cloudevent_that_tells_attempts_errors_times_and_the_end() -> None:
    with Workflow("flaky", namespace="shop") as workflow:
        PythonOperator("try", int, retries=1, retry_delay=5)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("try", TaskStatus.FAILED, after=2)
    scheduler.outcome("try", TaskStatus.FAILED, after=2)

    scheduler.run()
    scheduler.advance(seconds=10)
    method, url, body = sent(look(scheduler, workflow), application_id="app")
    event = Event.from_cloudevent(body)

    assert (method, url) == ("POST", "https://platform.example/api")
    assert (event.key, event.sender, event.namespace) == ("eventflow.uplink.picture", "app", "shop")
    assert (event.id, event.time, event.workflow_execution_id) == ("0190-x", AT, 1)
    told = event.value
    assert (told["application_id"], told["run_id"], told["number"]) == ("app", "1", 7)
    assert told["final"] is True
    assert told["execution"]["status"] == "FAILED"
    (run,) = told["runs"]
    assert (run["key"], run["task"], run["attempt"], run["status"]) == (
        "1_try_1",
        "try",
        2,
        "FAILED",
    )
    assert run["error"]["type"]
    begun, ended = (datetime.fromisoformat(run[name]) for name in ("begin_date", "end_date"))
    assert (ended - begun).total_seconds() == 9
    assert told["tasks"] == [
        {
            "name": "try",
            "operator": "PythonOperator",
            "docs": told["tasks"][0]["docs"],
            "predecessors": [],
            "mapped": False,
        }
    ]


def test_parameters_and_results_stay_at_home() -> None:
    with Workflow("secretive") as workflow:
        PythonOperator("t", int)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("t", result="hush-result")

    scheduler.run(params={"password": "hush-params"})

    for wire in ("flow", "cloudevents"):
        assert "hush" not in json.dumps(sent(look(scheduler, workflow), wire=wire)[2])


def test_text_that_has_no_form_on_the_wire_does_not_stop_a_report() -> None:
    with Workflow("odd") as workflow:
        PythonOperator("t", lambda: 1 / 0)
    with Scheduler("sqlite://") as scheduler:
        ended = scheduler.run(workflow).wait(20)
        picture = picture_of(_OddFailures(), ended, Definition(workflow))

    (run,) = sent(picture)[2]["data"]["runs"]
    assert run["error"]["message"] == "?" + "y" * 999 + "..."


class _OddFailures:
    """A store in which every failure says what UTF-8 cannot."""

    def execution(self, execution_id: int) -> None:
        return None

    def failures(self, task_execution_id: int) -> list[Any]:
        return [AttemptFailure(attempt=1, type_name="E", message="\ud800" + "y" * 2_000)]

    def items(self, task_execution_id: int, *, limit: int = 1000) -> list[Any]:
        return []
