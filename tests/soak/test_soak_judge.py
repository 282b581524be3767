"""The judge of the soak finds each wrong thing that is planted; without one it finds nothing."""

import copy
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from eventflow import PythonOperator, Scheduler, Workflow, current_context
from tests.soak.harvest import Harvest
from tests.soak.journal import ALONE, BESIDE, Acknowledged, RunLine, Sent, all_runs, noted
from tests.soak.judge import Evidence, judge
from tests.soak.shapes import BEAT_S, STARTS

START = STARTS["quick"]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """What journals and the command line tell of a small store on which nothing went wrong."""
    folder = tmp_path_factory.mktemp("soak")

    def quick() -> None:
        context = current_context()
        run = context.task_execution
        execution = context.workflow_execution.id
        with noted(folder, execution, run.task_name, run.sequence_number, run.attempt):
            pass

    with Workflow("quick") as workflow:
        PythonOperator("quick", quick)
    workflow.trigger_on_event(START)
    store = f"sqlite:///{folder / 'store.db'}"
    sent = [
        Sent("shop", f"{number}", key, {"n": number})
        for number, key in enumerate(["noise.1", START, "noise.1", START, "noise.2"])
    ]
    with Scheduler(store) as scheduler:
        scheduler.register(workflow)
        told = [scheduler.emit(one.key, one.value, sender=one.sender, id=one.id) for one in sent]
        for number in (1, 2):
            scheduler.execution(number).wait(30)
    harvest = Harvest(store)
    harvest.gather()
    return Evidence(
        sent=sent,
        acknowledged=[Acknowledged("shop", event.id, event.offset) for event in told],
        runs=all_runs(folder),
        events=harvest.events,
        executions=harvest.executions,
    )


@pytest.fixture
def planted(seen: Evidence) -> Evidence:
    """The same, to plant something in."""
    return copy.deepcopy(seen)


def verdicts(seen: Evidence) -> dict[str, list[str]]:
    """Those kinds of which there is something."""
    return {kind: found for kind, found in asdict(judge(seen)).items() if found}


def test_nothing_is_wrong_where_nothing_went_wrong(seen: Evidence) -> None:
    assert len(seen.events) == len(seen.sent) == 5
    assert len(seen.executions) == len(seen.runs) == 2
    assert verdicts(seen) == {}


def test_an_acknowledged_event_that_is_not_in_the_log_is_lost(planted: Evidence) -> None:
    gone = planted.events.pop(0)

    assert verdicts(planted) == {
        "lost": [f"id 0 of shop was acknowledged at [{gone['offset']}]; in the log it is at None"]
    }


def test_an_acknowledged_event_that_is_elsewhere_in_the_log_is_lost(planted: Evidence) -> None:
    last = planted.acknowledged[-1]
    planted.acknowledged[-1] = replace(last, offset=last.offset + 7)

    (kind,) = verdicts(planted)

    assert kind == "lost"


def test_an_event_that_was_to_start_an_execution_and_did_not_is_lost(planted: Evidence) -> None:
    gone = planted.executions.pop()
    del planted.runs[gone["id"], "quick"]

    offset = gone["trigger_event"]["offset"]
    assert verdicts(planted) == {
        "lost": [f"the event at offset {offset} started no execution of quick"]
    }


def test_an_event_that_nobody_sent_is_a_ghost(planted: Evidence) -> None:
    del planted.sent[0], planted.acknowledged[0]

    (found,) = verdicts(planted)["ghosts"]

    assert found.endswith("nobody sent it")


def test_an_event_with_another_value_than_was_sent_is_a_ghost(planted: Evidence) -> None:
    planted.sent[0] = replace(planted.sent[0], value={"n": 8})

    (found,) = verdicts(planted)["ghosts"]

    assert "it is not what was sent" in found


def test_a_task_that_ran_without_an_execution_is_a_ghost(planted: Evidence) -> None:
    planted.runs[77, "quick"] = planted.runs[1, "quick"]

    assert verdicts(planted) == {"ghosts": ["quick ran in execution 77, which there is not"]}


