"""What users and tasks ask a store: executions, results, history, data (S37, S39)."""

import threading
from datetime import timedelta

import pytest
from conftest import Opens
from msgspec.structs import replace
from shop import chain, nightly, shop
from story import START, StillClock, Story

from eventflow.core.again import REJUDGE, carried
from eventflow.model.records import AttemptFailure, VerdictRecord
from eventflow.model.status import ExecutionType, TaskStatus, WorkflowStatus
from eventflow.store.ports import Store


@pytest.fixture
def story(held: Store, clock: StillClock) -> Story:
    return Story([held], clock, shop(), chain())


def test_an_execution_is_read_with_its_tasks_oldest_first(story: Story, held: Store) -> None:
    story.run("chain", colour="red", sizes=[1, 2])
    story.clock.time += timedelta(seconds=1)
    story.report("running", 1, "first")
    story.clock.time += timedelta(seconds=1)
    story.report("success", 1, "first", result='"done"')

    execution = held.execution(1)

    assert execution is not None
    assert execution.status is WorkflowStatus.RUNNING
    assert execution.params == {"colour": "red", "sizes": [1, 2]}
    assert execution.execution_type is ExecutionType.MANUAL
    assert (execution.created_at, execution.begin_date, execution.end_date) == (START, START, None)
    first, second = execution.tasks
    assert (first.task_name, first.status, first.started_by) == (
        "first",
        TaskStatus.SUCCESS,
        "autostart",
    )
    assert first.begin_date == START + timedelta(seconds=1)
    assert first.end_date == START + timedelta(seconds=2)
    assert (second.status, second.started_by) == (
        TaskStatus.QUEUED,
        "eventflow.task.chain.first.success",
    )
    assert second.execution_type is ExecutionType.EVENT
    assert held.task_execution(second.id) == second
    assert held.event_of_turn(second.trigger_turn) is not None
    assert held.execution_status(1) is WorkflowStatus.RUNNING


def test_what_is_not_there_is_none(store: Store) -> None:
    assert store.execution(1) is None
    assert store.execution_status(1) is None
    assert store.task_execution(1) is None
    assert store.task_status(1, "a") is None
    assert store.result(1) is None
    assert store.latest_result(1, "a") is None
    assert store.history(1) == []
    assert store.failures(1) == []
    assert store.executions() == []
    assert store.decisions() == []
    assert store.workflows() == []
    assert store.timers() == []
    assert store.last_fired("schedule:default/x") is None


def test_an_execution_names_the_event_that_started_it(story: Story, held: Store) -> None:
    story.emit("orders.paid", {"amount": 3}, id="o1", sender="till", attributes={"at": "berlin"})

    (execution,) = held.executions()

    trigger = execution.trigger_event
    assert trigger is not None
    assert (trigger.value, trigger.sender, trigger.id) == ({"amount": 3}, "till", "o1")
    assert trigger.attributes == {"at": "berlin"}
    assert held.event_of_turn(trigger.turn) == trigger
    assert execution.execution_type is ExecutionType.EVENT
    assert execution.tasks == ()


def test_an_execution_is_found_by_its_command(story: Story, held: Store) -> None:
    (decision, *_) = story.run("chain")
    story.emit("orders.paid")

    (found,) = held.decisions(command_offset=decision.event.offset)

    assert (found.workflow_execution_id, found.action) == (1, "run")


def test_executions_are_listed_newest_first_and_by_what_is_asked(story: Story, held: Store) -> None:
    for workflow in ("chain", "shop", "chain", "shop", "shop"):
        story.run(workflow)
    story.end("success", 1, "first", "second")
    story.command("stop", workflow_execution_id=3)

    def ids(**asked: object) -> list[int]:
        return [one.id for one in held.executions(**asked)]  # type: ignore[arg-type]  # by name

    assert ids() == [5, 4, 3, 2, 1]
    assert ids(limit=2) == [5, 4]
    assert ids(workflow="chain") == [3, 1]
    assert ids(namespace="elsewhere") == []
    assert ids(workflow="shop", statuses=[WorkflowStatus.INIT]) == [5]
    assert ids(statuses=[WorkflowStatus.INIT, WorkflowStatus.RUNNING]) == [5, 4, 3, 2, 1]


