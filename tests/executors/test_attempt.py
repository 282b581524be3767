"""One attempt, without an executor: stops that come at awkward moments, and odd exceptions."""

from pathlib import Path
from typing import Any

import pytest
from executor_harness import FLOWS, MemoryDesk, make_job

from eventflow.clock import SystemClock
from eventflow.errors import ResultError
from eventflow.executors.attempt import MAX_RESULT_BYTES, Attempt, result_text
from eventflow.executors.failure import failure_of
from eventflow.executors.port import ReportKind
from eventflow.executors.taskcontext import AttemptContext
from eventflow.executors.tasklog import TaskLog
from eventflow.model.context import TaskContext, find_context
from eventflow.model.jsonvalue import encode
from eventflow.model.operator import Operator
from eventflow.model.workflow import Workflow


class Noting(Operator):
    """Notes whether it ran, and in which context."""

    ran = False

    def start(self, context: TaskContext) -> None:
        self.ran = True
        assert find_context() is context


@pytest.fixture
def noting() -> Noting:
    with Workflow("w"):
        return Noting("note")


def attempt_of(operator: Operator, folder: Path) -> Attempt:
    job = make_job(FLOWS / "contract_flow.py", folder, operator.name, 1)
    context = AttemptContext(
        job, MemoryDesk(), TaskLog(None), SystemClock(), store_url="", own_group=False
    )
    return Attempt(job, operator, context)


@pytest.mark.rule("S20")
def test_a_stop_before_the_code_begins_means_that_it_never_runs(
    noting: Noting, tmp_path: Path
) -> None:
    attempt = attempt_of(noting, tmp_path)

    assert attempt.ask_to_stop()

    assert attempt.run().kind is ReportKind.STOPPED
    assert not noting.ran


def test_a_stop_after_the_end_comes_too_late(noting: Noting, tmp_path: Path) -> None:
    attempt = attempt_of(noting, tmp_path)

    assert attempt.run().kind is ReportKind.SUCCESS
    assert not attempt.ask_to_stop()
    assert noting.ran
    assert find_context() is None


@pytest.mark.rule("S37")
def test_a_result_may_have_exactly_the_limit() -> None:
    assert len(result_text("x" * (MAX_RESULT_BYTES - 2))) == MAX_RESULT_BYTES
    with pytest.raises(ResultError):
        result_text("x" * (MAX_RESULT_BYTES - 1))


def test_a_coroutine_that_was_forgotten_is_told_and_closed() -> None:
    async def later() -> None:
        return None

    with pytest.raises(ResultError, match="never awaited"):
        result_text(later())


class Rude(Exception):  # noqa: N818  it is what it is
    def __repr__(self) -> str:
        raise SystemExit


class Sly(dict[str, Any]):
    def items(self) -> Any:
        raise KeyboardInterrupt


@pytest.mark.rule("S37")
@pytest.mark.fault("F34")
@pytest.mark.parametrize(
    "error",
    [
        Rude("a"),
        ValueError(Sly(a=1), Rude(), float("nan"), {1: 2}, "\ud800", 2**70, b"bytes"),
        ValueError(*range(100)),
        type("E" + "x" * 1000, (Exception,), {})("odd name"),
        ExceptionGroup("many", [ValueError(n) for n in range(1000)]),
        OSError(2, "No such file", "a"),
    ],
)
def test_f34_any_exception_becomes_plain_data(error: Exception) -> None:
    failure = failure_of(error, 1)

    encode([failure.type_name, failure.message, failure.args, failure.traceback])
    assert len(failure.args) <= 16
    assert len(failure.type_name) < 300
    assert len(failure.traceback) < 70_000


def test_a_circle_of_causes_ends() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first

    assert "earlier ones left out" in failure_of(first, 1).traceback


def test_a_deep_traceback_keeps_its_head_and_its_end() -> None:
    def fall(depth: int) -> None:
        if depth == 0:
            raise ValueError("at the bottom")
        fall(depth - 1)

    def begin() -> None:
        fall(200)

    with pytest.raises(ValueError, match="bottom") as caught:
        begin()

    told = failure_of(caught.value, 1).traceback
    assert told.startswith("Traceback (most recent call last):")
    assert "in begin" in told
    assert "frames left out ...]" in told
    assert told.endswith("ValueError: at the bottom\n")
