"""What every executor promises (S11, S14, S20, S27, S37-S39); each test runs over all of them."""

import json

import pytest
from executor_harness import Harness, Make

from eventflow.executors.port import AttemptKey, ReportKind
from eventflow.model.event import Event
from eventflow.model.status import TaskStatus

SUCCESS, FAILED, SKIPPED = ReportKind.SUCCESS, ReportKind.FAILED, ReportKind.SKIPPED
STOPPED, LOST, REFUSED = ReportKind.STOPPED, ReportKind.LOST, ReportKind.REFUSED


@pytest.mark.rule("S27", "S37")
def test_a_task_that_returns_is_running_and_then_success_with_its_result(harness: Harness) -> None:
    job = harness.job("give")

    harness.executor.submit(job)

    report = harness.end(job)
    assert json.loads(report.result or "") == {"answer": 42, "text": "naïve \N{SNOWMAN}"}
    assert harness.kinds(job) == ["running", "success"]


@pytest.mark.rule("S27")
@pytest.mark.parametrize(
    ("task", "result"),
    [
        ("give_nothing", "null"),
        ("exit_0", "null"),
        ("exit_none", "null"),
        ("later", '"awaited"'),
        ("two_phases", '"terminated"'),
    ],
)
def test_these_ends_are_success(harness: Harness, task: str, result: str) -> None:
    report = harness.run(task)

    assert (report.kind, report.result, report.failure) == (SUCCESS, result, None)


@pytest.mark.rule("S27")
@pytest.mark.parametrize(
    ("task", "type_name", "message"),
    [
        ("exit_3", "SystemExit", "exit code 3"),
        ("exit_text", "SystemExit", "so long"),
        ("interrupt", "KeyboardInterrupt", ""),
        ("last_straw", "LastStraw", "out"),
        (
            "unprintable",
            "UnprintableError",
            "<UnprintableError whose __str__ raised KeyboardInterrupt>",
        ),
        ("emit_reserved", "ReservedKeyError", None),
        ("emit_offset", "EventError", None),
        ("emit_set", "EventError", None),
        ("clash_with_state", "ReservedKeyError", None),
        ("keep_a_set", "StateError", None),
        ("share_state", "DefinitionError", None),
    ],
)
def test_these_ends_are_failed(
    harness: Harness, task: str, type_name: str, message: str | None
) -> None:
    report = harness.run(task)

    assert report.kind is FAILED
    assert report.failure is not None
    assert report.failure.type_name == type_name
    assert message is None or report.failure.message == message
    assert report.retryable
    assert 0 <= report.chance < 1


@pytest.mark.rule("S27")
@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ("skip", "no orders today"),
        ("skip_later", "no orders today"),
        ("skip_silently", ""),
        ("skip_unprintably", "(b'\\xff', 7)"),
    ],
)
def test_a_task_that_raises_task_skipped_is_skipped_with_its_text_as_reason(
    harness: Harness, task: str, reason: str
) -> None:
    job = harness.job(task)

    harness.executor.submit(job)

    report = harness.end(job)
    assert (report.kind, report.reason) == (SKIPPED, reason)
    assert (report.failure, report.result) == (None, None)
    assert harness.kinds(job) == ["running", "skipped"]


def test_the_reason_of_a_skip_is_cut(harness: Harness) -> None:
    assert len(harness.run("skip_at_length").reason) < 10_000


@pytest.mark.rule("S20")
def test_a_task_that_skips_when_it_is_told_to_stop_ends_stopped(harness: Harness) -> None:
    job = harness.start("skip_when_stopped")

    harness.executor.cancel(job.key)

    report = harness.end(job)
    assert (report.kind, report.reason) == (STOPPED, "stopped")


