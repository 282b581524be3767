"""kill -9 of a running `serve`: what was acknowledged is there, and no task runs beside itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from journal import WORKFLOW, Line, append_and_sync, overlapping, read
from place import DEADLINE_S, Place

from eventflow.runtime.handle import ExecutionHandle
from eventflow.runtime.remote import RemoteClient


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, WORKFLOW)
    yield made
    made.end()


@pytest.mark.rule("S2", "S10", "S11", "S28")
def test_a_scheduler_that_was_killed_goes_on_from_its_last_commit(place: Place) -> None:
    assert place.serve(), place.log
    with RemoteClient(place.url) as remote:
        handle = ExecutionHandle(remote.client, command=remote.client.run("default", "steps"))
        execution_id = handle.id
        place.until(lambda: place.began("s1"), "s1 never began")
        place.kill()
        assert place.serve(), place.log
        place.until(lambda: place.began("s3"), "s3 never began")
        place.kill()
        assert place.serve(), place.log

        ended = handle.wait(DEADLINE_S)

        lines = read(place.journal)
        assert ended.status == "SUCCESS"
        assert [task.task_name for task in ended.tasks] == [f"s{number}" for number in range(6)]
        assert overlapping(lines, place.killed_at) == []
        done = remote.store.read(keys=["step.done"], limit=1000)
        assert {event.value["task"] for event in done} == {f"s{number}" for number in range(6)}
        assert {event.workflow_execution_id for event in done} == {execution_id}


@pytest.mark.rule("S2")
def test_what_was_acknowledged_before_a_kill_is_in_the_log_once(place: Place) -> None:
    acknowledged = place.folder / "acknowledged"
    assert place.serve(), place.log
    with RemoteClient(place.url) as remote:
        for number in range(400):
            event = remote.client.emit("number", number, id=f"n{number}", sender="test")
            append_and_sync(acknowledged, f"{number} {event.offset}")
            if number in (100, 250):
                place.kill()
                assert place.serve(), place.log
        told = [tuple(map(int, line.split())) for line in acknowledged.read_text().splitlines()]

        stored = [(event.value, event.offset) for event in remote.store.read(keys=["number"])]

        assert stored == told
        assert len(stored) == 400
        last = stored[-1][1]
        found = remote.until(lambda: remote.store.decided_offset(last) or None, DEADLINE_S)
        assert found is True
        turns = [event.turn for event in remote.store.read(keys=["number"])]
        assert 0 not in turns
        assert turns == sorted(set(turns))


def test_the_journals_judge_sees_two_attempts_that_ran_beside_each_other() -> None:
    first = [Line("begin", "s", 1, 1, 10, 100), Line("end", "s", 1, 1, 10, 300)]
    beside = [Line("begin", "s", 1, 2, 11, 200), Line("end", "s", 1, 2, 11, 400)]
    killed = [Line("begin", "s", 1, 1, 10, 100)]

    assert overlapping(first + beside, []) == ["s: attempt 2 began while 1 ran"]
    assert overlapping(killed + beside, []) == ["s: attempt 2 began while 1 ran"]
    assert overlapping(killed + beside, [150]) == []
