"""Every example, run as a user runs it: `eventflow` in a shell, processes, a SQLite file.

What a docstring says is printed is what must be printed. What is periodic is also followed for
days, in virtual time.
"""

import ast
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import programs
import pytest

from eventflow import Workflow
from eventflow.executors.code import load_workflows
from eventflow.testing import VirtualScheduler

EXAMPLES = Path(__file__).parents[2] / "examples"
EVENTFLOW = Path(sys.executable).with_name("eventflow")
DEADLINE_S = 60


class Shell:
    """A shell in an empty folder: every command works on the store there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith("EVENTFLOW_")
        }

    def do(self, *command: object, code: int = 0) -> str:
        """Run `eventflow COMMAND` to its end; returns what it printed."""
        done = programs.run(
            [EVENTFLOW, *command], cwd=self.folder, env=self._environment, timeout=DEADLINE_S
        )
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *command: object) -> Any:
        return json.loads(self.do(*command, "--json"))

    def show(self, execution_id: int) -> dict[str, Any]:
        """An execution as the store has it."""
        shown: dict[str, Any] = self.json("execution", "show", execution_id)
        return shown

    @contextmanager
    def begin(self, *command: object) -> Iterator["Running"]:
        """Run `eventflow COMMAND` beside what follows."""
        process = programs.begin(
            [EVENTFLOW, *command],
            cwd=self.folder,
            env={**self._environment, "PYTHONUNBUFFERED": "1"},
            stderr=subprocess.STDOUT,
        )
        # A killed process ends its output, so that who waits for a line does not wait for ever.
        watchdog = threading.Timer(DEADLINE_S, process.kill)
        watchdog.start()
        try:
            yield Running(process)
        finally:
            watchdog.cancel()
            process.kill()
            process.communicate()


class Running:
    """A command that goes on."""

    def __init__(self, process: programs.Running) -> None:
        self._process = process
        self._seen = ""

    def until(self, text: str, times: int = 1) -> None:
        """Read on to the line that says `text` for the n-th time."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._seen += line
            if text in line:
                times -= 1
                if times == 0:
                    return
        raise AssertionError(f"it ended and never said {text!r}:\n{self._seen}")

    def interrupt(self) -> tuple[int, str]:
        """Press Ctrl-C; returns the exit status and all that was printed."""
        self._process.send_signal(signal.SIGINT)
        rest, _ = self._process.communicate(timeout=DEADLINE_S)
        return self._process.returncode, self._seen + rest


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def promised(example: str) -> list[str]:
    """The lines that the docstring of an example says are printed."""
    text = ast.get_docstring(ast.parse((EXAMPLES / example).read_text())) or ""
    block = re.search(r"Prints.*?:\n\n((?:    .*\n?)+)", text)
    assert block is not None, f"{example} does not say what it prints"
    return [line.strip() for line in block[1].splitlines()]


def printed(output: str) -> list[str]:
    """The log lines of tasks in what `eventflow run` prints."""
    return [line.partition(" | ")[2] for line in output.splitlines() if " | " in line]


def statuses(execution: dict[str, Any], task: str) -> list[str]:
    """How each run of a task ended."""
    return [run["status"] for run in execution["tasks"] if run["task_name"] == task]


def virtual(example: str, start: datetime) -> tuple[VirtualScheduler, dict[str, Workflow]]:
    """The workflows of an example in virtual time."""
    workflows = load_workflows(EXAMPLES / example)
    return VirtualScheduler(*workflows, start=start), {one.name: one for one in workflows}


def test_quickstart_prints_what_it_says(shell: Shell) -> None:
    output = shell.do("run", EXAMPLES / "quickstart.py")

    assert sorted(printed(output)) == sorted(promised("quickstart.py"))
    execution = shell.show(1)
    assert execution["status"] == "SUCCESS"
    assert [run["started_by"] for run in execution["tasks"] if run["task_name"] == "market"] == [
        "basket.full"
    ]