def test_a_task_that_ran_where_there_is_none_of_its_name_is_a_ghost(planted: Evidence) -> None:
    planted.runs[1, "slow"] = planted.runs[1, "quick"]

    assert verdicts(planted) == {"ghosts": ["slow ran in execution 1, which has no such task"]}


def test_an_execution_without_a_cause_is_a_ghost(planted: Evidence) -> None:
    without = {**planted.executions[1], "id": 3, "trigger_event": None}
    planted.executions.append(without)
    planted.runs[3, "quick"] = planted.runs[2, "quick"]

    assert verdicts(planted) == {"ghosts": ["execution 3 of quick has no cause"]}


def test_an_execution_that_names_an_event_that_starts_nothing_is_a_ghost(
    planted: Evidence,
) -> None:
    noise = planted.events[-1]
    planted.executions.append({**planted.executions[1], "id": 3, "trigger_event": noise})
    planted.runs[3, "quick"] = planted.runs[2, "quick"]

    assert verdicts(planted) == {
        "ghosts": [f"an execution of quick names offset {noise['offset']} as its event"]
    }


def test_two_executions_of_one_event_are_doubled(planted: Evidence) -> None:
    planted.executions.append({**planted.executions[1], "id": 3})
    planted.runs[3, "quick"] = planted.runs[2, "quick"]

    offset = planted.executions[1]["trigger_event"]["offset"]
    assert verdicts(planted) == {"doubled": [f"the event at offset {offset} started quick twice"]}


def test_one_id_at_two_places_in_the_log_is_doubled(planted: Evidence) -> None:
    last = planted.events[-1]
    planted.events.append({**last, "offset": last["offset"] + 1, "turn": last["turn"] + 1})

    (found,) = verdicts(planted)["doubled"]

    assert found.endswith(f"it is at offset {last['offset']} too")


def test_one_id_that_was_acknowledged_at_two_offsets_is_doubled(planted: Evidence) -> None:
    first = planted.acknowledged[0]
    planted.acknowledged.append(replace(first, offset=first.offset + 9))

    assert verdicts(planted) == {
        "doubled": [f"id 0 of shop was acknowledged at [{first.offset}, {first.offset + 9}]"]
    }


def test_an_attempt_that_began_twice_is_doubled(planted: Evidence) -> None:
    lines = planted.runs[1, "quick"]
    lines += [replace(line, at=line.at + 10**9, pid=line.pid + 1) for line in lines]

    assert verdicts(planted) == {"doubled": ["execution 1, quick: attempt 1 of run 1 began twice"]}


@pytest.mark.parametrize("run", [(1, 2), (2, 1)])
def test_what_began_before_the_end_of_the_one_before_overlaps(
    planted: Evidence, run: tuple[int, int]
) -> None:
    first = RunLine("begin", 1, 1, 10, 100, ALONE), RunLine("end", 1, 1, 10, 300, "left")
    other = RunLine("begin", *run, 11, 200, ALONE), RunLine("end", *run, 11, 400, "whole")
    planted.runs[1, "quick"] = [first[0], other[0], first[1], other[1]]

    assert verdicts(planted) == {
        "overlaps": [
            f"execution 1, quick: attempt {run[1]} of run {run[0]} began while another was there"
        ]
    }


def test_what_began_while_one_without_an_end_was_not_dead_overlaps(planted: Evidence) -> None:
    killed = RunLine("begin", 1, 1, 10, 100, ALONE)
    after_it = RunLine("begin", 1, 2, 11, 200, ALONE), RunLine("end", 1, 2, 11, 400, "whole")
    planted.runs[1, "quick"] = [killed, *after_it]
    assert verdicts(planted) == {}

    planted.runs[1, "quick"] = [killed, replace(after_it[0], how=BESIDE), after_it[1]]

    assert list(verdicts(planted)) == ["overlaps"]


