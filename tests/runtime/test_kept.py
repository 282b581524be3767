"""What is kept of a task, end to end: its failures, its data, what it drew (S3, S37, S39)."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from eventflow import (
    Event,
    Operator,
    PythonOperator,
    Scheduler,
    TaskAction,
    TaskContext,
    Workflow,
    current_context,
)
from eventflow.errors import DuplicateEventError

SOON_S = 60


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'store.db'}"


@pytest.mark.rule("S3")
@pytest.mark.fault("F25")
def test_f25_a_thousand_emits_of_one_id_by_many_threads_are_one_event_and_get_one_answer(
    tmp_path: Path,
) -> None:
    answers: list[Event] = []
    refused: list[str] = []
    with Scheduler(url(tmp_path)) as scheduler:

        def emit_fifty(number: int) -> None:
            for _ in range(50):
                answers.append(scheduler.emit("orders.paid", {"n": 7}, sender="till", id="7"))
            try:
                scheduler.emit("orders.paid", {"n": number}, sender="till", id="7")
            except DuplicateEventError as error:
                refused.append(str(error))

        threads = [threading.Thread(target=emit_fifty, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stored = scheduler.events("orders.paid")

    assert len(stored) == 1
    assert len(answers) == 1_000
    assert {(one.offset, one.id, one.logged_at) for one in answers} == {
        (stored[0].offset, "7", stored[0].logged_at)
    }
    assert len(refused) == 19  # all but the one whose value was the same


class TooFewError(Exception):
    """What the task below raises, with arguments that are not all JSON."""


@pytest.mark.rule("S27", "S37")
def test_every_attempt_keeps_its_own_exception(tmp_path: Path) -> None:
    def fails() -> None:
        attempt = current_context().task_execution.attempt
        if attempt == 2:
            raise KeyError("second")
        raise TooFewError("rows", attempt, {"of": [1, None]}, object())

    with Workflow("w") as workflow:
        PythonOperator("a", fails, retries=2)
    with Scheduler(url(tmp_path)) as scheduler:
        (run,) = scheduler.run(workflow).wait(SOON_S).tasks
    with Scheduler(url(tmp_path)) as scheduler:
        kept = scheduler.store.failures(run.id)
        history = scheduler.store.history(run.id)

    assert [(one.attempt, one.type_name) for one in kept] == [
        (1, "TooFewError"),
        (2, "KeyError"),
        (3, "TooFewError"),
    ]
    assert [json.loads(json.dumps(one.args)) for one in kept] == [
        ["rows", 1, {"of": [1, None]}, "<object>"],
        ["second"],
        ["rows", 3, {"of": [1, None]}, "<object>"],
    ]
    assert "raise TooFewError" in kept[0].traceback
    assert 'raise KeyError("second")' in kept[1].traceback
    again = ["QUEUED", "RUNNING"]
    told = [(one.status, one.attempt) for one in history]
    assert [status for status, _ in told] == [
        *("INIT", *again, "RETRYING", *again, "RETRYING", *again),
        "FAILED",
    ]
    assert [attempt for status, attempt in told if status == "RUNNING"] == [1, 2, 3]
    assert [one.at for one in history] == sorted(one.at for one in history)


@pytest.mark.rule("S37")
@pytest.mark.fault("F38")
@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_f38_a_result_that_is_too_large_says_how_to_hand_over_a_reference(
    tmp_path: Path, executor: str
) -> None:
    path = tmp_path / "large.py"
    path.write_text(
        "import eventflow\n"
        "with eventflow.Workflow('large') as large:\n"
        "    eventflow.PythonOperator('fits', lambda: 'x' * (2**20 - 2), retries=3)\n"
        "    eventflow.PythonOperator('does_not', lambda: 'x' * (2**20 - 1), retries=3)\n"
    )
    with Scheduler(url(tmp_path), executor=executor) as scheduler:
        scheduler.register_file(path)
        handle = scheduler.run("large")

        ended = {run.task_name: run for run in handle.wait(SOON_S).tasks}

        assert {name: run.status for name, run in ended.items()} == {
            "fits": "SUCCESS",
            "does_not": "FAILED",
        }
        assert len(handle.result("fits")) == 2**20 - 2
        (failure,) = scheduler.store.failures(ended["does_not"].id)
    assert failure.type_name == "ResultError"
    assert "at most 1048576 bytes" in failure.message
    assert "write larger or other things to a file and return its path" in failure.message


@pytest.mark.rule("S37")
def test_the_metrics_of_an_attempt_are_kept_with_its_run_and_in_the_log_with_its_report(
    tmp_path: Path,
) -> None:
    class Measured(Operator):
        def start(self, context: TaskContext) -> Any:
            return "done"

        def get_metrics(self, context: TaskContext) -> dict[str, float]:
            return {"rows": 3.0, "nonsense": float("nan")}

    with Workflow("w") as workflow:
        Measured("a")
    with Scheduler(url(tmp_path)) as scheduler:
        (run,) = scheduler.run(workflow).wait(SOON_S).tasks
        (report,) = scheduler.events("eventflow.report.success")

    assert run.metrics == report.value["metrics"] == {"rows": 3.0}
    assert (report.value["run_id"], report.value["attempt"]) == (run.id, 1)


# Draws, writes down what it drew and kept, and dies in its first attempt, after all of it.
DRAWS = """
import json, os, signal
from eventflow import PythonOperator, Workflow, current_context

