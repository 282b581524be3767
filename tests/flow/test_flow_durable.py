"""Flows on a durable store: results as JSON, and going on after a kill."""

import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import flow_programs
import programs
import pytest

from eventflow import Scheduler, WorkflowStatus, current_context
from eventflow.errors import FlowDefinitionError, FlowFailedError, StoreBusyError
from eventflow.flow import FlowSpec, foreach, join, needs, optional, step

SOON_S = 20
PROGRAM = "import flow_programs; flow_programs.main()"


def run_program(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    return programs.run(
        [sys.executable, "-c", PROGRAM, folder, *flags], cwd=Path(__file__).parent, timeout=60
    )


def journal(folder: Path) -> Counter[str]:
    return Counter((folder / "journal").read_text().split())


def test_a_killed_flow_goes_on_from_its_last_finished_items(tmp_path: Path) -> None:
    assert run_program(tmp_path, "--first").returncode == -9
    before = journal(tmp_path)

    ended = run_program(tmp_path)

    assert ended.stdout == f"1 {10 * sum(range(flow_programs.ITEMS))}\n", ended.stderr
    assert before == Counter(["fan", *(f"work-{number}" for number in range(6))])
    # Only the item that was running when the process died began twice.
    again = Counter(["work-5", "work-6", "work-7"])
    assert journal(tmp_path) == before + again


def test_a_flow_may_be_killed_as_often_as_it_takes(tmp_path: Path) -> None:
    codes = [run_program(tmp_path, "--often").returncode for _ in range(6)]

    ended = run_program(tmp_path, "--often")

    assert codes == [-9] * 6
    assert ended.stdout == f"1 {10 * sum(range(flow_programs.ITEMS))}\n", ended.stderr
    assert journal(tmp_path)["work-5"] == 7


def test_a_flow_that_ended_is_not_resumed(tmp_path: Path) -> None:
    (tmp_path / "died").touch()

    first, second = run_program(tmp_path), run_program(tmp_path)

    assert (first.stdout.split()[0], second.stdout.split()[0]) == ("1", "2")
    assert journal(tmp_path)["fan"] == 2


def test_an_unfinished_flow_is_started_anew_when_that_is_wanted(tmp_path: Path) -> None:
    assert run_program(tmp_path, "--first").returncode == -9

    ended = run_program(tmp_path, "--anew")

    assert ended.stdout.split() == ["2", "280"], ended.stderr
    assert journal(tmp_path)["fan"] == 2
    with Scheduler(f"sqlite:///{tmp_path / 'flow.db'}", program="test") as scheduler:
        assert scheduler.execution(1).status is WorkflowStatus.STOPPED
    assert journal(tmp_path)["work-6"] == 1


def test_another_input_is_another_run(tmp_path: Path) -> None:
    assert run_program(tmp_path, "--first").returncode == -9
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "died").touch()

    flow = flow_programs.Resumed(
        input=str(tmp_path / "other"), store=str(tmp_path / "flow.db"), resume=True
    )
    run = flow.run()

    assert run.id == 2
    assert run.get_result("end") == 280


def test_results_are_json_and_can_be_read_by_anyone_later(tmp_path: Path) -> None:
    store = tmp_path / "flow.db"

    class Kept(FlowSpec):
        @foreach
        @step
        def fan(self, x: dict[str, int]) -> tuple[int, ...]:
            return (x["a"], 2)

        @needs([fan])
        @step
        def work(self, x: int) -> tuple[int, int]:
            return (x, x)

    run = Kept(input={"a": 1}, store=f"sqlite:///{store}").run()

    assert run.get_result("work") == [[1, 1], [2, 2]]
    assert [node.result for node in run.nodes("work")] == [[1, 1], [2, 2]]
    with Scheduler(f"sqlite:///{store}") as scheduler:
        assert scheduler.execution(run.id).result("work") == [[1, 1], [2, 2]]


def test_what_is_no_json_is_refused_with_the_reason(tmp_path: Path) -> None:
    class Kept(FlowSpec):
        @step
        def one(self) -> object:
            return object()

    with pytest.raises(FlowFailedError, match=r"one: ResultError.*JSON"):
        Kept(store=str(tmp_path / "flow.db")).run()
    with pytest.raises(FlowDefinitionError, match="are JSON"):
        Kept(input=object(), store=str(tmp_path / "flow.db")).run()