def test_an_attempt_that_begins_after_its_successor_has_ended_overlaps(planted: Evidence) -> None:
    later = RunLine("begin", 1, 2, 11, 200, ALONE), RunLine("end", 1, 2, 11, 400, "whole")
    earlier = RunLine("begin", 1, 1, 10, 500, ALONE), RunLine("end", 1, 1, 10, 600, "whole")
    planted.runs[1, "quick"] = [*later, *earlier]

    assert verdicts(planted) == {
        "overlaps": ["execution 1, quick: attempt 1 of run 1 began after attempt 2 of run 1"]
    }


def test_events_decided_in_another_order_than_that_of_the_log_are_told(planted: Evidence) -> None:
    first, second = planted.events[0], planted.events[2]
    first["turn"], second["turn"] = second["turn"], first["turn"]

    assert list(verdicts(planted)) == ["order"]


def test_executions_started_in_another_order_than_their_events_are_told(
    planted: Evidence,
) -> None:
    one, other = planted.executions
    one["trigger_event"], other["trigger_event"] = other["trigger_event"], one["trigger_event"]

    assert list(verdicts(planted)) == ["order"]


def test_an_execution_that_did_not_succeed_is_a_wrong_end(planted: Evidence) -> None:
    planted.executions[0] |= {"status": "FAILED", "reason": "no luck"}

    assert verdicts(planted) == {"wrong_ends": ["execution 1 of quick is FAILED: no luck"]}


def test_a_success_without_the_end_of_a_task_is_a_wrong_end(planted: Evidence) -> None:
    planted.runs[1, "quick"] = [line for line in planted.runs[1, "quick"] if line.what == "begin"]

    assert verdicts(planted) == {
        "wrong_ends": ["execution 1 of quick is SUCCESS, but quick never came to its end"]
    }


def test_an_execution_that_has_not_ended_is_stuck(planted: Evidence) -> None:
    planted.executions[1]["status"] = "RUNNING"

    assert verdicts(planted) == {"stuck": ["execution 2 of quick has not ended: RUNNING"]}


def test_an_event_that_is_not_decided_is_stuck(planted: Evidence) -> None:
    planted.events[-1]["turn"] = 0

    (found,) = verdicts(planted)["stuck"]

    assert found.endswith("it is not decided")


def beats(planted: Evidence, *seconds: int) -> None:
    """Executions of the periodic workflow, for due times after the first."""
    for number, second in enumerate(seconds, 10):
        beat: dict[str, Any] = {
            **planted.executions[0],
            "id": number,
            "workflow_name": "beat",
            "trigger_event": None,
            "scheduled_time": f"2026-01-01T00:00:{second:02}Z",
        }
        planted.executions.append(beat)
        planted.runs[number, "beat"] = planted.runs[1, "quick"]


def test_each_due_time_fires_once(planted: Evidence) -> None:
    beats(planted, 0, BEAT_S, 2 * BEAT_S)
    assert verdicts(planted) == {}

    first = 1767225600
    assert list(verdicts(replace(planted, beats_until=first + 3 * BEAT_S))) == ["lost"]
    missed = copy.deepcopy(planted)
    beats(missed, 5 * BEAT_S)
    assert len(verdicts(missed)["lost"]) == 2
    beats(planted, BEAT_S)
    assert list(verdicts(planted)) == ["doubled"]


def test_what_fires_between_two_due_times_is_a_ghost(planted: Evidence) -> None:
    beats(planted, 0, BEAT_S - 1, BEAT_S)

    assert list(verdicts(planted)) == ["ghosts"]


def test_a_journal_is_read_without_a_last_line_that_has_no_end(tmp_path: Path) -> None:
    with noted(tmp_path, 1, "task", 1, 1):
        pass
    path = tmp_path / "runs" / "1" / "task"
    path.write_text(path.read_text() + "begin 1 2 9")

    (lines,) = all_runs(tmp_path).values()

    assert [(line.what, line.how) for line in lines] == [("begin", "alone"), ("end", "whole")]