def test_the_consumer_starts_once_at_a_sum_of_100_and_stops_the_producers(shell: Shell) -> None:
    output = shell.do("run", EXAMPLES / "custom_condition.py")

    (said,) = printed(output)
    assert re.fullmatch(re.sub(r"\d+$", r"\\d+", promised("custom_condition.py")[0]), said)
    execution = shell.show(1)
    assert execution["status"] == "SUCCESS"
    assert statuses(execution, "consumer") == ["SUCCESS"]
    assert statuses(execution, "small_numbers") == ["STOPPED"]
    assert statuses(execution, "large_numbers") == ["STOPPED"]
    # The event at which the sum reached 100 is the one that started the consumer.
    total = 0
    for event in shell.json("event", "list", "--key", "number", "--after", 0, "--limit", 1000):
        total += event["value"]
        if total >= 100:
            assert said.endswith(f" {event['value']}")
            break
    assert total >= 100


def test_a_failure_is_retried_or_handled(shell: Shell) -> None:
    output = shell.do("run", EXAMPLES / "failure_handler.py")

    assert printed(output) == promised("failure_handler.py")
    execution = shell.show(1)
    assert execution["status"] == "SUCCESS"
    assert [(run["task_name"], run["attempt"], run["status"]) for run in execution["tasks"]] == [
        ("download", 3, "SUCCESS"),
        ("parse", 1, "FAILED"),
        ("quarantine", 1, "SUCCESS"),
    ]


def test_each_stage_of_the_night_is_a_sub_execution(shell: Shell) -> None:
    output = shell.do("run", EXAMPLES / "stages.py")

    # What came between two looks is told execution by execution.
    assert sorted(printed(output)) == sorted(promised("stages.py"))
    night = shell.show(1)
    assert night["status"] == "SUCCESS"
    assert [
        (sub["parent"]["task_name"], sub["workflow_name"], sub["params"]["step"], sub["status"])
        for sub in night["sub_executions"]
    ] == [(step, "stage", step, "SUCCESS") for step in ("fetch", "clean", "bill")]


def test_a_task_of_one_workflow_starts_another_workflow(shell: Shell) -> None:
    output = shell.do("run", f"{EXAMPLES / 'event_trigger.py'}:nightly")

    assert printed(output) == promised("event_trigger.py")
    nightly, billing = shell.show(1), shell.show(2)
    assert (nightly["workflow_name"], nightly["execution_type"]) == ("nightly", "MANUAL")
    assert (billing["workflow_name"], billing["execution_type"]) == ("billing", "EVENT")
    assert billing["trigger_event"]["sender"] == "1_fetch_1"


def test_an_event_of_another_process_starts_a_workflow_of_serve(shell: Shell) -> None:
    with shell.begin("serve", EXAMPLES / "event_trigger.py") as serve:
        serve.until("ready")
        shell.do("emit", "orders.arrived", '{"orders": [1, 2, 3]}')
        serve.until("event=workflow.success")
        shell.do("emit", "orders.arrived", '{"orders": [5]}')
        serve.until("event=workflow.success")
        code, _ = serve.interrupt()

    assert code == 0
    assert "billed 6" in shell.do("execution", "logs", 1)
    billing = shell.show(2)
    begun = datetime.fromisoformat(billing["tasks"][0]["begin_date"])
    emitted = datetime.fromisoformat(billing["trigger_event"]["logged_at"])
    # 20 ms on a quiet machine; the limit is for a busy one, and far from any polling.
    assert begun - emitted < timedelta(seconds=1)


def test_periodic_tasks_go_on_until_ctrl_c(shell: Shell) -> None:
    with shell.begin("run", EXAMPLES / "periodic_task.py") as run:
        run.until("degrees on average", times=3)
        code, output = run.interrupt()

    assert code == 1
    said = [line for line in printed(output) if "average" in line]
    assert [line.split(",")[0] for line in said[:3]] == [
        "1 measurements",
        "2 measurements",
        "3 measurements",
    ]
    execution = shell.show(1)
    assert execution["status"] == "STOPPED"
    assert set(statuses(execution, "measure")) == {"SUCCESS"}


def test_what_follows_a_periodic_task_follows_each_of_its_runs() -> None:
    scheduler, _ = virtual("periodic_task.py", datetime(2026, 1, 1, 12, 0, 2, tzinfo=UTC))
    execution = scheduler.run()

    scheduler.advance(seconds=30)
    scheduler.stop_workflow(execution)

    # At the start and then each second; at the start and then at 5, 10, ..., 30.
    assert len(scheduler.runs("measure")) == len(scheduler.runs("average")) == 31
    assert len(scheduler.runs("clean_up")) == 7
    assert scheduler.status() == "STOPPED"


