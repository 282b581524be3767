"""What is explained of a mapped task and of its items (S42, S43)."""

import pytest

from eventflow import PythonOperator, TaskAction, TaskExecutionKey, TaskStatus, Workflow
from eventflow.core.explanation import How, ItemOrigin, TaskExplained
from eventflow.core.telling import tell
from eventflow.errors import NotFoundError
from eventflow.runtime.items import map_of
from eventflow.runtime.standing import waiting
from eventflow.testing import VirtualScheduler


def one(item: object) -> object:
    return item


def told(scheduler: VirtualScheduler, task: str) -> list[str]:
    return tell(explained(scheduler, task), lambda instant: instant.strftime("%H:%M:%S"))


def explained(scheduler: VirtualScheduler, task: str) -> TaskExplained:
    found = scheduler.explain(scheduler.execution().id, task)
    assert isinstance(found, TaskExplained)
    return found


@pytest.fixture
def busy() -> VirtualScheduler:
    """A map of ten of which each stands otherwise."""
    with Workflow("w") as workflow:
        fan = PythonOperator("fan", list)
        work = PythonOperator(
            "work", one, max_active_items=5, pool="few", retries=1, retry_delay=60
        )
        work.map(fan.output)
    scheduler = VirtualScheduler(workflow)
    scheduler.set_pool("few", 2)
    scheduler.outcome("fan", result=list(range(10)))
    scheduler.outcome("work", TaskStatus.FAILED, retryable=False)
    scheduler.outcome("work", TaskStatus.FAILED)
    for _ in range(2):
        scheduler.outcome("work", after=3600)
    scheduler.run()
    scheduler.advance(seconds=1)
    return scheduler


@pytest.mark.rule("S42", "S43", "S44")
def test_a_map_says_how_many_items_wait_for_what_and_which_failed(busy: VirtualScheduler) -> None:
    lines = told(busy, "work")

    assert lines[0] == "work #1 of execution 1 is RUNNING (10 items)."
    assert "  runs for each item of fan: 1/10 items, 1 failed" in lines
    assert "  2 items are RUNNING" in lines
    (queued,) = [line for line in lines if "QUEUED" in line]
    assert queued.startswith("  2 items are QUEUED: waits for a slot of pool 'few'")
    assert "  1 item is RETRYING; the first goes on at 00:01:00" in lines
    assert (
        "  4 items wait for others to end: at most 5 are alive at once (max_active_items)" in lines
    )
    assert "  work[0] failed: RuntimeError: it was to fail" in lines
    assert any(line.startswith("  pool few: 2 slots, 2 held") for line in lines)
    short = tell(busy.explain(1), str)
    assert "  runs for each item of fan: 1/10 items, 1 failed" in short


@pytest.mark.rule("S42", "S43")
def test_an_execution_that_waits_for_a_map_says_what_the_map_waits_for(
    busy: VirtualScheduler,
) -> None:
    (line,) = waiting(busy.store, busy.execution(), None, lambda instant: "then")

    assert line == (
        "work #1 is RUNNING since then: for its items; some are QUEUED: waits for a slot of pool "
        "'few'; some are RETRYING"
    )


@pytest.mark.rule("S42", "S43")
@pytest.mark.parametrize(
    ("item", "line"),
    [
        (0, "work[0] #1 of execution 1 is FAILED (RuntimeError: it was to fail)."),
        (1, "work[1] #1 of execution 1 is RETRYING (RuntimeError: it was to fail)."),
        (2, "work[2] #1 of execution 1 is RUNNING."),
        (9, "work[9] #1 of execution 1 is INIT."),
    ],
)
def test_an_item_says_how_it_stands_and_what_started_its_map(
    busy: VirtualScheduler, item: int, line: str
) -> None:
    lines = told(busy, f"work[{item}]")

    assert lines[0].startswith(line.removesuffix("."))
    assert f"  it is about element {item} of the result of fan #1" in lines
    assert "  it is one of the 10 items of work #1, which is RUNNING" in lines
    assert any(line.startswith("work #1 started by its rule 0") for line in lines)
    run = explained(busy, f"work[{item}]").run
    assert run is not None
    assert run.parent is not None
    assert explained(busy, str(run.id)) == explained(busy, f"work[{item}]")
    assert explained(busy, str(run.parent)) == explained(busy, "work")
    by_key = busy.explain(TaskExecutionKey(1, f"work[{item}]", 1))
    assert by_key == explained(busy, f"work[{item}]")


