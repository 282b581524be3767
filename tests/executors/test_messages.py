"""The wire between the scheduler and its workers: strict both ways."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventflow.executors import codec
from eventflow.executors.codec import MessageError, from_json, to_json
from eventflow.executors.messages import (
    MAX_FRAME,
    Answer,
    Begin,
    Draw,
    Emit,
    Ended,
    FrameReader,
    Heartbeat,
    Message,
    Ready,
    Stop,
    from_text,
    prepare_all,
    to_frame,
)
from eventflow.executors.port import AttemptKey, Code, Job, Report, ReportKind
from eventflow.model.event import Event
from eventflow.model.records import AttemptFailure, TaskExecution, WorkflowExecution
from eventflow.model.status import ExecutionType, TaskStatus, WorkflowStatus

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSONS: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
)
INSTANTS = st.datetimes(timezones=st.just(UTC))
EVENTS = st.builds(
    Event,
    key=st.just("a.b"),
    value=JSONS,
    sender=TEXTS,
    time=st.none() | INSTANTS,
    attributes=st.dictionaries(TEXTS, TEXTS, max_size=2),
    workflow_execution_id=st.none() | st.integers(1, 2**53),
)
REPORTS = st.builds(
    Report,
    key=st.builds(AttemptKey, st.integers(1), st.integers(1)),
    kind=st.sampled_from(ReportKind),
    result=st.none() | TEXTS,
    failure=st.none()
    | st.builds(
        AttemptFailure,
        attempt=st.integers(1),
        type_name=TEXTS,
        message=TEXTS,
        args=st.lists(JSONS, max_size=2),
    ),
    chance=st.floats(0, 1, exclude_max=True),
    metrics=st.dictionaries(TEXTS, st.floats(allow_nan=False, allow_infinity=False), max_size=2),
)
JOBS = st.builds(
    Job,
    workflow_execution=st.builds(
        WorkflowExecution,
        id=st.integers(1),
        workflow_name=TEXTS,
        namespace=TEXTS,
        execution_type=st.sampled_from(ExecutionType),
        status=st.sampled_from(WorkflowStatus),
        params=st.dictionaries(TEXTS, JSONS, max_size=2),
        created_at=st.none() | INSTANTS,
        trigger_event=st.none() | EVENTS,
    ),
    task_execution=st.builds(
        TaskExecution,
        id=st.integers(1),
        workflow_execution_id=st.integers(1),
        task_name=TEXTS,
        sequence_number=st.integers(1),
        attempt=st.integers(1),
        status=st.sampled_from(TaskStatus),
    ),
    trigger_event=st.none() | EVENTS,
    code=st.builds(Code, snapshot=TEXTS, folder=st.sampled_from([None, Path("/a/b")])),
    inputs=st.dictionaries(TEXTS, st.integers(1), max_size=2),
)
MESSAGES = (
    st.just(Stop())
    | st.just(Heartbeat())
    | st.builds(Emit, call=st.integers(1), event=EVENTS)
    | st.builds(Answer, call=st.integers(1), text=st.none() | TEXTS)
    | st.builds(Ended, report=REPORTS)
    | st.builds(Begin, job=JOBS, spool=TEXTS, store_url=TEXTS)
)


@given(st.lists(MESSAGES, max_size=4), st.integers(1, 50))
def test_what_is_sent_is_what_is_read_however_the_stream_cuts_it(
    messages: list[Message], step: int
) -> None:
    stream = b"".join(to_frame(message) for message in messages)
    reader = FrameReader()

    read = [
        message
        for start in range(0, len(stream), step)
        for message in reader.feed(stream[start : start + step])
    ]

    assert read == messages


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '"stop"',
        "{}",
        '{"is": "unheard_of"}',
        '{"is": ["stop"]}',
        '{"is": "stop", "more": 1}',
        '{"is": "answer", "call": 1}',
        '{"is": "answer", "call": true, "text": null}',
        '{"is": "answer", "call": "1", "text": null}',
        '{"is": "answer", "call": 1, "text": 2}',
        '{"is": "answer", "call": 1, "call": 1, "text": null}',
        '{"is": "ready", "forks": 1}',
        '{"is": "draw", "call": NaN, "task_execution_id": 1, "name": "", "value": ""}',
        '{"is": "message"}',
        '{"is": "stop"',
        "\ud800",
    ],
)
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        from_text(text.encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=60))
def test_noise_is_refused_or_waited_for(noise: bytes) -> None:
    try:
        read = list(FrameReader().feed(noise))
    except MessageError:
        return
    assert all(isinstance(message, Message) for message in read)


def test_a_frame_that_is_too_long_is_refused_before_it_has_come() -> None:
    with pytest.raises(MessageError):
        list(FrameReader().feed((MAX_FRAME + 1).to_bytes(4, "big")))
    with pytest.raises(MessageError):
        to_frame(Draw(call=1, task_execution_id=1, name="", value="x" * MAX_FRAME))


@pytest.mark.parametrize(
    "message",
    [
        Answer(call=1, text=2),  # type: ignore[arg-type]  the fault that is looked for
        Answer(call=True),
        Ready(forks=1),  # type: ignore[arg-type]  the fault that is looked for
        Emit(call=1, event=Event("a", {1, 2})),
        Emit(call=1, event=Event("a", time=datetime(2026, 1, 1))),
        Answer(call=1, text="\ud800"),
    ],
)
def test_what_does_not_fit_its_type_is_not_sent(message: Message) -> None:
    with pytest.raises(MessageError):
        to_frame(message)


def test_a_value_of_the_user_may_be_as_deep_inside_a_message_as_outside() -> None:
    deep = json.loads("[" * 64 + "]" * 64)
    event = Event("a", deep)

    assert from_json(to_json(event, Event), Event) == event


@given(MESSAGES)
def test_once_prepared_no_message_has_its_form_worked_out(message: Message) -> None:
    """A child inherits what its nursery has worked out."""
    codec._form.cache_clear()
    prepare_all()
    worked_out = codec._form.cache_info().misses

    from_text(to_frame(message)[4:])

    assert codec._form.cache_info().misses == worked_out
