"""One request to the world outside: which addresses, and what a server may ask for."""

import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.utils import format_datetime

import pytest
from platform_here import (
    SOON_S,
    Behaviour,
    Handler,
    LocalPlatform,
    answers,
    drips,
    floods,
    hangs,
    nobody_listens,
    talks_nonsense,
)

from eventflow.clock import SystemClock
from eventflow.errors import UplinkError
from eventflow.outgoing import Answer, Call, Request, UnansweredError
from eventflow.reporters.addresses import guard_of

CLOCK = SystemClock()
TLS = ssl.create_default_context()


def call(url: str, *, limit_s: float = 5.0, max_bytes: int = 0, allow_http: bool = False) -> Call:
    request = Request("POST", url, b"{}", {"Authorization": "Bearer hush"})
    assert "hush" not in repr(request)
    return Call(
        request,
        limit_s=limit_s,
        clock=CLOCK,
        max_bytes=max_bytes,
        tls=TLS,
        check=guard_of(url, allow_http=allow_http),
    )


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "[fe80::1]", "0.1.2.3", "[::]", "224.0.0.1", "[::ffff:169.254.169.254]"],
)
def test_no_request_goes_to_an_address_that_no_platform_has(host: str) -> None:
    with pytest.raises(UplinkError, match="not one of a platform"):
        call(f"http://{host}:9/", allow_http=True).send()


@pytest.mark.parametrize("host", ["10.0.0.1", "192.0.2.7", "[2001:db8::1]", "[::ffff:10.0.0.1]"])
def test_plain_http_goes_to_this_machine_only(host: str) -> None:
    with pytest.raises(UplinkError, match="would leave this machine in clear"):
        call(f"http://{host}:9/").send()


def test_a_proxy_of_the_environment_is_not_asked(
    platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://192.0.2.1:9")

    assert call(platform.url).send() == Answer(200)
    assert platform.posts[0].headers["Host"] == f"127.0.0.1:{platform.port}"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("17", 17.0),
        ("9" * 4_000, 999_999_999.0),
        ("soon", None),
        ("-3", None),
        (f"Mon, 01 Jan {'9' * 30} 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_in_seconds(
    platform: LocalPlatform, header: str, seconds: float | None
) -> None:
    platform.behaves(answers(429, Retry_After=header))

    assert call(platform.url).send() == Answer(429, seconds)


def test_retry_after_is_read_as_a_date_too(platform: LocalPlatform) -> None:
    at = format_datetime(CLOCK.now() + timedelta(minutes=1), usegmt=True)
    platform.behaves(answers(503, Retry_After=at))

    answer = call(platform.url).send()

    assert answer.retry_after is not None
    assert 50 < answer.retry_after <= 60


def test_a_body_is_read_as_far_as_was_asked_for(platform: LocalPlatform) -> None:
    platform.behaves(answers(200, b"x" * 200_000))

    assert call(platform.url).send() == Answer(200)
    assert call(platform.url, max_bytes=199_999).send() == Answer(200, None, b"x" * 199_999)
    assert call(platform.url, max_bytes=200_000).send() == Answer(
        200, None, b"x" * 200_000, whole=True
    )


def torn(handler: Handler) -> None:
    """An answer that ends before the end that it has announced."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"{}")


def drips_a_body(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    platform: LocalPlatform = handler.server.platform  # type: ignore[attr-defined]
    while not platform.closing.wait(0.05):
        handler.wfile.write(b"z")


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        (hangs, "no whole answer in 0.5 s"),
        (drips, "no whole answer in 0.5 s"),
        (drips_a_body, "no whole answer in 0.5 s"),
        (torn, "broke off"),
        (floods, "its head has more than 65536 bytes"),
        (talks_nonsense, r"not HTTP \(BadStatusLine\)$"),
    ],
)
def test_what_was_sent_and_not_answered_may_have_arrived(
    platform: LocalPlatform, behaviour: Behaviour, message: str
) -> None:
    platform.behaves(behaviour)

    with pytest.raises(UnansweredError, match=message) as caught:
        call(platform.url, limit_s=0.5, max_bytes=1000).send()

    assert caught.value.arrived


def test_what_was_never_connected_cannot_have_arrived() -> None:
    with nobody_listens() as url, pytest.raises(UnansweredError, match="no connection") as caught:
        call(url).send()

    assert not caught.value.arrived


def test_a_call_that_waits_is_cut_by_another_thread(platform: LocalPlatform) -> None:
    platform.behaves(hangs)
    waiting = call(platform.url, limit_s=SOON_S)

    def cut() -> None:
        platform.until(posts=1)
        waiting.cut()

    with ThreadPoolExecutor(1) as other:
        other.submit(cut)
        with pytest.raises(UnansweredError, match="cut off"):
            waiting.send()


def test_a_call_that_was_cut_before_it_began_sends_nothing(platform: LocalPlatform) -> None:
    early = call(platform.url)
    early.cut()

    with pytest.raises(UnansweredError, match="cut off"):
        early.send()
    assert platform.posts == []
