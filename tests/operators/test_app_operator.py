"""AppOperator: definitions, what is asked of the service, and what comes of the answers."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from app_kit import FAST, HERE, Runner
from remote_platform import PATIENCE_S, TOKEN, Platform

from eventflow import (
    AppConnection,
    AppOperator,
    AppPolling,
    AppRun,
    PythonOperator,
    TaskStatus,
    Workflow,
)
from eventflow.errors import DefinitionError


def test_a_run_is_started_followed_and_its_output_is_the_result(
    runner: Runner, platform: Platform
) -> None:
    platform.statuses = ["none", "queued", "queued", "running", "succeeded"]

    handle = runner.run(
        input={"stops": [1, 2]},
        options={"limit": 3, "fast": True, "none": None, "name": "a", "deep": [1]},
        instance_id="blue",
    )

    assert handle.status == "SUCCESS"
    assert handle.result("solve") == {"cost": 42}
    (start,) = platform.of("start")
    assert start.headers["authorization"] == f"Bearer {TOKEN}"
    assert start.headers["idempotency-key"]
    assert start.query == {"instance_id": ["blue"]}
    assert start.body == {
        "input": {"stops": [1, 2]},
        "options": {"limit": "3", "fast": "True", "name": "a", "deep": "[1]"},
        "name": "remote.solve (1_solve_1)",
        "description": "Started by eventflow for task solve, run 1, of execution 1 of workflow "
        "remote",
        "configuration": {"format": {"input": {"type": "json"}, "output": {"type": "json"}}},
    }
    assert [asked.kind for asked in platform.asked] == ["start", *["look"] * 5, "result"]
    assert {asked.run for asked in platform.asked[1:]} == {"run-1"}


def test_what_another_service_calls_its_paths_is_a_setting(
    runner: Runner, platform: Platform
) -> None:
    connection = AppConnection(
        url=platform.url + "/api/",
        runs_path="jobs/{app_id}/runs/",
        metadata_path="metadata",
        allow_http=True,
    )

    handle = runner.run(app_id="a/b c", connection=connection)

    assert handle.status == "SUCCESS"
    assert [asked.kind for asked in platform.asked] == ["start", "look", "result"]


def test_the_full_result_has_id_metadata_and_output(runner: Runner, platform: Platform) -> None:
    platform.metadata = {"duration": 12}

    handle = runner.run(full_result=True)

    assert handle.result("solve") == {
        "id": "run-1",
        "metadata": {"duration": 12, "status_v2": "succeeded"},
        "output": {"cost": 42},
    }


@pytest.mark.parametrize(
    ("ended", "error", "message"),
    [
        ("failed", "no road to 7", "remote run run-1 failed: no road to 7"),
        ("canceled", "", "remote run run-1 was canceled at the service"),
    ],
)
def test_a_run_that_fails_or_is_canceled_there_is_a_failed_task(
    runner: Runner, platform: Platform, ended: str, error: str, message: str
) -> None:
    platform.statuses, platform.metadata = ["running", ended], {"error": error}

    handle = runner.run()

    assert handle.status == "FAILED"
    (failure,) = runner.failures(handle)
    assert (failure.type_name, failure.message) == ("RemoteRunFailedError", message)
    assert platform.of("result") == platform.of("cancel") == []


def test_a_retry_after_a_failed_run_starts_a_new_one(runner: Runner, platform: Platform) -> None:
    platform.statuses = ["failed"]

    handle = runner.begin(retries=1, retry_delay=0.01)
    handle.wait(PATIENCE_S)

    starts = platform.of("start")
    assert len(starts) == 2
    assert starts[0].headers["idempotency-key"] != starts[1].headers["idempotency-key"]
    assert [asked.run for asked in platform.of("look")] == ["run-1", "run-2"]


@pytest.mark.rule("S38")
def test_an_upstream_decides_input_options_name_and_instance(
    runner: Runner, platform: Platform
) -> None:
    def decide() -> dict[str, Any]:
        run = AppRun(
            input=[7], options={"limit": None, "seed": 9}, name="night", instance_id="green"
        )
        return run.to_json()

    with Workflow("remote") as workflow:
        decided = PythonOperator("decide", decide)
        AppOperator(
            "solve",
            "routing",
            input=decided.output,
            options={"limit": 3, "fast": True},
            instance_id="blue",
            connection=HERE,
            polling=FAST,
        )
    runner.scheduler.run(workflow).wait(PATIENCE_S)

    (start,) = platform.of("start")
    assert start.body["input"] == [7]
    assert start.body["options"] == {"fast": "True", "seed": "9"}
    assert start.body["name"] == "night"
    assert start.query == {"instance_id": ["green"]}


@pytest.mark.rule("S38")
def test_outputs_are_found_in_the_input_and_in_an_app_run(
    runner: Runner, platform: Platform
) -> None:
    with Workflow("remote") as workflow:
        first = PythonOperator("first", lambda: 5)
        AppOperator(
            "solve",
            "routing",
            input=AppRun(input={"deep": [first.output]}, options={"n": first.output}),
            connection=HERE,
            polling=FAST,
        )
    runner.scheduler.run(workflow).wait(PATIENCE_S)

    (start,) = platform.of("start")
    assert start.body["input"] == {"deep": [5]}
    assert start.body["options"] == {"n": "5"}


@pytest.mark.parametrize("as_file", [False, True])
def test_a_recorded_answer_stands_for_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_file: bool
) -> None:
    monkeypatch.delenv("APP_SERVICE_URL", raising=False)
    recorded: Any = {"output": {"cost": 7}}
    if as_file:
        path = tmp_path / "answer.json"
        path.write_text(json.dumps({"id": "r9", "metadata": {"a": 1}, **recorded}))
        recorded = path
    runner = Runner(tmp_path)
    with runner.scheduler:
        handle = runner.run(recorded=recorded, full_result=as_file)
        result = handle.result("solve")

    if as_file:
        assert result["id"] == "r9"
        assert result["metadata"] == {"a": 1, "status_v2": "succeeded"}
    assert (result["output"] if as_file else result) == {"cost": 7}


def test_a_recorded_failure_fails(tmp_path: Path) -> None:
    runner = Runner(tmp_path)
    with runner.scheduler:
        handle = runner.run(recorded={"metadata": {"status_v2": "failed", "error": "no road"}})

        assert handle.tasks[0].status is TaskStatus.FAILED
        (failure,) = runner.failures(handle)
    assert failure.message == "remote run recorded failed: no road"
    assert failure.type_name == "RemoteRunFailedError"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"app_id": ""}, "app_id is text"),
        ({"app_id": ".."}, "no id but a place in a path"),
        ({"instance_id": 3}, "instance_id is text"),
        ({"options": [1]}, "options is a dict"),
        ({"options": {1: 2}}, "options is a dict"),
        ({"connection": "https://host"}, "connection is a AppConnection"),
        ({"polling": 3}, "polling is a AppPolling"),
        ({"full_result": 1}, "full_result is a bool"),
        ({"told_by_event": "a..b"}, "empty token"),
        ({"recorded": {"cost": 1}}, "recorded is an answer such as"),
        ({"recorded": "nowhere.json"}, "cannot be read"),
        ({"recorded": {"metadata": {"status_v2": "running"}}}, "which is no end"),
        ({"recorded": {"metadata": {"status_v2": "asleep"}}}, "none of the statuses"),
        ({"recorded": {"output": float("nan")}}, "not JSON"),
        ({"retires": 1}, "did you mean 'retries'"),
    ],
)
def test_a_wrong_definition_is_refused(arguments: dict[str, Any], message: str) -> None:
    with Workflow("w") as workflow, pytest.raises(DefinitionError) as caught:
        AppOperator("solve", **{"app_id": "routing", **arguments})

    assert message in str(caught.value)
    assert workflow.tasks == {}


def test_the_pauses_between_looks_grow_to_the_ceiling_and_chance_only_shortens_them() -> None:
    polling = AppPolling(first=3, factor=2, ceiling=20, jitter=0.5)

    def pauses(chance: float) -> list[float]:
        return list(itertools.islice(polling.pauses(lambda: chance), 5))

    assert pauses(0) == [3, 6, 12, 20, 20]
    assert pauses(1) == [1.5, 3, 6, 10, 10]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AppConnection(token_variable="sk-secret"), "token_variable is the name of an"),
        (lambda: AppConnection(runs_path="/v1/../x"), "runs_path is a path"),
        (lambda: AppConnection(logs_path=""), "logs_path is a path"),
        (lambda: AppConnection(url="http://host"), "url must be https"),
        (lambda: AppConnection(url="https://u:secret@host"), "url holds a user"),
        (lambda: AppPolling(ceiling=0), "ceiling is a number from 0.001"),
        (lambda: AppPolling(factor=True), "factor is a number"),
        (lambda: AppPolling(jitter=float("nan")), "jitter is a number"),
        (lambda: AppRun(options=3), "options is a dict"),
        (lambda: AppRun.of({"eventflow.app_run": {"inputs": 1}}), "and nothing else"),
    ],
)
def test_wrong_settings_are_refused_and_hold_no_secret(
    make: Callable[[], Any], message: str
) -> None:
    with pytest.raises(DefinitionError) as caught:
        make()

    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


def test_its_definition_names_variables_and_is_the_same_each_time() -> None:
    def define() -> dict[str, Any]:
        with Workflow("w") as workflow:
            PythonOperator("a", print)
            AppOperator(
                "solve", "routing", input=workflow.tasks["a"].output, recorded={"output": 1}
            )
        return workflow.definition()

    first, second = define(), define()

    assert first == second
    told = first["tasks"][1]
    assert told["input"] == {"output": "a"}
    assert told["takes"] == ["a"]
    assert told["connection"]["token_variable"] == "APP_SERVICE_TOKEN"
    json.dumps(first)