@pytest.mark.rule("S42", "S43")
def test_an_item_that_waits_says_for_what(busy: VirtualScheduler) -> None:
    retrying, queued, closed = (explained(busy, f"work[{item}]").notes for item in (1, 4, 9))

    assert retrying[1] == "it runs again at 2026-01-01T00:01:00+00:00"
    assert queued[1].startswith("pool few: 2 slots")
    assert closed[1].startswith("it waits for others to end: at most 5 are alive")


@pytest.mark.rule("S42", "S43")
def test_where_an_item_of_nested_maps_came_from() -> None:
    with Workflow("w") as workflow:
        given = PythonOperator("given", one).map(["a", "b"])
        nested = PythonOperator("nested", one).map(given.output, nested=True)
        paired = PythonOperator("paired", one).map(nested.output)
    scheduler = VirtualScheduler(workflow)
    for _ in range(2):
        scheduler.outcome("given", result=[1, 2, 3])
    scheduler.run()

    assert explained(scheduler, "given[1]").origins == (ItemOrigin(element=1),)
    assert explained(scheduler, "nested[1,2]").origins == (
        ItemOrigin(task="given", sequence_number=1, index=(1,), element=2, status="SUCCESS"),
    )
    assert explained(scheduler, "paired[1,2]").origins == (
        ItemOrigin(task="nested", sequence_number=1, index=(1, 2), status="SUCCESS"),
    )
    assert "  it came from nested[1,2] #1, which is SUCCESS" in told(scheduler, "paired[1,2]")
    assert paired.name == "paired"


@pytest.mark.rule("S42", "S43")
@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("work[10]", "work #1 has no item work[10]; it has 10, counted from 0"),
        ("work[1,2]", "work[1,2] is no item: those of work #1 are named by 1 numbers each"),
        ("fan[0]", "fan #1 has no item fan[0]: it is no mapped task"),
        ("wrk[0]", "has no task 'wrk'; did you mean 'work'?"),
        ("4711", "has no task '4711'"),
    ],
)
def test_an_item_that_is_not_there_is_refused(
    busy: VirtualScheduler, named: str, message: str
) -> None:
    with pytest.raises(NotFoundError) as caught:
        busy.explain(1, named)

    assert message in str(caught.value)


@pytest.mark.rule("S14", "S42", "S43")
def test_the_event_of_an_item_leads_back_to_its_map() -> None:
    with Workflow("w") as workflow:
        work = PythonOperator("work", one).map([1, 2])
        next_one = PythonOperator("next", list)
        next_one.action_on_event_received(TaskAction.START, "told")
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("work", after=60)
    scheduler.run()
    scheduler.emit("told", sender="1_work_1[1]", workflow_execution_id=1)

    chain = explained(scheduler, "next").chain

    assert [(link.task, link.how) for link in chain[:2]] == [
        ("next", How.RULE),
        (work.name, How.AUTOSTART),
    ]


@pytest.mark.rule("S31", "S42", "S43")
def test_items_that_were_taken_over_are_told_from_where() -> None:
    with Workflow("w") as workflow:
        first = PythonOperator("first", one).map([1, 2])
        PythonOperator("second", one).map(first.output)
    scheduler = VirtualScheduler(workflow)
    scheduler.outcome("second", TaskStatus.FAILED)
    scheduler.run()
    scheduler.retry(1)

    taken = "  it was taken over from execution 1: nothing ran here"
    # The whole of the first map was, and one item of the second.
    assert "  it is one of the 2 items of first #1, which is SUCCESS" in told(scheduler, "first[0]")
    assert taken in told(scheduler, "first[0]")
    assert taken in told(scheduler, "second[1]")
    assert taken not in told(scheduler, "second[0]")
    assert "  it came from first[0] #1, which is SUCCESS" in told(scheduler, "second[0]")
    holder = map_of(scheduler.store, scheduler.execution(2), "first")
    assert (holder.workflow_execution_id, str(holder.items)) == (1, "2/2 items")