def test_a_workflow_starts_by_its_interval(shell: Shell) -> None:
    with shell.begin("serve", EXAMPLES / "periodic_workflow.py") as serve:
        serve.until("event=workflow.success", times=2)
        code, _ = serve.interrupt()

    assert code == 0
    first, second = shell.show(1), shell.show(2)
    assert first["execution_type"] == second["execution_type"] == "PERIODIC"
    due = datetime.fromisoformat(first["scheduled_time"])
    assert datetime.fromisoformat(second["scheduled_time"]) - due == timedelta(seconds=2)
    assert f"the heartbeat that was due at {due:%H:%M:%S}" in shell.do("execution", "logs", 1)


def test_the_report_is_made_on_working_days_at_half_past_six_in_berlin() -> None:
    # The Friday before the clocks go forward.
    start = datetime(2026, 3, 27, tzinfo=UTC)
    _, workflows = virtual("periodic_workflow.py", start)
    scheduler = VirtualScheduler(workflows["report"], start=start)

    scheduler.advance(days=5)

    made = [execution.scheduled_time for execution in scheduler.executions()]
    assert made == [
        datetime(2026, 3, 27, 5, 30, tzinfo=UTC),
        datetime(2026, 3, 30, 4, 30, tzinfo=UTC),
        datetime(2026, 3, 31, 4, 30, tzinfo=UTC),
    ]


def test_the_service_is_restarted_by_each_change_of_its_file(shell: Shell) -> None:
    output = shell.do("run", EXAMPLES / "config_service.py", "--param", f"folder={shell.folder}")

    assert printed(output) == promised("config_service.py")
    execution = shell.show(1)
    assert execution["status"] == "SUCCESS"
    assert statuses(execution, "service") == ["STOPPED"] * 4
    assert statuses(execution, "watch") == ["STOPPED"]


def check_online_learning(shell: Shell) -> None:
    """Every batch is learned, the best model alone is served, and the workflow ends SUCCESS."""
    execution = shell.show(1)
    events = shell.json("event", "list", "--after", 0, "--limit", 1000)
    validated = [event["value"] for event in events if event["key"] == "model.validated"]
    examined = [event["value"] for event in events if event["key"] == "service.examined"]
    better, best = 0, {"accuracy": 0.0}
    for model in validated:
        if model["accuracy"] > best["accuracy"]:
            better, best = better + 1, model

    assert execution["status"] == "SUCCESS"
    assert statuses(execution, "prepare") == statuses(execution, "ask") == ["STOPPED"]
    assert validated[-1]["batches"] == 12
    assert statuses(execution, "deploy") == ["SUCCESS"] * better
    assert set(statuses(execution, "predict")) == {"STOPPED"}
    assert 1 <= len(statuses(execution, "predict")) <= better
    assert examined[-1]["batches"] == best["batches"]


@pytest.mark.parametrize("pace", [0.001, 0.1])
def test_a_fast_stream_is_learned_to_its_end(shell: Shell, pace: float) -> None:
    output = shell.do(
        "run",
        EXAMPLES / "online_learning.py",
        *("--param", f"pace={pace}"),
        *("--param", f"folder={shell.folder / 'models'}"),
    )

    check_online_learning(shell)
    assert re.search(r"the model of \d+ batches reads \d+\.\d% of the unseen digits", output)


@pytest.mark.long
def test_the_demo_reaches_its_accuracy_and_says_how_to_look_further(tmp_path: Path) -> None:
    demo = subprocess.run(
        [sys.executable, EXAMPLES / "demo.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )

    assert demo.returncode == 0, demo.stdout + demo.stderr
    found = re.search(r"^Accuracy: (\d+\.\d)%", demo.stdout, re.MULTILINE)
    assert found is not None
    assert float(found[1]) > 90
    assert re.search(r"predict +\d+ +1 +STOPPED .* deploy SUCCESS", demo.stdout)
    shell = Shell(tmp_path / "eventflow-demo")
    check_online_learning(shell)
    for command in re.findall(
        rf"^    {re.escape(str(EVENTFLOW))} (.+)$", demo.stdout, re.MULTILINE
    ):
        assert shell.do(*command.split()).strip()