@pytest.mark.rule("S37")
def test_a_failure_tells_type_message_arguments_and_the_users_own_frames(harness: Harness) -> None:
    failure = harness.run("fail").failure

    assert failure is not None
    assert (failure.type_name, failure.attempt) == ("TooBadError", 1)
    assert failure.args == ["no", 7, "<object>"]
    assert 'raise TooBadError("no", 7, object())' in failure.traceback
    assert "attempt.py" not in failure.traceback


@pytest.mark.rule("S37")
def test_a_message_of_100_mb_is_cut(harness: Harness) -> None:
    failure = harness.run("shout").failure

    assert failure is not None
    assert len(failure.message) < 10_000
    assert len(json.dumps(failure.args)) < 10_000
    assert len(failure.traceback) < 70_000


def test_endless_recursion_is_an_ordinary_failure(harness: Harness) -> None:
    failure = harness.run("recurse").failure

    assert failure is not None
    assert failure.type_name == "RecursionError"
    assert len(failure.traceback) < 70_000


@pytest.mark.rule("S37")
def test_groups_and_causes_are_in_the_traceback(harness: Harness) -> None:
    grouped, chained = harness.run("many").failure, harness.run("chained").failure

    assert grouped is not None
    assert chained is not None
    assert all(text in grouped.traceback for text in ("one", "two", "three", "inner"))
    assert chained.traceback.index("TooBadError") < chained.traceback.index("ValueError: because")


@pytest.mark.rule("S27")
@pytest.mark.parametrize(
    ("task", "retryable"),
    [("fail", True), ("fail_retry_other", False), ("fail_retry_this", True)],
)
def test_retry_on_is_matched_where_the_exception_is(
    harness: Harness, task: str, retryable: bool
) -> None:
    assert harness.run(task).retryable is retryable


@pytest.mark.rule("S37")
@pytest.mark.parametrize("task", ["give_set", "give_nan", "give_bad_keys", "give_much"])
def test_a_result_that_cannot_be_stored_is_failed_and_not_retried(
    harness: Harness, task: str
) -> None:
    report = harness.run(task)

    assert report.kind is FAILED
    assert report.failure is not None
    assert report.failure.type_name == "ResultError"
    assert "return its path" in report.failure.message
    assert not report.retryable


@pytest.mark.rule("S11")
def test_a_repeated_submit_is_one_start(harness: Harness) -> None:
    job = harness.job("count_start")

    for _ in range(5):
        harness.executor.submit(job)
    harness.end(job)
    harness.executor.submit(job)
    harness.executor.confirm(job.key)
    harness.executor.submit(job)
    harness.run("give")

    assert len(harness.desk.of("started")) == 1
    assert harness.kinds(job) == ["running", "success"]


@pytest.mark.rule("S11")
def test_the_next_attempt_of_a_run_is_another_start(harness: Harness) -> None:
    harness.run("count_start", run=7)
    harness.run("count_start", run=7, attempt=2)

    assert len(harness.desk.of("started")) == 2


@pytest.mark.rule("S11", "S20")
def test_a_cancel_before_the_submit_is_stopped_and_it_never_runs(harness: Harness) -> None:
    job = harness.job("count_start")

    harness.executor.cancel(job.key)
    harness.executor.submit(job)
    harness.executor.cancel(job.key)
    harness.run("give")

    assert harness.end(job).kind is STOPPED
    assert harness.kinds(job) == ["stopped"]
    assert harness.desk.of("started") == []


@pytest.mark.rule("S20")
def test_a_cancel_of_what_nobody_knows_is_reported_stopped_once(harness: Harness) -> None:
    key = AttemptKey(999, 1)

    harness.executor.cancel(key)
    harness.executor.cancel(key)
    harness.run("give")

    assert [report.kind for report in harness.ends_of(key)] == [STOPPED]


@pytest.mark.rule("S20")
def test_a_task_that_looks_for_a_stop_ends_stopped_whatever_it_returns(harness: Harness) -> None:
    job = harness.start("obey")

    harness.executor.cancel(job.key)
    harness.executor.cancel(job.key)

    report = harness.end(job)
    assert (report.kind, report.result) == (STOPPED, None)
    assert harness.kinds(job) == ["running", "stopped"]


