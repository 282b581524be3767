"""One request to the world outside: which addresses, and what a server may ask for."""

import ssl
from datetime import timedelta
from email.utils import format_datetime

import pytest
from local_platform import LocalPlatform, answers

from eventflow.clock import SystemClock
from eventflow.errors import UplinkError
from eventflow.reporters.outgoing import Answer, Call, Request

CLOCK = SystemClock()
TLS = ssl.create_default_context()


def call(url: str, *, timeout_s: float = 5.0, allow_http: bool = False) -> Call:
    request = Request("POST", url, b"{}", {"Authorization": "Bearer hush"})
    assert "hush" not in repr(request)
    return Call(request, timeout_s=timeout_s, tls=TLS, clock=CLOCK, allow_http=allow_http)


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
    [("17", 17.0), ("9" * 4_000, 999_999_999.0), ("soon", None), ("-3", None)],
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


def test_a_call_that_was_cut_before_it_began_sends_nothing(platform: LocalPlatform) -> None:
    early = call(platform.url)
    early.cut()

    with pytest.raises(UplinkError, match="cut off"):
        early.send()
    assert platform.posts == []