def test_flows_on_one_store_at_once_share_its_scheduler(tmp_path: Path) -> None:
    store = str(tmp_path / "flow.db")
    gate = threading.Barrier(3)

    class Meeting(FlowSpec):
        @step
        def one(self, x: int) -> int:
            self.mine = x
            gate.wait(SOON_S)
            return self.mine

        @optional(lambda flow: flow.input == 2)
        @needs([one])
        @step
        def two(self, x: int) -> int:
            return x + self.mine

    runs = [Meeting(input=number, store=store).start() for number in (1, 2, 2)]

    ended = [run.wait(SOON_S).check() for run in runs]
    assert [run.get_result("one") for run in ended] == [1, 2, 2]
    assert [run.get_result("two") for run in ended] == [None, 4, 4]
    assert len({run.id for run in ended}) == 3


def test_a_store_that_another_process_holds_is_named(tmp_path: Path) -> None:
    store = str(tmp_path / "flow.db")

    class One(FlowSpec):
        @step
        def one(self) -> int:
            return 1

    with (
        Scheduler(f"sqlite:///{store}", program="the other"),
        pytest.raises(StoreBusyError, match="the other"),
    ):
        One(store=store).run()
    assert One(store=store).run().get_result("one") == 1


def test_a_failed_flow_can_be_looked_into_afterwards(tmp_path: Path) -> None:
    class Failing(FlowSpec):
        @foreach
        @step
        def fan(self) -> list[int]:
            return [0, 1, 2]

        @needs([fan])
        @step
        def work(self, x: int) -> int:
            if x == 1:
                raise ValueError("bad")
            return x

        @join
        @needs([work])
        @step
        def end(self, xs: list[int]) -> Any:
            return xs

    flow = Failing(store=str(tmp_path / "flow.db"), failure="finish")
    with pytest.raises(FlowFailedError, match=r"work\[1\]: ValueError: bad"):
        flow.run()

    assert flow.get_result("work") == [0, None, 2]
    error = flow.node("work", 1).error
    assert error is not None
    assert "raise ValueError" in error.traceback
    assert flow.node("end").status is None


def test_a_failed_flow_is_retried_where_it_failed(tmp_path: Path) -> None:
    broken, ran = threading.Event(), []
    broken.set()

    class Mended(FlowSpec):
        @foreach
        @step
        def fan(self, n: int) -> list[int]:
            ran.append("fan")
            return list(range(n))

        @needs([fan])
        @step
        def work(self, x: int) -> int:
            ran.append(f"work-{x}")
            if x == 1 and broken.is_set():
                raise ValueError("broken")
            return x

        @join
        @needs([work])
        @step
        def end(self, xs: list[int]) -> int:
            return sum(xs)

    flow = Mended(input=3, store=str(tmp_path / "flow.db"), failure="finish")
    with pytest.raises(FlowFailedError, match="broken"):
        flow.run()
    broken.clear()
    with Scheduler(f"sqlite:///{tmp_path / 'flow.db'}") as scheduler:
        scheduler.register(flow.to_workflow())
        assert flow.newest_run is not None
        retried = scheduler.retry(flow.newest_run.id)
        retried.wait(SOON_S)

        assert retried.result("end") == 3
    assert sorted(ran) == ["fan", "work-0", "work-1", "work-1", "work-2"]


def test_a_cancelled_flow_is_over_and_not_resumed(tmp_path: Path) -> None:
    begun = threading.Event()

    class Long(FlowSpec):
        @step
        def one(self) -> None:
            begun.set()
            current_context().wait(SOON_S)

    flow = Long(store=str(tmp_path / "flow.db"))
    run = flow.start()
    assert begun.wait(SOON_S)
    run.stop()
    run.wait(SOON_S)
    begun.clear()
    second = flow.start()

    assert run.status is WorkflowStatus.STOPPED
    assert begun.wait(SOON_S)
    assert second.id != run.id
    second.stop()
    second.wait(SOON_S)


def test_what_was_left_by_a_flow_of_other_steps_is_named(tmp_path: Path) -> None:
    assert run_program(tmp_path, "--first").returncode == -9

    changed = run_program(tmp_path, "--renamed")

    assert "flow.left_behind id=1" in changed.stderr
    assert changed.stdout.startswith("2 ")


def test_a_resume_warns_of_nothing(tmp_path: Path) -> None:
    assert run_program(tmp_path, "--first").returncode == -9

    assert run_program(tmp_path).stderr == ""


def test_what_was_left_goes_on_when_its_steps_are_back(tmp_path: Path) -> None:
    assert run_program(tmp_path, "--first").returncode == -9
    assert run_program(tmp_path, "--renamed").stdout.startswith("2 ")

    back = run_program(tmp_path)

    assert back.stdout.startswith("1 "), back.stderr