@pytest.mark.rule("S20")
def test_the_operators_stop_is_called_while_should_stop_is_true(harness: Harness) -> None:
    job = harness.start("telling")

    harness.executor.cancel(job.key)

    report = harness.end(job)
    assert report.kind is STOPPED
    assert report.metrics == {"told": 1.0}
    assert [event.value for event in harness.desk.of("stopping")] == [True]


@pytest.mark.rule("S20")
def test_a_task_that_is_slow_to_stop_holds_nobody_up(harness: Harness) -> None:
    job = harness.start("defy", stop_grace_s=600)
    harness.executor.cancel(job.key)

    ends = [harness.run("give").kind for _ in range(3)]

    assert ends == [SUCCESS] * 3
    assert harness.kinds(job) == ["running"]


@pytest.mark.rule("S20")
def test_a_stop_that_raises_changes_nothing(harness: Harness) -> None:
    job = harness.start("bad_stop")

    harness.executor.cancel(job.key)

    assert harness.end(job).kind is STOPPED
    assert "metrics" in harness.log_of(job)


@pytest.mark.rule("S20", "S26")
def test_a_cancel_after_the_end_changes_nothing(harness: Harness) -> None:
    job = harness.job("give")
    harness.executor.submit(job)
    harness.end(job)

    harness.executor.cancel(job.key)
    harness.executor.confirm(job.key)
    harness.executor.cancel(job.key)
    harness.run("give")

    assert harness.kinds(job) == ["running", "success"]


@pytest.mark.rule("S14")
def test_what_it_emits_is_in_the_log_before_it_goes_on_and_scoped(harness: Harness) -> None:
    report = harness.run("emit_some", run=3)

    assert json.loads(report.result or "") == {
        "offsets": [1, 2],
        "scopes": [5, None],
        "senders": ["5_emit_some_1", "me"],
    }
    assert [event.namespace for event in harness.desk.events] == ["tests", "tests"]


def test_an_error_of_the_desk_comes_back_with_its_own_class(harness: Harness) -> None:
    harness.run("emit_some")

    failure = harness.run("emit_some").failure

    assert failure is not None
    assert failure.type_name == "DuplicateEventError"
    assert failure.message == "event 'told': id 'x-1' was taken"


def test_threads_of_a_task_may_use_its_context(harness: Harness) -> None:
    assert harness.run("emit_from_thread").result == "8"


@pytest.mark.rule("S38")
def test_outputs_of_other_tasks_are_filled_in(harness: Harness) -> None:
    harness.desk.results[41] = "20"

    assert harness.run("add", inputs={"give": 41}).result == "40"


@pytest.mark.rule("S38")
@pytest.mark.parametrize("inputs", [{}, {"give": 404}])
def test_a_missing_output_is_failed_and_not_retried(
    harness: Harness, inputs: dict[str, int]
) -> None:
    report = harness.run("add", inputs=inputs)

    assert report.kind is FAILED
    assert report.failure is not None
    assert report.failure.type_name == "MissingOutputError"
    assert not report.retryable


@pytest.mark.rule("S16")
def test_the_context_tells_of_the_execution_around_it(harness: Harness) -> None:
    harness.desk.latest[5, "give"] = "[1]"
    harness.desk.statuses[5, "give"] = TaskStatus.SUCCESS
    deep = json.loads("[" * 60 + "]" * 60)

    report = harness.run(
        "read_world",
        run=9,
        attempt=2,
        params={"day": "2026-01-01", "deep": deep},
        trigger_event=Event("orders.paid", deep, offset=77),
    )

    assert json.loads(report.result or str(report.failure)) == {
        "params": {"day": "2026-01-01", "deep": deep},
        "trigger": ["orders.paid", deep, 77],
        "run": 9,
        "attempt": 2,
        "status": "SUCCESS",
        "none": None,
        "upstream": [1],
    }