def price():
    with open({journal!r}, "a") as journal:
        journal.write("asked\\n")
    return [9.5, "EUR"]

def draw():
    context = current_context()
    drawn = context.deterministic
    seen = [drawn.uuid(), drawn.now().isoformat(), drawn.random(), drawn.call("price", price)]
    more = [drawn.uuid(), drawn.random()]
    kept = context.data.get("attempts", [])
    context.data.set("attempts", [*kept, context.task_execution.attempt])
    with open({journal!r}, "a") as journal:
        journal.write(json.dumps([context.task_execution.id, seen, more]) + "\\n")
    if context.task_execution.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return [context.task_execution.id, seen, more, context.data.get("attempts")]

with Workflow("draws") as draws:
    PythonOperator("draw", draw, retries=2)
"""


@pytest.mark.rule("S11", "S27", "S39")
def test_what_was_drawn_before_a_kill_9_is_drawn_again_and_data_belongs_to_the_execution(
    tmp_path: Path,
) -> None:
    journal = tmp_path / "journal"
    path = tmp_path / "draws.py"
    path.write_text(DRAWS.format(journal=str(journal)))
    with Scheduler(url(tmp_path), executor="processes") as scheduler:
        scheduler.register_file(path)
        results = []
        for _ in range(2):
            handle = scheduler.run("draws")
            assert handle.wait(SOON_S).status == "SUCCESS"
            results.append(handle.result("draw"))
            assert [run.attempt for run in handle.tasks] == [2]

    lines = journal.read_text().splitlines()
    told = [json.loads(line) for line in lines if line != "asked"]
    assert lines.count("asked") == 2  # once for each execution, not for each attempt
    assert [result[:3] for result in results] == [told[1], told[3]]
    assert told[0] == told[1]
    assert told[2] == told[3]
    # The idempotency key that a task is handed is its run's, the same in every attempt.
    assert told[0][0] != told[2][0]
    for first, second in zip(told[0][1][:3], told[2][1][:3], strict=True):
        assert first != second
    assert told[0][1][0] != told[0][2][0]
    assert [result[3] for result in results] == [[1, 2], [1, 2]]


def has_kept(scheduler: Scheduler, execution_id: int) -> None:
    """Wait until the first task has ended."""
    store = scheduler.store
    found = scheduler.client.until(
        lambda: store.task_status(execution_id, "first") == "SUCCESS" or None, SOON_S
    )
    assert found, "the first task did not end"


@pytest.mark.rule("S39")
def test_data_outlives_the_scheduler_and_is_of_one_execution(tmp_path: Path) -> None:
    def keep() -> None:
        context = current_context()
        assert context.data.get("k") is None
        context.data.set("k", [context.workflow_execution.id, {"n": 2}])

    def workflow() -> Workflow:
        with Workflow("w") as made:
            PythonOperator("first", keep)
            second = PythonOperator("second", lambda: current_context().data.get("k"))
            second.action_on_event_received(TaskAction.START, "go")
        return made

    with Scheduler(url(tmp_path)) as scheduler:
        execution_id = scheduler.run(workflow()).id
        has_kept(scheduler, execution_id)
    with Scheduler(url(tmp_path)) as scheduler:
        scheduler.register(workflow())
        other = scheduler.run("w")
        has_kept(scheduler, other.id)
        scheduler.emit("go")
        handle = scheduler.execution(execution_id)

        assert handle.wait(SOON_S).status == "SUCCESS"
        assert handle.result("second") == [execution_id, {"n": 2}]
        assert other.wait(SOON_S).status == "SUCCESS"
        assert other.result("second") == [other.id, {"n": 2}]
