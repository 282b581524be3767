"""UplinkClient against real servers: the platform gets the end, and the flow does not wait."""

import itertools
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from platform_here import (
    CERTIFICATE,
    SOON_S,
    LocalPlatform,
    answers,
    drips,
    floods,
    hangs,
    nobody_listens,
    talks_nonsense,
)

from eventflow import PythonOperator, Scheduler, TaskAction, Workflow, emit, signals
from eventflow.errors import EventflowError
from eventflow.reporters import UplinkClient, UplinkConfig, agenda

TOKEN = "correct-horse-battery"


@pytest.fixture(autouse=True)
def _quick_log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("EVENTFLOW_UPLINK_TOKEN", TOKEN)
    with caplog.at_level(logging.INFO, "eventflow"):
        yield
    assert TOKEN not in caplog.text


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The names of what the reporter logged."""
    messages = [record.getMessage() for record in caplog.records]
    return [message.split()[0] for message in messages if message.startswith("uplink.")]


def config(url: str, **settings: object) -> UplinkConfig:
    quick = {"interval": 0.05, "ceiling": 0.1, "grace": 5.0, "timeout": 5.0}
    return UplinkConfig(url=url, **{**quick, **settings})  # type: ignore[arg-type]


def chain(length: int = 3) -> Workflow:
    with Workflow("chain") as workflow:
        tasks = [PythonOperator(f"t{number}", int) for number in range(length)]
        for before, after in itertools.pairwise(tasks):
            before >> after
    return workflow


class Gate:
    """A workflow of one task, which runs until the gate is opened."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.passed = threading.Event()
        with Workflow("gated") as self.workflow:
            PythonOperator("wait", self._pass)

    def _pass(self) -> None:
        self.passed.set()
        assert self.opened.wait(SOON_S)


