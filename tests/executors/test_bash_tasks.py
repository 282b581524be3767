"""BashOperator in every executor: output, exit codes, values, stops (C15, F35)."""

import json
from pathlib import Path

import pytest
from executor_harness import Harness, Make, wait_until
from test_process_executor import alive

from eventflow.executors.port import Job, ReportKind


@pytest.fixture(params=["processes", "threads"])
def shell(request: pytest.FixtureRequest, make: Make) -> Harness:
    return make(request.param, "bash")


def run(shell: Harness, task: str, **fields: object) -> tuple[Job, str]:
    """Run a task to its success; the job and its log."""
    job = shell.job(task, **fields)
    shell.executor.submit(job)
    report = shell.end(job)
    assert report.kind is ReportKind.SUCCESS, report
    assert report.result == "null"
    return job, shell.log_of(job)


def pids_in(log: str) -> list[int]:
    words = log.split("pid ", 1)[1].splitlines()[0].split()
    return [int(word) for word in words]


def test_output_and_errors_are_the_log(shell: Harness) -> None:
    _, log = run(shell, "hello")

    assert [line.rpartition("INFO ")[2] for line in log.splitlines()] == [
        "hello",
        "to stderr",
        str(Path.cwd()),
    ]


def test_it_runs_where_it_is_told(shell: Harness) -> None:
    assert run(shell, "in_tmp")[1].rstrip().endswith("/tmp")


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("exit_3", "bash left with exit code 3"),
        ("killed", "bash was killed by SIGSEGV"),
        ("inner_killed", "bash left with exit code 137; its command was killed by SIGKILL"),
        ("nowhere", "bash cannot be started: [Errno 2] No such file or directory"),
    ],
)
def test_other_ends_are_failed_and_say_why(shell: Harness, task: str, message: str) -> None:
    report = shell.run(task)

    assert report.kind is ReportKind.FAILED
    assert report.failure is not None
    assert report.failure.type_name == "CommandError"
    assert report.failure.message.startswith(message)


@pytest.mark.parametrize(
    "value",
    ["$(touch hacked)", "; touch hacked", "`touch hacked`", "-oProxyCommand=x", "' \" \\ $HOME *"],
)
def test_values_are_never_read_as_shell(shell: Harness, value: str) -> None:
    shell.desk.results[1] = json.dumps(value)

    _, log = run(shell, "show", inputs={"value": 1}, run=7)

    assert f'<{value}><{{"n":1}}><7><sqlite:///x.db>' in log
    assert not Path("hacked").exists()


def test_values_that_no_variable_can_hold_are_failed(shell: Harness) -> None:
    shell.desk.results[1], shell.desk.results[2] = '"a\\u0000b"', json.dumps("x" * 200_000)

    for run_id, message in ((1, "holds a NUL"), (2, "too long for the system")):
        failure = shell.run("show", inputs={"value": run_id}).failure
        assert failure is not None
        assert message in failure.message


def start(shell: Harness, tmp_path: Path, task: str) -> tuple[Job, list[int]]:
    """Begin a task that runs on; the job, and the pids that it tells."""
    up = tmp_path / "up"
    shell.desk.results[1] = json.dumps(str(up))
    job = shell.job(task, inputs={"value": 1}, stop_grace_s=1.0)
    shell.executor.submit(job)
    wait_until(lambda: up.exists() and "pid" in shell.log_of(job), "the command runs")
    return job, pids_in(shell.log_of(job))


def test_a_stop_lets_the_command_clean_up(shell: Harness, tmp_path: Path) -> None:
    job, pids = start(shell, tmp_path, "polite")

    shell.executor.cancel(job.key)

    assert shell.end(job).kind is ReportKind.STOPPED
    assert "bye" in shell.log_of(job)
    assert not any(alive(pid) for pid in pids)


@pytest.mark.rule("S20")
@pytest.mark.fault("F35")
def test_f35_a_command_that_ignores_the_stop_is_killed_with_all_it_started(
    shell: Harness, tmp_path: Path
) -> None:
    job, pids = start(shell, tmp_path, "rude")

    shell.executor.cancel(job.key)

    assert shell.end(job).kind is ReportKind.STOPPED
    wait_until(lambda: not any(alive(pid) for pid in pids), "all of it is dead", 1)


@pytest.mark.fault("F35")
def test_f35_what_the_command_leaves_in_the_background_dies_with_it(shell: Harness) -> None:
    _, log = run(shell, "background")

    wait_until(lambda: not any(alive(pid) for pid in pids_in(log)), "it is dead", 1)


def test_without_bash_it_says_so(shell: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    failure = shell.run("hello").failure

    assert failure is not None
    assert "there is no 'bash'" in failure.message


def test_an_exit_code_is_told_without_frames_of_ours(shell: Harness) -> None:
    report = shell.run("exit_3")

    assert report.failure is not None
    assert report.failure.traceback == "CommandError: bash left with exit code 3\n"
