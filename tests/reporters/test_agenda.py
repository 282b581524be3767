"""Agenda: what is told and when, over days of virtual time."""

import itertools
from datetime import datetime

import pytest

from eventflow import PythonOperator, TaskAction, Workflow
from eventflow.reporters.agenda import MOST_RETRY_AFTER_S, SELDOM_S, SETTLE_S, Agenda
from eventflow.reporters.picture import Definition, Picture, picture_of
from eventflow.testing import VirtualScheduler


def agenda(interval: float = 5, ceiling: float = 60, capacity: int = 10_000) -> Agenda:
    return Agenda(interval=interval, ceiling=ceiling, chance=lambda: 0.0, capacity=capacity)


def accept(book: Agenda, execution_id: int, now: float, **told: object) -> None:
    told = {"fingerprint": 0, "cost": 0.0, "final": False, **told}
    book.accepted(execution_id, began=now, **told)  # type: ignore[arg-type]


class Told:
    """A platform that accepts all, asked as often as the agenda says, in virtual time."""

    def __init__(self, scheduler: VirtualScheduler, workflow: Workflow) -> None:
        self._scheduler = scheduler
        self._workflow = workflow
        self._book = agenda()
        self._begin = scheduler.now
        self._seen = 0
        self.facts = 0
        self.pictures: list[tuple[float, Picture]] = []

    def look(self) -> None:
        """What the thread does at one instant: marks for all that is new, then what is due."""
        for fact in self._scheduler.store.read(
            keys=("eventflow.task.**", "eventflow.workflow.**"), after=self._seen
        ):
            self._book.mark(
                fact.workflow_execution_id or 0, _seconds(self._begin, self._scheduler.now)
            )
            self._seen = fact.offset
            self.facts += 1
        now = _seconds(self._begin, self._scheduler.now)
        while (execution_id := self._book.due(now)) is not None:
            execution = self._scheduler.execution(execution_id)
            picture = picture_of(self._scheduler.store, execution, Definition(self._workflow))
            self.pictures.append((now, picture))
            accept(self._book, execution_id, now, fingerprint=hash(picture), final=picture.final)


def _seconds(begin: datetime, now: datetime) -> float:
    return (now - begin).total_seconds()


def test_a_thousand_changes_in_a_minute_are_a_dozen_posts() -> None:
    with Workflow("busy", completion="manual") as workflow:
        PythonOperator("count", int).action_on_event_received(TaskAction.START, "tick")
    scheduler = VirtualScheduler(workflow)
    told = Told(scheduler, workflow)

    execution = scheduler.run()
    for _ in range(600):
        scheduler.emit("tick")
        told.look()
        scheduler.advance(seconds=0.1)
    scheduler.stop_workflow(execution)
    scheduler.advance(seconds=5)
    told.look()

    assert told.facts > 1_000
    times = [at for at, _ in told.pictures]
    assert len(times) == 13
    assert all(after - before >= 5 for before, after in itertools.pairwise(times))
    assert [picture.final for _, picture in told.pictures] == [False] * 12 + [True]
    assert len(told.pictures[-1][1].runs) == 600


def test_the_first_is_due_a_moment_later_and_a_change_meanwhile_after_the_interval() -> None:
    book = agenda()
    assert book.mark(1, 99)
    assert not book.mark(1, 99.5)

    assert book.due(99.9) is None
    assert book.wait(99) == SETTLE_S == 1
    assert book.due(100) == 1
    assert book.due(100) is None
    book.mark(1, 100)
    accept(book, 1, 100)

    assert book.due(104.9) is None
    assert book.wait(104) == 1
    assert book.due(105) == 1
    assert book.wait(105) is None


def test_the_moment_before_the_first_is_a_small_part_of_a_short_interval() -> None:
    book = agenda(interval=0.5)

    book.mark(1, 0)

    assert book.wait(0) == 0.1


def test_a_picture_that_takes_long_to_make_is_made_more_seldom() -> None:
    book = agenda()

    accept(book, 1, 0, cost=1.0)
    book.mark(1, -SETTLE_S)

    assert book.wait(0) == 100


def test_each_failure_doubles_the_rest_up_to_the_ceiling_and_an_answer_ends_it() -> None:
    book = agenda()
    book.mark(1, -SETTLE_S)

    rests = []
    now = 0.0
    for _ in range(6):
        now += book.wait(now) or 0
        assert book.due(now) == 1
        rests.append(book.failed(1, now))
    assert rests == [10, 20, 40, 60, 60, 60]

    now += rests[-1]
    assert book.due(now) == 1
    accept(book, 1, now)
    assert book.failed(1, now) == 10


def test_chance_takes_up_to_a_quarter_of_the_rest() -> None:
    book = Agenda(interval=5, ceiling=60, chance=lambda: 1.0)

    assert book.failed(1, 0) == 7.5


@pytest.mark.parametrize(
    ("asked", "rest"), [(0.0, 5), (30.0, 30), (1e9, MOST_RETRY_AFTER_S), (float("inf"), 300)]
)
def test_a_platform_may_ask_for_rest_within_bounds(asked: float, rest: float) -> None:
    assert agenda().failed(1, 0, asked) == rest


def test_who_is_refused_waits_and_the_others_only_when_all_are() -> None:
    book = agenda()
    book.mark(1, -SETTLE_S)
    book.mark(2, -SETTLE_S)

    assert book.due(0) == 1
    book.refused(1, 0, all_are=False)
    assert book.due(0) == 2
    book.refused(2, 0, all_are=True)

    assert book.due(SELDOM_S - 1) is None
    assert book.wait(0) == SELDOM_S
    assert sorted(book.open()) == [1, 2]


def test_what_has_ended_and_was_told_is_not_told_again() -> None:
    book = agenda()
    book.mark(1, -SETTLE_S)
    book.due(0)
    book.mark(1, -SETTLE_S)

    accept(book, 1, 0, final=True)

    assert book.due(1_000) is None
    assert not book.mark(1, -SETTLE_S)
    assert not book.is_news(1, 5)
    assert book.open() == []


def test_a_picture_that_says_the_same_is_no_news() -> None:
    book = agenda()
    assert book.is_news(1, 77)

    accept(book, 1, 0, fingerprint=77)

    assert not book.is_news(1, 77)
    assert book.is_news(1, 78)


def test_nothing_in_it_grows_without_a_bound() -> None:
    book = agenda(capacity=10)

    for number in range(100):
        book.mark(number, -SETTLE_S)
    assert book.dropped == 90
    assert book.open() == list(range(90, 100))

    for number in range(1_000, 1_100):
        accept(book, number, 0)
        accept(book, number + 1_000, 0, final=True)
    assert len(book.open()) == 20
    assert book.mark(2_000, -SETTLE_S)  # so long ago that it is forgotten