def test_the_platform_gets_a_picture_at_once_and_the_last_one_when_the_scheduler_stops(
    platform: LocalPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()

    with Scheduler("sqlite://") as scheduler:
        UplinkClient(config(platform.url, interval=3600)).attach(scheduler)
        handle = scheduler.run(gate.workflow)
        platform.until(posts=1)
        gate.opened.set()
        handle.wait(SOON_S)

    assert [post.told["final"] for post in platform.posts] == [False, True]
    last = platform.posts[-1].told
    assert last["execution"]["status"] == "SUCCESS"
    assert [(run["key"], run["status"]) for run in last["runs"]] == [("1_wait_1", "SUCCESS")]
    assert platform.posts[-1].headers["Authorization"] == f"Bearer {TOKEN}"
    assert said(caplog) == []


def test_an_execution_that_is_over_in_a_moment_is_told_of_once(
    platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agenda, "SETTLE_S", 60)
    with Scheduler("sqlite://") as scheduler:
        UplinkClient(config(platform.url, interval=3600)).attach(scheduler)
        for _ in range(3):
            scheduler.run(chain()).wait(SOON_S)

    assert [(post.told["run_id"], post.told["final"]) for post in platform.posts] == [
        ("1", True),
        ("2", True),
        ("3", True),
    ]


def test_an_end_is_told_once_however_late_its_news_comes(platform: LocalPlatform) -> None:
    gate = Gate()

    with Scheduler("sqlite://") as scheduler:
        UplinkClient(config(platform.url)).attach(scheduler)
        slow = threading.Event()
        scheduler.on(signals.executions_changed, lambda *_, **__: slow.wait(0.05))
        handle = scheduler.run(gate.workflow)
        platform.until(posts=1)
        gate.opened.set()
        handle.wait(SOON_S)
        platform.until_final()

    assert [post.told["final"] for post in platform.posts].count(True) == 1
    assert platform.posts[-1].told["final"]
    numbers = [post.told["number"] for post in platform.posts]
    assert numbers == sorted(numbers)


def test_every_execution_is_reported_also_one_that_an_event_started(
    platform: LocalPlatform,
) -> None:
    with Workflow("first") as first:
        PythonOperator("say", lambda: emit("second.wanted", broadcast=True) and None)
    with Workflow("second") as second:
        PythonOperator("do", int)
    second.trigger_on_event("second.wanted")

    with Scheduler("sqlite://") as scheduler:
        scheduler.register(second)
        UplinkClient(config(platform.url)).attach(scheduler)
        scheduler.run(first).wait(SOON_S)
        scheduler.execution(2).wait(SOON_S)

    ended = {post.told["run_id"] for post in platform.posts if post.told["final"]}
    assert ended == {"1", "2"}


def test_what_was_alive_before_is_reported_too(platform: LocalPlatform) -> None:
    gate = Gate()

    with Scheduler("sqlite://") as scheduler:
        handle = scheduler.run(gate.workflow)
        assert gate.passed.wait(SOON_S)
        with UplinkClient(config(platform.url)).attach(scheduler):
            platform.until(posts=1)
        gate.opened.set()
        handle.wait(SOON_S)

    assert [post.told["execution"]["status"] for post in platform.posts] == ["RUNNING"]


def test_a_run_id_of_one_execution_is_for_the_first_and_for_no_other(
    platform: LocalPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    with Scheduler("sqlite://") as scheduler:
        scheduler.run(chain()).wait(SOON_S)
        UplinkClient(config(platform.url, run_id="r-77")).attach(scheduler)
        for _ in range(3):
            scheduler.run(chain()).wait(SOON_S)

    assert {(post.told["run_id"], post.told["execution"]["id"]) for post in platform.posts} == {
        ("r-77", 2)
    }
    assert said(caplog) == ["uplink.not_reported"]


def test_a_platform_that_refuses_connections_changes_nothing_but_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with nobody_listens() as url, Scheduler("sqlite://") as scheduler:
        UplinkClient(config(url, grace=0.3)).attach(scheduler)
        ended = scheduler.run(chain(50)).wait(SOON_S)

    assert [run.status for run in ended.tasks] == ["SUCCESS"] * 50
    assert said(caplog) == ["uplink.down", "uplink.left_behind"]


@pytest.mark.parametrize("behaviour", [hangs, drips])
def test_the_flow_ends_while_a_post_hangs_and_the_scheduler_stops_within_the_grace(
    platform: LocalPlatform, caplog: pytest.LogCaptureFixture, behaviour: object
) -> None:
    platform.behaves(behaviour)  # type: ignore[arg-type]
    gate = Gate()
    scheduler = Scheduler("sqlite://")

    scheduler.start()
    UplinkClient(config(platform.url, timeout=3600, grace=0.5)).attach(scheduler)
    handle = scheduler.run(gate.workflow)
    platform.until(posts=1)
    gate.opened.set()
    handle.wait(SOON_S)
    began = time.monotonic()
    scheduler.stop()

    # The first hung; it was cut so that the last one could be tried, which hung too.
    assert time.monotonic() - began < SOON_S / 2
    assert [post.told["final"] for post in platform.posts] == [False, True]
    assert said(caplog)[-1] == "uplink.left_behind"
    assert "eventflow-uplink" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize("behaviour", [hangs, drips, floods, talks_nonsense])
def test_a_post_has_an_end_whatever_the_server_sends(
    platform: LocalPlatform, caplog: pytest.LogCaptureFixture, behaviour: object
) -> None:
    platform.behaves(behaviour, answers(200))  # type: ignore[arg-type]

    with Scheduler("sqlite://") as scheduler:
        UplinkClient(config(platform.url, timeout=0.2)).attach(scheduler)
        scheduler.run(chain()).wait(SOON_S)
        platform.until_final()

    assert said(caplog)[:2] == ["uplink.down", "uplink.up"]


def test_after_an_outage_comes_the_newest_state_and_never_an_older_one(
    platform: LocalPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    platform.behaves(*[answers(500)] * 5, answers(200))
    gate = Gate()

    with Scheduler("sqlite://") as scheduler:
        UplinkClient(config(platform.url)).attach(scheduler)
        handle = scheduler.run(gate.workflow)
        platform.until(posts=2)
        gate.opened.set()
        handle.wait(SOON_S)
        platform.until(posts=6)

    assert platform.posts[-1].told["execution"]["status"] == "SUCCESS"
    finals = [post.told["final"] for post in platform.posts]
    assert finals == sorted(finals)
    assert said(caplog) == ["uplink.down", "uplink.up"]


def test_a_final_state_is_tried_until_the_grace_is_over(
    platform: LocalPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    platform.behaves(answers(200), *[answers(503)] * 3, answers(200))
    gate = Gate()

    with Scheduler("sqlite://") as scheduler:
        UplinkClient(config(platform.url, interval=3600)).attach(scheduler)
        handle = scheduler.run(gate.workflow)
        platform.until(posts=1)
        gate.opened.set()
        handle.wait(SOON_S)

    assert [post.told["final"] for post in platform.posts] == [False, True, True, True, True]
    # The same report again: a platform that has it drops the repeat.
    assert len({post.body["id"] for post in platform.posts[1:]}) == 1
    assert said(caplog) == ["uplink.down", "uplink.up"]


@pytest.mark.parametrize("status", [401, 403, 302])
def test_a_refusal_is_told_once_and_the_platform_left_in_peace(
    platform: LocalPlatform, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    with LocalPlatform() as elsewhere:
        platform.behaves(answers(status, Location=elsewhere.url))

        with Scheduler("sqlite://") as scheduler:
            UplinkClient(config(platform.url)).attach(scheduler)
            scheduler.run(chain()).wait(SOON_S)
            platform.until(posts=1)
            scheduler.run(chain(20)).wait(SOON_S)
            until_now = len(platform.posts)

        assert until_now == 1
        assert len(platform.posts) == 2  # whether it refuses to this day, once more at the end
        assert elsewhere.posts == []
    assert said(caplog) == ["uplink.refused", "uplink.left_behind"]


def test_an_execution_that_is_not_wanted_stands_in_the_way_of_no_other(
    platform: LocalPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    platform.behaves(answers(404), answers(200))

    with Scheduler("sqlite://") as scheduler:
        UplinkClient(config(platform.url)).attach(scheduler)
        scheduler.run(chain()).wait(SOON_S)
        platform.until(posts=1)
        scheduler.run(chain(20)).wait(SOON_S)
        platform.until_final("2")
        told_meanwhile = [post.told["run_id"] for post in platform.posts]

    assert told_meanwhile[0] == "1"
    assert set(told_meanwhile[1:]) == {"2"}
    assert said(caplog) == ["uplink.refused"]


def test_a_platform_that_asks_for_rest_gets_it(
    platform: LocalPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    platform.behaves(answers(429, Retry_After="1"), answers(200))

    with Scheduler("sqlite://") as scheduler:
        UplinkClient(config(platform.url)).attach(scheduler)
        scheduler.run(chain()).wait(SOON_S)
        platform.until(posts=2)

    assert platform.posts[1].at - platform.posts[0].at >= 1
    assert said(caplog) == ["uplink.down", "uplink.up"]


def test_a_body_of_nonsense_is_not_read(
    platform: LocalPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    platform.behaves(answers(200, b"\xff{not json" * 100_000))

    with Scheduler("sqlite://") as scheduler:
        UplinkClient(config(platform.url)).attach(scheduler)
        scheduler.run(chain()).wait(SOON_S)
        platform.until_final()

    assert said(caplog) == []


def test_a_server_proves_who_it_is(caplog: pytest.LogCaptureFixture) -> None:
    with LocalPlatform(tls=True) as platform:
        trusted = f"https://localhost:{platform.port}/reports"
        for url, ca_file in ((trusted, ""), (trusted.replace("localhost", "127.0.0.1"), "yes")):
            with Scheduler("sqlite://") as scheduler:
                chosen = str(CERTIFICATE) if ca_file else ""
                UplinkClient(config(url, ca_file=chosen, grace=0.3)).attach(scheduler)
                scheduler.run(chain()).wait(SOON_S)
        assert platform.posts == []
        assert caplog.text.count("CERTIFICATE_VERIFY_FAILED") == 2

        with Scheduler("sqlite://") as scheduler:
            UplinkClient(config(trusted, ca_file=str(CERTIFICATE))).attach(scheduler)
            scheduler.run(chain()).wait(SOON_S)

        assert platform.posts[-1].told["final"]


def test_http_does_not_leave_this_machine(caplog: pytest.LogCaptureFixture) -> None:
    with Scheduler("sqlite://") as scheduler:
        # A name that a resolver answers with another machine's address: a test network's.
        UplinkClient(config("http://192.0.2.1:9/", grace=0.2)).attach(scheduler)
        scheduler.run(chain()).wait(SOON_S)

    assert "would leave this machine in clear" in caplog.text


def test_a_token_that_cannot_be_sent_is_not_shown(
    platform: LocalPlatform,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EVENTFLOW_UPLINK_TOKEN", TOKEN + "\r\nX-Evil: 1")

    with Scheduler("sqlite://") as scheduler:
        UplinkClient(config(platform.url, grace=0.2)).attach(scheduler)
        scheduler.run(chain()).wait(SOON_S)

    assert platform.posts == []
    assert "the token in EVENTFLOW_UPLINK_TOKEN cannot stand in a header" in caplog.text


def test_without_a_platform_nothing_is_reported_and_nothing_is_wrong(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NEXTMV_APP_ID", "only-one-of-the-two")

    with Scheduler("sqlite://") as scheduler, UplinkClient().attach(scheduler):
        assert scheduler.run(chain()).wait(SOON_S).status == "SUCCESS"

    assert said(caplog) == ["uplink.off"]


def test_a_client_reports_for_one_scheduler(platform: LocalPlatform) -> None:
    with Scheduler("sqlite://") as one, Scheduler("sqlite://") as two:
        client = UplinkClient(config(platform.url)).attach(one)
        with pytest.raises(EventflowError, match="one scheduler"):
            client.attach(two)


def test_a_workflow_of_a_failed_task_tells_its_error(platform: LocalPlatform) -> None:
    with Workflow("failing") as workflow:
        bad = PythonOperator("bad", lambda: 1 / 0)
        rescue = PythonOperator("rescue", int)
        rescue.action_on_task_status(TaskAction.START, {bad: "FAILED"})

    with Scheduler("sqlite://") as scheduler:
        UplinkClient(config(platform.url)).attach(scheduler)
        scheduler.run(workflow).wait(SOON_S)

    last = platform.posts[-1].told
    assert (last["final"], last["execution"]["status"]) == (True, "FAILED")
    assert [run["error"] for run in last["runs"]] == [
        {"type": "ZeroDivisionError", "message": "division by zero"},
        None,
    ]


HANGING_PROCESS = """
import sys, threading
from eventflow import PythonOperator, Scheduler, Workflow
from eventflow.reporters import UplinkClient, UplinkConfig, agenda

with Workflow("w") as workflow:
    PythonOperator("t", int)
scheduler = Scheduler("sqlite://")
scheduler.start()
UplinkClient(UplinkConfig(url=sys.argv[1], timeout=3600, grace=1)).attach(scheduler)
print(scheduler.run(workflow).wait(20).status, flush=True)
if len(sys.argv) > 2:
    raise RuntimeError("the program fails")
"""


@pytest.mark.parametrize("failing", [(), ("failing",)])
def test_a_process_ends_within_its_grace_though_the_platform_hangs(
    platform: LocalPlatform, tmp_path: Path, failing: tuple[str, ...]
) -> None:
    platform.behaves(hangs)

    with subprocess.Popen(
        [sys.executable, "-c", HANGING_PROCESS, platform.url, *failing],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "SUCCESS\n"
            # The post would go on for an hour; the grace is a second, and the machine may be busy.
            process.wait(SOON_S)
        finally:
            process.kill()

    assert process.returncode == (1 if failing else 0)
    assert platform.posts
