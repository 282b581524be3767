"""What an executor's report does to a run, for every status that it may find (S26-S28)."""

import pytest
from core_bench import OUTSET, STANDS, Bench, Idle, standing

from eventflow import TaskAction, Workflow
from eventflow.core.moves import RunMoved
from eventflow.core.world import LiveExecution

RUNNING = [*OUTSET, "RUNNING"]
KINDS = ("running", "success", "failed", "skipped", "stopped", "lost", "refused")

# (how the run stands, report) -> statuses added; what is not here is recorded as ignored.
TABLE: dict[tuple[str, str], list[str]] = {
    ("QUEUED", "running"): ["RUNNING"],
    ("QUEUED", "success"): ["RUNNING", "SUCCESS"],
    ("QUEUED", "failed"): ["RUNNING", "RETRYING"],
    ("QUEUED", "skipped"): ["RUNNING", "SKIPPED"],
    ("QUEUED", "stopped"): ["RUNNING", "RETRYING"],
    ("QUEUED", "lost"): ["RETRYING", "QUEUED"],
    ("QUEUED", "refused"): ["FAILED"],
    ("RUNNING", "success"): ["SUCCESS"],
    ("RUNNING", "failed"): ["RETRYING"],
    ("RUNNING", "skipped"): ["SKIPPED"],
    ("RUNNING", "stopped"): ["RETRYING"],
    ("RUNNING", "lost"): ["RETRYING", "QUEUED"],
    ("RUNNING", "refused"): ["FAILED"],
    **{("STOPPING", kind): ["STOPPED"] for kind in KINDS if kind != "running"},
    **{("RESTARTING", kind): ["STOPPED"] for kind in KINDS if kind != "running"},
}


