"""A remote service that is away, refuses, talks nonsense or drips; and secrets."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from app_kit import Runner
from remote_platform import (
    PATIENCE_S,
    TOKEN,
    Handler,
    Platform,
    drop,
    endless,
    serving,
    status,
    torn,
)

from eventflow import (
    AppConnection,
    AppPolling,
)

ASK = (
    "import sys; from eventflow.clock import SystemClock; "
    "from eventflow.outgoing import Call, Request; "
    "print(Call(Request('GET', sys.argv[1]), limit_s=20, clock=SystemClock()).send().status)"
)


def test_trouble_that_passes_never_costs_the_run(runner: Runner, platform: Platform) -> None:
    platform.statuses = ["running", "succeeded"]
    platform.fault("look", status(500), status(502), drop, torn, status(429))
    platform.fault("result", status(503), drop)

    handle = runner.run()

    assert handle.status == "SUCCESS"
    assert len(platform.of("start")) == 1
    assert len(platform.of("look")) == 5 + 2
    assert len(platform.of("result")) == 3


def test_it_waits_as_long_as_the_service_asks_for(runner: Runner, platform: Platform) -> None:
    platform.fault("look", status(429, Retry_After="1"))

    assert runner.run().status == "SUCCESS"

    first, second = platform.of("look")
    assert second.at - first.at >= 0.99


def test_a_service_that_stays_away_fails_the_attempt_and_the_next_one_joins_the_run(
    runner: Runner, platform: Platform
) -> None:
    platform.fault("look", *[status(500, b"on fire")] * 3)
    impatient = AppPolling(first=0.01, patience=0, request_timeout=5)

    handle = runner.run(polling=impatient, retries=3)

    assert handle.status == "SUCCESS"
    failures = runner.failures(handle)
    assert [failure.type_name for failure in failures] == ["RemoteServiceError"] * 3
    assert failures[0].message == (
        "the service was away for 0 s and remote run run-1 may go on: GET "
        "/v1/applications/routing/runs/run-1/metadata at 127.0.0.1: status 500: on fire"
    )
    assert len(platform.of("start")) == 1
    assert runner.log(handle) == ["remote run run-1: joined"]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (status(401, b"who are you"), "status 401: who are you"),
        (status(302, Location="http://127.0.0.1:1/"), "status 302, which is not followed"),
        (status(200, b"<html>"), "no JSON to make sense of"),
        (status(200, b"x" * 2_000_000), "over 1048576 bytes"),
        (endless, "over 1048576 bytes"),
        (status(200, b"[1]"), "has no 'metadata'"),
        (status(200, b'{"metadata": {"status_v2": "asleep"}}'), "'asleep' is none of the statuses"),
        (status(200, b'{"metadata": {"status_v2": ["x"]}}'), "is none of the statuses"),
    ],
)
def test_a_refusal_or_nonsense_is_a_clear_failure_at_once(
    runner: Runner, platform: Platform, fault: Callable[[Handler], None], message: str
) -> None:
    platform.fault("look", fault)

    handle = runner.run()

    assert handle.status == "FAILED"
    (failure,) = runner.failures(handle)
    assert failure.type_name == "RemoteServiceError"
    assert message in failure.message
    assert len(failure.message) < 1000
    assert len(platform.of("look")) == 1


def test_a_run_that_the_service_has_forgotten_is_started_anew(
    runner: Runner, platform: Platform
) -> None:
    platform.fault("look", status(404))

    handle = runner.run(retries=1)

    assert handle.status == "SUCCESS"
    assert len(platform.of("start")) == 2


def test_a_start_that_was_not_taken_is_asked_for_again(runner: Runner, platform: Platform) -> None:
    platform.fault("start", status(503), status(429))

    assert runner.run().status == "SUCCESS"

    assert len({asked.headers["idempotency-key"] for asked in platform.of("start")}) == 1
    assert len(platform.of("start")) == 3


@pytest.mark.parametrize("fault", [status(500), drop])
def test_a_start_of_which_nobody_knows_fails_and_the_retry_says_that_it_is_the_same(
    runner: Runner, platform: Platform, fault: Callable[[Handler], None]
) -> None:
    platform.fault("start", fault)

    handle = runner.run(retries=1)

    assert handle.status == "SUCCESS"
    (failure,) = runner.failures(handle)
    assert "nobody knows whether the run was started" in failure.message
    first, second = platform.of("start")
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


def test_a_start_that_is_not_answered_in_time_is_one_of_which_nobody_knows(
    runner: Runner, platform: Platform
) -> None:
    go = threading.Event()
    platform.fault("start", lambda handler: bool(go.wait(PATIENCE_S)) and drop(handler))

    handle = runner.run(polling=AppPolling(first=0.01, request_timeout=1))
    go.set()

    assert handle.status == "FAILED"
    (failure,) = runner.failures(handle)
    assert "nobody knows whether the run was started" in failure.message
    assert "no whole answer in 1 s" in failure.message
    assert len(platform.of("start")) == 1


@pytest.mark.parametrize("run_id", ["", "../x", "a/b", "..", 7, None, "a\nb", "x" * 300])
def test_a_run_id_that_could_be_another_place_is_refused(
    runner: Runner, platform: Platform, run_id: Any
) -> None:
    platform.fault("start", status(200, json.dumps({"run_id": run_id}).encode()))

    handle = runner.run()

    (failure,) = runner.failures(handle)
    assert "no usable 'run_id'" in failure.message
    assert platform.of("look") == platform.of("unknown") == []


@pytest.mark.parametrize("drip", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n["])
def test_an_answer_that_drips_is_cut_off(runner: Runner, platform: Platform, drip: bytes) -> None:
    ended = threading.Event()

    def dribble(handler: Handler) -> None:
        handler.close_connection = True
        handler.wfile.write(drip)
        while not ended.wait(0.05):
            handler.wfile.write(b"1")

    platform.fault("look", dribble)
    polling = AppPolling(first=0.01, patience=0, request_timeout=0.5)

    handle = runner.run(polling=polling)
    ended.set()

    (failure,) = runner.failures(handle)
    assert "no whole answer in 0.5 s" in failure.message


def test_a_head_without_an_end_is_not_taken(runner: Runner, platform: Platform) -> None:
    def flood(handler: Handler) -> None:
        handler.close_connection = True
        handler.send_response(200)
        for number in range(50):
            handler.send_header(f"X-{number}", "z" * 10_000)
        handler.end_headers()

    platform.fault("look", flood)

    handle = runner.run(polling=AppPolling(first=0.01, patience=0))

    (failure,) = runner.failures(handle)
    assert "its head has more than 65536 bytes" in failure.message


@pytest.mark.rule("S37")
@pytest.mark.parametrize(
    ("output", "message"),
    [("x" * 1_100_000, "1048576"), ("x" * 5_000_000, "4194304 bytes came"), (float("nan"), "NaN")],
)
def test_a_result_that_cannot_be_stored_says_so_and_is_not_tried_again(
    runner: Runner, platform: Platform, output: Any, message: str
) -> None:
    platform.output = output

    handle = runner.run(retries=2)

    (failure,) = runner.failures(handle)
    assert failure.type_name == "ResultError"
    assert message in failure.message
    assert "cannot be stored" in failure.message
    assert len(platform.of("start")) == 1


def test_the_token_is_in_no_definition_log_event_error_or_file(
    tmp_path: Path, runner: Runner, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    echo = f"bad token {TOKEN}".encode()
    platform.log = lambda since: {"items": [{"log": f"got {TOKEN}"}]}
    platform.metadata = {"error": f"token {TOKEN} was refused"}
    platform.statuses = ["running", "running", "failed"]
    platform.fault("look", status(500, echo), status(401, b"x" * 495 + TOKEN.encode()))
    platform.fault("start", status(503, echo), status(400, echo))

    handle = runner.run(emit_logs=True, retries=3)

    failures = runner.failures(handle)
    assert len(failures) == 4
    assert "token *** was refused" in failures[-1].message
    assert not any(TOKEN[:4] in failure.message for failure in failures)
    assert "got ***" in runner.log(handle)
    assert TOKEN not in caplog.text
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path
    assert all(asked.headers["authorization"] == f"Bearer {TOKEN}" for asked in platform.asked)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate")
def test_nothing_is_told_to_a_server_that_cannot_prove_who_it_is(
    tmp_path: Path, runner: Runner
) -> None:
    own = tmp_path / "own.pem"
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=here"
    name = "subjectAltName=IP:127.0.0.1"
    files = ["-keyout", own, "-out", tmp_path / "certificate.pem", "-addext", name]
    subprocess.run([*make.split(), *files], check=True, capture_output=True)
    own.write_bytes(own.read_bytes() + (tmp_path / "certificate.pem").read_bytes())
    with serving(own) as secure:
        handle = runner.run(
            connection=AppConnection(url=secure.url), polling=AppPolling(first=0.01, patience=0)
        )

        (failure,) = runner.failures(handle)
        assert "no connection" in failure.message
        assert "CERTIFICATE_VERIFY_FAILED" in failure.message
        assert secure.asked == []
        # With its certificate among those that are trusted, it is asked.
        trusting = {**os.environ, "SSL_CERT_FILE": str(own)}
        command = [sys.executable, "-c", ASK, f"{secure.url}/runs/run-1/metadata"]
        told = subprocess.run(command, env=trusting, capture_output=True, text=True)
        assert (told.stdout, told.stderr) == ("200\n", "")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"APP_SERVICE_TOKEN": ""}, "APP_SERVICE_TOKEN is not set where the task runs"),
        ({"APP_SERVICE_TOKEN": "a\nb-secret"}, "APP_SERVICE_TOKEN holds a blank"),
        ({"APP_SERVICE_TOKEN": "ä-secret"}, "APP_SERVICE_TOKEN holds a blank"),
        ({"APP_SERVICE_URL": ""}, "APP_SERVICE_URL is not set where the task runs"),
        ({"APP_SERVICE_URL": "https://me:secret@host"}, "holds a user or a password"),
        ({"APP_SERVICE_URL": "https://secret@host"}, "holds a user or a password"),
        ({"APP_SERVICE_URL": "https://host/?key=secret"}, "holds a query"),
        ({"APP_SERVICE_URL": "ftp://host"}, "is no URL"),
        ({"APP_SERVICE_URL": "https://host:port"}, "is no URL"),
    ],
)
def test_variables_that_cannot_be_used_are_named_and_not_shown(
    runner: Runner,
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    message: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    handle = runner.run()

    (failure,) = runner.failures(handle)
    assert message in failure.message
    assert "secret" not in failure.message + failure.traceback
    assert platform.asked == []


def test_the_token_is_not_sent_in_the_clear_unless_that_is_allowed(
    runner: Runner, platform: Platform
) -> None:
    handle = runner.run(connection=AppConnection())

    (failure,) = runner.failures(handle)
    assert "must be https" in failure.message
    assert platform.asked == []
