"""What the code of an item of a mapped task is handed, in every executor (S43)."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from executor_harness import FLOWS, PATIENCE_S

from eventflow import Scheduler, WorkflowStatus
from eventflow.runtime.handle import ExecutionHandle

FLOW = FLOWS / "items_flow.py"


@pytest.fixture(params=["threads", "processes"])
def scheduler(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scheduler]:
    monkeypatch.chdir(tmp_path)
    scripts = Path(sys.executable).parent
    monkeypatch.setenv("EVENTFLOW", str(scripts / "eventflow"))
    # As if the scheduler itself ran in an item of another one's.
    monkeypatch.setenv("EVENTFLOW_ITEM", "of another")
    with Scheduler(f"sqlite:///{tmp_path / 'store.db'}", executor=request.param) as scheduler:
        yield scheduler


def run(scheduler: Scheduler, name: str) -> ExecutionHandle:
    scheduler.register_file(FLOW, [name])
    handle = scheduler.run(name)
    assert handle.wait(PATIENCE_S).status is WorkflowStatus.SUCCESS, handle.record
    return handle


@pytest.mark.rule("S43")
def test_a_command_gets_its_item_and_index_as_variables(
    scheduler: Scheduler, tmp_path: Path
) -> None:
    run(scheduler, "bashed")

    shown = [(tmp_path / f"shown.{n}").read_text() for n in range(4)]
    assert shown == ["a b|0|x", '{"n":1}|1|x', "3|2|x", "null|3|x"]
    # A map over a map: each element of each result, and the whole of what was joined.
    paired = (tmp_path / "pair.2,1").read_text()
    assert paired == "3|2,1|[[1,1],[2,2],[3,3],[4,4]]"
    assert len(list(tmp_path.glob("pair.*"))) == 8
    assert (tmp_path / "alone").read_text() == "||"


@pytest.mark.rule("S3", "S14", "S43")
def test_items_are_senders_of_their_own_so_that_one_id_is_no_repeat(scheduler: Scheduler) -> None:
    handle = run(scheduler, "emitting")

    assert handle.result("work") == ["1_work_1[0]", "1_work_1[1]", "1_work_1[2]"]
    told = scheduler.events(["told"])
    assert sorted(event.value for event in told) == [1, 2, 3]
    by_command = {event.sender: event for event in scheduler.events(["bashed"])}
    assert sorted(by_command) == ["1_sh_1[0]", "1_sh_1[1]"]
    assert {event.workflow_execution_id for event in by_command.values()} == {handle.id}


@pytest.mark.rule("S39", "S43")
def test_state_and_draws_are_of_one_item_and_outlive_its_attempts(scheduler: Scheduler) -> None:
    handle = run(scheduler, "keeping")

    results = handle.result("work")
    assert [seen for seen, _, _ in results] == [2, 2, 2]
    assert len({drawn for _, drawn, _ in results}) == 3
    items = scheduler.store.items(handle.tasks[0].id)
    assert [item.id for item in items] == [int(run_id) for _, _, run_id in results]
    for (_, drawn, _), item in zip(results, items, strict=True):
        path = scheduler.store.log_path(handle.id, "work", 1, 1, item.item or 0)
        assert path is not None
        assert f"drew {drawn}" in path.read_text()