@pytest.mark.rule("S37")
def test_a_run_keeps_every_status_with_time_attempt_and_reason(story: Story, held: Store) -> None:
    story.run("shop")
    story.clock.time += timedelta(seconds=1)
    failure = {
        "type_name": "OSError",
        "message": "no disk",
        "args": [5, "no disk"],
        "traceback": "Traceback ...",
    }
    story.end("failed", 1, "pick", failure=failure)
    story.due(seconds=6)
    story.end("success", 1, "pick", result="1")

    history = held.history(1)

    assert [(one.status.value, one.attempt) for one in history] == [
        ("INIT", 1),
        ("QUEUED", 1),
        ("RUNNING", 1),
        ("RETRYING", 1),
        ("QUEUED", 2),
        ("RUNNING", 2),
        ("SUCCESS", 2),
    ]
    assert history[3].reason == "OSError: no disk"
    assert [one.at for one in history[2:4]] == [START + timedelta(seconds=1)] * 2
    assert held.failures(1) == [
        AttemptFailure(
            attempt=1,
            type_name="OSError",
            message="no disk",
            args=[5, "no disk"],
            traceback="Traceback ...",
        )
    ]
    run = held.task_execution(1)
    assert run is not None
    # The first attempt's begin, not the second's.
    assert run.begin_date == START + timedelta(seconds=1)
    assert run.attempt == 2


@pytest.mark.rule("S37", "S38")
def test_the_latest_result_is_that_of_the_latest_success(story: Story, held: Store) -> None:
    story.run("shop")
    story.emit("stock.changed")
    story.end("success", 1, "watch", result='{"n": 1}')
    story.emit("stock.changed")
    story.end("success", 1, "watch", result='{"n": 2}')
    story.emit("stock.changed")
    story.end("failed", 1, "watch")

    execution = held.execution(1)
    assert execution is not None
    runs = [run.id for run in execution.tasks if run.task_name == "watch"]
    assert [held.result(run) for run in runs] == ['{"n": 1}', '{"n": 2}', None]
    assert held.latest_result(1, "watch") == '{"n": 2}'
    assert held.latest_result(1, "pick") is None
    assert held.task_status(1, "watch") is TaskStatus.FAILED


def test_decisions_tell_what_answered_which_event(story: Story, held: Store) -> None:
    story.run("shop")
    story.emit("stock.changed", 5)
    (command, *_) = story.command("task", workflow_execution_id=1, task="pick", action="START")

    told = [(one.event_key, one.workflow, one.task, one.did) for one in held.decisions(1)]

    assert told == [
        ("eventflow.command.run", "shop", "", "started"),
        ("stock.changed", "shop", "watch", "started"),
        ("eventflow.command.task", "shop", "pick", "ignored: alive"),
    ]
    (answer,) = held.decisions(command_offset=command.event.offset)
    assert (answer.did, answer.event_offset) == ("ignored: alive", command.event.offset)
    assert answer.task_execution_id == 1
    assert held.decisions(command_offset=command.event.offset + 999) == []
    assert held.decisions(2) == []
    started = held.decisions(1)[1]
    assert (started.rule, started.action, started.at) == (0, "RESTART", START)


@pytest.mark.rule("S9")
def test_answers_of_conditions_are_kept_with_their_events(story: Story, held: Store) -> None:
    story.run("shop")
    story.emit("recall", 1)
    story.emit("recall", "raise")
    story.emit("recall", 2)
    story.emit("orders.asked", "raise")

    counted, raised, met = held.verdicts(1)
    assert (counted.task, counted.rule, counted.met, counted.error) == ("ship", 1, False, "")
    assert counted.writes == {"ship/1:seen": 1}
    assert (counted.event_key, counted.at) == ("recall", START)
    assert held.event_of_turn(counted.turn) == held.read(keys=["recall"])[0]
    assert (raised.met, raised.writes) == (False, {})
    assert "no answer" in raised.error
    assert (met.met, met.workflow) == (True, "shop")

    of_trigger = held.verdicts(failed=True)[-1]
    assert held.verdicts(failed=True) == [raised, of_trigger]
    assert (of_trigger.workflow_execution_id, of_trigger.task, of_trigger.rule) == (None, "", 1)
    assert held.verdicts(failed=True, limit=1) == [of_trigger]
    assert held.verdicts(2) == []
    assert held.verdicts(turn=met.turn) == [met]


def test_what_failed_is_open_until_the_same_rule_was_asked_again(story: Story, held: Store) -> None:
    story.run("shop")
    story.emit("recall", "raise")
    story.emit("recall", "raise")
    first, second = held.verdicts(failed=True)

    def again(of: VerdictRecord, value: object) -> None:
        found = held.event_of_turn(of.turn)
        assert found is not None
        story.command(
            "rejudge",
            workflow_execution_id=1,
            namespace="default",
            workflow="shop",
            rules=[["ship", 1]],
            started=None,
            event=carried(replace(found, value=value)),
        )

    again(second, "raise")
    failed_again = held.verdicts(failed=True)[-1]
    assert (failed_again.of_turn, failed_again.event_key) == (second.turn, REJUDGE)
    assert held.verdicts(unanswered=True) == [first, failed_again]
    again(second, 1)
    assert held.verdicts(unanswered=True) == [first]
    assert [one.of_turn for one in held.verdicts(of_turn=second.turn)] == [second.turn] * 2
    assert held.verdicts(unanswered=True, workflow=("default", "chain")) == []
    assert held.verdicts(unanswered=True, workflow=("default", "shop")) == [first]


