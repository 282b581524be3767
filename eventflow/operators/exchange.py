"""One HTTP request and its whole answer, with a bound on all of it: bytes, time, places.

Certificates are verified, a redirect is not followed (it would carry the credentials elsewhere),
and no proxy is taken from the environment.

Why not an HTTP library: their limits of time begin anew with each byte that comes, so a server that
drips holds the caller for as long as it likes. Here one deadline stands for the whole exchange;
only the look-up of the name is the system's, and takes what that takes.
"""

import contextlib
import functools
import http.client
import io
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from eventflow.clock import SystemClock
from eventflow.errors import EventflowError

_CHUNK = 64 * 1024
_PORTS = {"http": 80, "https": 443}


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
    content: bytes | None = field(default=None, repr=False)
    limit_s: float = 30.0
    max_bytes: int = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back; `whole` is false when the body was longer than `max_bytes`."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool


def exchange(request: Request) -> Answer:
    """Ask once.

    Raises:
        UnansweredError: If no whole answer came in time.
    """
    parts = urlsplit(request.url)
    clock = SystemClock()
    deadline = clock.monotonic() + request.limit_s

    def left() -> float:
        seconds = deadline - clock.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds

    arrived = False
    try:
        with contextlib.closing(_connected(parts, left)) as wire:
            arrived = True
            return _exchange(request, parts, _Wire(wire, left))
    except TimeoutError as error:
        text = f"no whole answer in {request.limit_s:g} s"
        raise UnansweredError(text, arrived=arrived) from error
    except http.client.HTTPException as error:
        text = f"the answer broke off, or is no HTTP: {_said(error)}"
        raise UnansweredError(text, arrived=True) from error
    except OSError as error:
        what = "the answer broke off" if arrived else "no connection"
        raise UnansweredError(f"{what}: {_said(error)}", arrived=arrived) from error


def _exchange(request: Request, parts: SplitResult, wire: "_Wire") -> Answer:
    connection = http.client.HTTPConnection(parts.hostname or "")
    # It is handed a socket, and connects nothing by itself.
    connection.sock = wire
    path = parts.path + (f"?{urlencode(request.params)}" if request.params else "")
    # Packed answers are not asked for: a small one could unpack to any size.
    own = {"Host": parts.netloc, "Connection": "close", "Accept-Encoding": "identity"}
    connection.request(request.method, path, request.content, {**own, **request.headers})
    response = connection.getresponse()
    with response:
        body = bytearray()
        while len(body) <= request.max_bytes and (chunk := response.read(_CHUNK)):
            body += chunk
        whole = len(body) <= request.max_bytes
        # An early end is told from a late one by what is still announced.
        if whole and response.length:
            raise http.client.IncompleteRead(b"", response.length)
        return Answer(
            status=response.status,
            headers={name.lower(): value for name, value in response.getheaders()},
            body=bytes(body[: request.max_bytes]),
            whole=whole,
        )


def _connected(parts: SplitResult, left: Callable[[], float]) -> socket.socket:
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    failure: OSError | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        wire = socket.socket(family, kind, protocol)
        try:
            wire.settimeout(left())
            wire.connect(address)
            if parts.scheme == "http":
                return wire
            wire.settimeout(left())
            return _trust().wrap_socket(wire, server_hostname=host)
        except OSError as error:
            wire.close()
            failure = error
    raise failure or OSError(f"{host} has no address")


class _Wire:
    """The socket as `http.client` sees it: before each step it asks for the time that is left."""

    def __init__(self, wire: socket.socket, left: Callable[[], float]) -> None:
        self._wire = wire
        self._left = left

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._wire.settimeout(self._left())
            rest = rest[self._wire.send(rest[:_CHUNK]) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self._wire, self._left), _CHUNK)

    def close(self) -> None:
        """Asked for as soon as the head is read; who opened the socket closes it."""


class _Incoming(io.RawIOBase):
    """What the service sends, for as long as there is time."""

    def __init__(self, wire: socket.socket, left: Callable[[], float]) -> None:
        self._wire = wire
        self._left = left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._wire.settimeout(self._left())
        return self._wire.recv_into(buffer)


@functools.cache
def _trust() -> ssl.SSLContext:
    """Whom to trust: the system's certificates, or those that `SSL_CERT_FILE` names."""
    return ssl.create_default_context()


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
