"""One HTTP request and its whole answer, with a bound on all of it: bytes, time, places.

Certificates are verified, a redirect is not followed (it would carry the credentials elsewhere), no
proxy is taken from the environment, and an answer that drips in is cut off when its time is over.
It comes with the extra `http`; without it everything but the asking works.
"""

import functools
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eventflow.errors import DefinitionError, EventflowError

try:
    import httpx
except ModuleNotFoundError:
    _INSTALLED = False
else:
    _INSTALLED = True


class UnansweredError(EventflowError):
    """No whole answer came.

    Attributes:
        arrived: Whether the request may have reached the service.
    """

    def __init__(self, message: str, *, arrived: bool) -> None:
        super().__init__(message)
        self.arrived = arrived


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to ask.

    Attributes:
        limit_s: Seconds for the whole exchange, to the last byte.
        max_bytes: Of the answer's body; the rest is not read.
    """

    method: str
    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes | None = None
    limit_s: float = 30.0
    max_bytes: int = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back; `whole` is false when the body was longer than `max_bytes`."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool


def check_installed(task_name: str) -> None:
    """Refuse a task that needs HTTP where the extra is not installed.

    Raises:
        DefinitionError: Says what to install.
    """
    if not _INSTALLED:
        raise DefinitionError(
            f"operator {task_name!r} speaks HTTP, for which httpx is not installed; "
            f"pip install 'eventflow[http]'"
        )


def exchange(request: Request) -> Answer:
    """Ask once.

    Raises:
        UnansweredError: If no whole answer came in time.
    """
    expired = threading.Event()
    try:
        with httpx.Client(verify=_trust(), trust_env=False, timeout=request.limit_s) as client:
            watchdog = threading.Timer(request.limit_s, _expire, (client, expired))
            watchdog.daemon = True
            watchdog.start()
            try:
                return _exchange(client, request)
            finally:
                watchdog.cancel()
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise UnansweredError(f"no connection: {_said(error)}", arrived=False) from error
    except Exception as error:
        # A client that is closed while it reads may raise anything.
        if expired.is_set() or isinstance(error, httpx.TimeoutException):
            text = f"no whole answer in {request.limit_s:g} s"
            raise UnansweredError(text, arrived=True) from error
        if isinstance(error, httpx.TransportError):
            raise UnansweredError(f"the answer broke off: {_said(error)}", arrived=True) from error
        raise


def _exchange(client: "httpx.Client", request: Request) -> Answer:
    # Packed answers are not asked for: a small one could unpack to any size.
    headers = {"Accept-Encoding": "identity", **request.headers}
    asked: dict[str, Any] = {"params": request.params, "headers": headers}
    with client.stream(request.method, request.url, content=request.content, **asked) as response:
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > request.max_bytes:
                break
        return Answer(
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=bytes(body[: request.max_bytes]),
            whole=len(body) <= request.max_bytes,
        )


def _expire(client: "httpx.Client", expired: threading.Event) -> None:
    expired.set()
    client.close()


@functools.cache
def _trust() -> ssl.SSLContext:
    """Whom to trust; reading the certificates takes some 20 ms. `SSL_CERT_FILE` adds one's own."""
    return httpx.create_ssl_context()


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