def test_a_result_that_is_not_there_raises(harness: Harness) -> None:
    failure = harness.run("miss_result").failure

    assert failure is not None
    assert failure.type_name == "MissingOutputError"


@pytest.mark.rule("S39")
def test_workflow_data_is_kept(harness: Harness) -> None:
    assert harness.run("keep_data").result == '[[1,{"two":2}],null,3]'
    assert harness.desk.data == {(5, "rows"): '[1,{"two":2}]'}


@pytest.mark.rule("S39")
def test_drawn_values_are_the_same_in_every_attempt_and_computed_once(harness: Harness) -> None:
    first = harness.run("draw", run=4)
    second = harness.run("draw", run=4, attempt=2)
    other = harness.run("draw", run=6)

    values = json.loads(first.result or "")
    assert values[0] != values[1]
    assert second.result == first.result
    assert other.result != first.result
    assert len(harness.desk.of("priced")) == 4  # twice for each of two runs


def test_the_state_of_a_task_lasts_through_its_execution(harness: Harness) -> None:
    counts = [harness.run("count").result for _ in range(3)]

    assert counts == ["1", "2", "3"]
    assert list(harness.desk.data) == [(5, "eventflow.state/count/n")]


@pytest.mark.rule("S37")
def test_what_it_logs_is_in_the_file_of_its_attempt(harness: Harness) -> None:
    job = harness.job("log_lines")

    harness.executor.submit(job)
    harness.end(job)

    lines = harness.log_of(job).splitlines()
    assert lines[0].endswith("Z INFO rows: 3")
    assert lines[1].endswith("Z WARNING mapped")
    assert "wrong %d" in lines[2]
    assert lines[3].endswith("Z ERROR caught")
    assert "TooBadError" in lines[-1]
    assert job.log_path is not None
    assert job.log_path.stat().st_mode & 0o077 == 0


def test_attempts_that_nobody_confirmed_are_known_to_the_next_executor(
    harness: Harness, make: Make
) -> None:
    confirmed, open_one, skipped = (harness.run(task) for task in ("give", "fail", "skip"))
    harness.executor.confirm(confirmed.key)
    harness.executor.stop(0)

    kind = "threads" if "Thread" in type(harness.executor).__name__ else "processes"
    later = make(kind)

    assert [report.key for report in later.recovered] == [open_one.key, skipped.key]
    # An outcome that a process wrote down is found; a thread's went with its process.
    ends = [LOST, LOST] if kind == "threads" else [FAILED, SKIPPED]
    assert [report.kind for report in later.recovered] == ends
    later.executor.confirm(open_one.key)
    later.executor.confirm(skipped.key)
    later.executor.stop(0)
    assert make(kind).recovered == []


def test_a_stop_lets_work_end_in_the_grace_and_kills_the_rest_without_a_report(
    harness: Harness,
) -> None:
    job = harness.start("defy")

    harness.executor.stop(0.2)
    harness.executor.submit(harness.job("count_start"))
    harness.executor.confirm(job.key)

    assert harness.kinds(job) == ["running"]
    assert harness.desk.of("started") == []


def test_an_unknown_task_is_refused(harness: Harness) -> None:
    report = harness.run("nobody")

    assert report.kind is REFUSED
    assert not report.retryable


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("threads", 1000),
        ("processes", 200),
        pytest.param("processes", 1000, marks=pytest.mark.long),
    ],
)
def test_many_attempts_all_end_once(make: Make, kind: str, count: int) -> None:
    harness = make(kind)
    jobs = [harness.job("give", log_path=None) for _ in range(count)]

    for job in jobs:
        harness.executor.submit(job)
    for job in jobs:
        harness.end(job, timeout_s=60)
        harness.executor.confirm(job.key)

    ends = [report for report in harness.reports if report.kind is SUCCESS]
    assert len(ends) == len({report.key for report in ends}) == count