def test_what_conditions_keep_is_read_by_execution_and_by_workflow(
    story: Story, held: Store
) -> None:
    story.run("shop")
    story.emit("recall", 1)
    story.emit("orders.asked", 1)

    shop = ("default", "shop")
    assert held.state(1, shop) == {"pack/1:@latched": "[1]", "ship/1:seen": "1"}
    assert held.state(None, shop) == {"trigger/1:seen": "1"}
    assert held.state(2, shop) == {}
    story.emit("stock.changed")
    assert "pack/1:@latched" not in held.state(1, shop)


@pytest.mark.rule("S33")
def test_schedules_keep_what_is_due_and_what_was_fired(
    both: list[Store], clock: StillClock
) -> None:
    story = Story(both, clock, nightly(), shop())
    story.due(minutes=61)
    story.run("shop")

    for store in both:
        (schedule,) = store.timers(["schedule"])
        assert (schedule.workflow, schedule.due_at) == ("nightly", START + timedelta(hours=2))
        assert store.last_fired(schedule.key) == START + timedelta(hours=1)
        (execution,) = store.executions(workflow="nightly")
        assert execution.scheduled_time == START + timedelta(hours=1)
        assert [timer.kind for timer in store.timers()] == ["periodic", "deadline", "schedule"]
        assert [timer.kind for timer in store.timers(["deadline", "retry"])] == ["deadline"]


@pytest.mark.rule("S33")
def test_due_times_that_were_skipped_were_not_fired(held: Store, clock: StillClock) -> None:
    story = Story([held], clock, nightly())
    story.command("pause", namespace="default", workflow="nightly")
    story.due(hours=3)

    (schedule,) = held.timers()
    assert schedule.after == START + timedelta(hours=3)
    assert held.last_fired(schedule.key) is None


@pytest.mark.spoils
@pytest.mark.rule("S39")
def test_workflow_data_is_set_read_and_deleted(store: Store) -> None:
    store.write_data(1, "k", '{"a": 1}')
    store.write_data(1, "k", "2")
    store.write_data(2, "k", "3")

    assert (store.read_data(1, "k"), store.read_data(2, "k")) == ("2", "3")
    store.write_data(1, "k", None)
    store.write_data(1, "never", None)
    assert (store.read_data(1, "k"), store.read_data(2, "k")) == (None, "3")


@pytest.mark.spoils
@pytest.mark.rule("S39")
def test_the_value_that_was_drawn_first_stays(store: Store) -> None:
    assert store.drawn(1, "uuid-1") is None
    assert store.draw(1, "uuid-1", '"a"') == '"a"'
    assert store.draw(1, "uuid-1", '"b"') == '"a"'
    assert store.draw(2, "uuid-1", '"c"') == '"c"'
    assert store.drawn(1, "uuid-1") == '"a"'


@pytest.mark.spoils
@pytest.mark.rule("S39")
def test_threads_that_draw_at_once_get_one_value(store: Store) -> None:
    drawn: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: drawn.append(store.draw(1, "name", str(n))))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(drawn)) == 1


def test_logs_lie_beside_the_file(opens: Opens, clock: StillClock) -> None:
    store = opens()
    store.hold("test")
    story = Story([store], clock, chain())
    story.run("chain")

    run = store.task_execution(1)
    assert run is not None
    assert store.files is not None
    assert run.log_path == str(store.files / "logs" / "1" / "first.1.1.log")


def test_what_is_in_the_file_is_there_when_it_is_opened_again(
    opens: Opens, clock: StillClock
) -> None:
    store = opens()
    store.hold("test")
    story = Story([store], clock, shop())
    story.emit("orders.paid", {"amount": 3})
    store.write_data(1, "k", "1")
    before = (store.execution(1), store.read(keys=["**", "eventflow.**"]), store.decisions())
    store.release(clean=True)
    store.close()

    again = opens()

    assert (
        again.execution(1),
        again.read(keys=["**", "eventflow.**"]),
        again.decisions(),
    ) == before
    assert again.read_data(1, "k") == "1"
