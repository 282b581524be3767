"""kill -9 of a running `serve` in the middle of a map: no item is lost, none runs again (S43)."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from journal import overlapping, read
from place import DEADLINE_S, Place

from eventflow.runtime.handle import ExecutionHandle
from eventflow.runtime.remote import RemoteClient

COUNT = 40
# Items of a map keep the journal; `{journal}` is its path.
WORKFLOW = """
import os, time
from eventflow import PythonOperator, Workflow, current_context

def write(line):
    descriptor = os.open({journal!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, (line + "\\n").encode())
    os.fsync(descriptor)
    os.close(descriptor)

def work(number):
    context = current_context()
    run = context.task_execution
    name = f"item-{{number}} {{run.sequence_number}} {{run.attempt}} {{os.getpid()}}"
    write(f"begin {{name}} {{time.monotonic_ns()}}")
    context.wait(0.1)
    write(f"end {{name}} {{time.monotonic_ns()}}")
    return number * number

def join(squares):
    return squares

with Workflow("steps") as workflow:
    b = PythonOperator("b", work, max_active_items=4).map(list(range(40)))
    PythonOperator("c", join, [b.output])
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, WORKFLOW)
    yield made
    made.end()


def begins(place: Place) -> Counter[int]:
    """Item -> how often it has begun."""
    lines = read(place.journal)
    return Counter(int(line.task.removeprefix("item-")) for line in lines if line.what == "begin")


@pytest.mark.rule("S43", "S10", "S11", "S28")
def test_a_scheduler_that_was_killed_in_a_map_goes_on_with_the_items_that_had_not_ended(
    place: Place,
) -> None:
    assert place.serve(), place.log
    with RemoteClient(place.url) as remote:
        handle = ExecutionHandle(remote.client, command=remote.client.run("default", "steps"))
        execution_id = handle.id
        # Item -> how often it had begun when it was found to have ended.
        ended: dict[int, int] = {}
        for item in (5, 20, 30):
            place.until(lambda item=item: place.began(f"item-{item}"), f"item {item} never began")
            place.kill()
            (run,) = remote.store.execution(execution_id).tasks
            assert run.items.total == COUNT
            for done in remote.store.items(run.id, statuses=["SUCCESS"]):
                ended.setdefault(done.item, begins(place)[done.item])
            assert place.serve(), place.log

        assert handle.wait(DEADLINE_S).status == "SUCCESS"

        begun = begins(place)
        assert sorted(begun) == list(range(COUNT))
        assert ended, "it was killed before any item had ended"
        assert {item: begun[item] for item in ended} == ended
        assert overlapping(read(place.journal), place.killed_at) == []
        squares = [number * number for number in range(COUNT)]
        assert json.loads(remote.store.latest_result(execution_id, "b") or "") == squares
        assert json.loads(remote.store.latest_result(execution_id, "c") or "") == squares