@pytest.mark.rule("S26", "S27", "S28")
@pytest.mark.parametrize("how", [how for how in STANDS if how != "never ran"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_report_does_what_the_table_says(how: str, kind: str) -> None:
    bench, _ = standing(how)
    before = bench.runs("a")[0][1]

    decision = bench.report(kind, 1)

    added = TABLE.get((how, kind))
    assert bench.runs("a")[0] == (1, [*before, *(added or [])])
    ignored = [outcome.did for outcome in decision.outcomes if outcome.did.startswith("ignored")]
    assert bool(ignored) is (added is None)


@pytest.mark.rule("S20", "S27")
@pytest.mark.parametrize(
    ("how", "ends", "reason"),
    [
        ("RUNNING", "SKIPPED", "no orders today"),
        ("STOPPING", "STOPPED", ""),
        ("RESTARTING", "STOPPED", ""),
    ],
)
def test_why_a_task_skipped_is_the_reason_of_a_skip_and_not_of_a_stop_that_came_first(
    how: str, ends: str, reason: str
) -> None:
    bench, _ = standing(how)

    decision = bench.report("skipped", 1, reason="no orders today")

    moved = [change for change in decision.changes if isinstance(change, RunMoved)]
    assert (moved[0].run.status, moved[0].reason) == (ends, reason)
    assert bench.failures == {}


@pytest.mark.rule("S26")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("attempt", [1, 3])
def test_a_report_of_another_attempt_is_ignored(kind: str, attempt: int) -> None:
    bench, _ = standing("RUNNING")
    bench.report("lost", 1)
    bench.report("running", 1, 2)
    before = bench.runs("a")

    decision = bench.report(kind, 1, attempt)

    assert bench.runs("a") == before
    assert [outcome.did for outcome in decision.outcomes] == [f"ignored: late report {kind}"]


@pytest.mark.rule("S26")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["SUCCESS", "FAILED", "SKIPPED", "STOPPED"])
def test_a_report_of_a_run_that_has_ended_is_ignored_though_it_knows_its_place(
    kind: str, how: str
) -> None:
    bench, live = standing(how)

    decision = bench.report(kind, 1, execution_id=live.id, task="a")

    assert bench.runs("a") == [(1, STANDS[how])]
    assert [outcome.did for outcome in decision.outcomes] == [f"ignored: late report {kind}"]


@pytest.mark.rule("S27")
@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_task_is_attempted_once_more_for_each_retry_and_no_oftener(retries: int) -> None:
    bench, live = running(retries=retries)
    for attempt in range(1, retries + 1):
        bench.report("failed", 1, attempt)
        assert bench.latest(live, "a").attempt == attempt + 1
    bench.report("failed", 1, retries + 1)

    assert bench.runs("a")[0][1].count("RETRYING") == retries
    assert bench.runs("a")[0][1][-1] == "FAILED"
    assert sorted(bench.failures) == [(1, n) for n in range(1, retries + 2)]


@pytest.mark.rule("S28")
@pytest.mark.parametrize("max_lost", [0, 1, 3])
def test_an_attempt_is_made_up_for_as_often_as_it_may_be_lost_in_a_row(max_lost: int) -> None:
    bench, _ = running(max_lost=max_lost)
    for attempt in range(1, max_lost + 1):
        bench.report("lost", 1, attempt)
        bench.report("running", 1, attempt + 1)
        assert bench.runs("a")[0][1][-1] == "RUNNING"
    bench.report("lost", 1, max_lost + 1)

    assert bench.runs("a")[0][1][-1] == "FAILED"


@pytest.mark.rule("S28")
def test_a_loss_that_does_not_count_is_made_up_for_without_end() -> None:
    bench, _ = running(max_lost=0)
    for attempt in range(1, 20):
        bench.report("lost", 1, attempt, counted=False)

    assert bench.runs("a")[0][1][-1] == "QUEUED"


@pytest.mark.rule("S28")
@pytest.mark.parametrize(("minutes", "ends"), [(9, "FAILED"), (10, "QUEUED")])
def test_ten_minutes_of_life_begin_the_count_of_losses_anew(minutes: int, ends: str) -> None:
    bench, _ = running(max_lost=1)
    bench.report("lost", 1, 1)
    bench.report("running", 1, 2)
    bench.wait(minutes=minutes)

    bench.report("lost", 1, 2)

    assert bench.runs("a")[0][1][-1] == ends


@pytest.mark.rule("S28")
def test_a_failure_between_two_losses_begins_their_count_anew() -> None:
    bench, _ = running(max_lost=1, retries=1)
    for attempt, kind in enumerate(["lost", "failed", "lost"], 1):
        bench.report(kind, 1, attempt)
        bench.report("running", 1, attempt + 1)

    assert bench.runs("a")[0][1][-1] == "RUNNING"


@pytest.mark.rule("S27")
@pytest.mark.parametrize("how_it_ends", ["success", "failed", "skipped", "stopped", "lost"])
def test_an_attempt_past_its_timeout_has_failed_with_that_however_it_ends(how_it_ends: str) -> None:
    bench, live = running(timeout=30)
    (timer,) = bench.world.timers.values()
    bench.alarm(timer)
    assert bench.runs("a") == [(1, RUNNING)]
    assert bench.outbox == {(1, 1, TaskAction.STOP)}

    bench.report(how_it_ends, 1)

    assert bench.runs("a") == [(1, [*RUNNING, "FAILED"])]
    assert bench.failures == {(1, 1): "TaskTimeoutError"}
    assert live.alive == 0


@pytest.mark.rule("S27")
def test_a_timeout_does_not_outlive_its_attempt() -> None:
    bench, _ = running(timeout=30, retries=1)
    (timer,) = bench.world.timers.values()
    bench.report("failed", 1)
    bench.report("running", 1, 2)

    bench.alarm(timer)

    assert bench.runs("a") == [(1, [*RUNNING, "RETRYING", "QUEUED", "RUNNING"])]
    assert bench.outbox == set()


def running(**config: object) -> tuple[Bench, LiveExecution]:
    """An execution of one task, which is RUNNING."""
    with Workflow("w", completion="manual") as workflow:
        Idle("a", **config)
    bench = Bench()
    bench.register(workflow)
    live = bench.run(workflow)
    bench.report("running", 1)
    return bench, live
