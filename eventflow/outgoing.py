"""One HTTP request to the world outside and its answer, with a bound on all of it.

Certificates are verified, a redirect is not followed (it would carry the credentials elsewhere),
and no proxy is taken from the environment.

Why not an HTTP library: their limits of time begin anew with each byte that comes, so a server that
drips holds the caller for as long as it likes. Here the socket is ours, and one deadline stands for
the whole exchange; only the look-up of the name is the system's, and takes what that takes.
"""

import contextlib
import functools
import http.client
import io
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from eventflow.clock import Clock
from eventflow.errors import EventflowError

MAX_HEAD_BYTES = 64 * 1024
_CHUNK = 64 * 1024
_PORTS = {"http": 80, "https": 443}


class UnansweredError(EventflowError):
    """No whole answer came. The message repeats nothing that the server said.

    Attributes:
        arrived: Whether the request may have reached the server.
    """

    def __init__(self, message: str, *, arrived: bool) -> None:
        super().__init__(message)
        self.arrived = arrived


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. The headers hold a token: they are left out of the repr.

    Attributes:
        url: http or https, without a query; that is made of `params`.
    """

    method: str
    url: str
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status.

    Attributes:
        retry_after: Seconds that the server asked to be left alone for; `None` when it did not.
        body: As much of it as was asked for.
        whole: Whether there was no more of it.
    """

    status: int
    retry_after: float | None = None
    body: bytes = field(default=b"", repr=False)
    whole: bool = False


class Call:
    """One request under way; another thread may cut it.

    Args:
        limit_s: Seconds for everything together, from the connection to the last byte.
        max_bytes: Of the answer's body; the rest is not read. 0: nobody waits for a body.
        tls: Whom to trust; by default the system's certificates, or those of `SSL_CERT_FILE`.
        check: Called with the address that is about to be connected to; what it raises goes to
            the caller of `send`, and nothing is sent.
    """

    def __init__(
        self,
        request: Request,
        *,
        limit_s: float,
        clock: Clock,
        max_bytes: int = 0,
        tls: ssl.SSLContext | None = None,
        check: Callable[[str], None] | None = None,
    ) -> None:
        self._request = request
        self._limit_s = limit_s
        self._clock = clock
        self._max_bytes = max_bytes
        self._tls = tls
        self._check = check
        self._parts = urlsplit(request.url)
        self._deadline = 0.0
        self._socket: socket.socket | None = None
        self._is_cut = False

    def send(self) -> Answer:
        """Send the request, once, and return the answer.

        Raises:
            UnansweredError: If no whole answer came in time, or none that is HTTP.
        """
        self._deadline = self._clock.monotonic() + self._limit_s
        arrived = False
        try:
            with contextlib.closing(self._connected()) as wire:
                arrived = True
                return self._exchange(_Wire(wire, self._left))
        except (OSError, http.client.HTTPException) as error:
            raise UnansweredError(self._why(error, arrived=arrived), arrived=arrived) from error

    def cut(self) -> None:
        """End it now: `send` raises. Does nothing once it has returned."""
        self._is_cut = True
        found = self._socket
        if found is not None:
            # Of the class, for the method of a TLS socket takes the TLS away from its reader.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(found, socket.SHUT_RDWR)

    def _connected(self) -> socket.socket:
        parts = self._parts
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        failure: OSError | None = None
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        ):
            if self._check is not None:
                self._check(str(address[0]))
            try:
                return self._connected_to(family, kind, protocol, address)
            except OSError as error:
                failure = error
        raise failure or OSError(f"{host} has no address")

    def _connected_to(self, family: int, kind: int, protocol: int, address: Any) -> socket.socket:
        with contextlib.ExitStack() as undone:
            found = undone.enter_context(socket.socket(family, kind, protocol))
            self._socket = found
            found.settimeout(self._left())
            found.connect(address)
            if self._parts.scheme == "https":
                found.settimeout(self._left())
                tls = self._tls or _trust()
                found = tls.wrap_socket(found, server_hostname=self._parts.hostname)
                self._socket = found
            undone.pop_all()
            return found

    def _exchange(self, wire: "_Wire") -> Answer:
        request, parts = self._request, self._parts
        connection = http.client.HTTPConnection(parts.hostname or "")
        # It is handed a socket, and connects nothing by itself.
        connection.sock = wire
        path = (parts.path or "/") + (f"?{urlencode(request.params)}" if request.params else "")
        # Packed answers are not asked for: a small one could unpack to any size.
        own = {"Host": parts.netloc, "Connection": "close", "Accept-Encoding": "identity"}
        connection.request(request.method, path, request.body, {**own, **request.headers})
        with connection.getresponse() as response:
            wire.end_head()
            retry_after = _seconds(response.getheader("Retry-After"), self._clock)
            body, whole = self._body_of(response)
            return Answer(response.status, retry_after, body, whole)

    def _body_of(self, response: http.client.HTTPResponse) -> tuple[bytes, bool]:
        most = self._max_bytes
        if most == 0:
            return b"", False
        body = bytearray()
        while len(body) <= most and (chunk := response.read(_CHUNK)):
            body += chunk
        whole = len(body) <= most
        # An early end is told from a late one by what is still announced.
        if whole and response.length:
            raise http.client.IncompleteRead(b"", response.length)
        return bytes(body[:most]), whole

    def _left(self) -> float:
        if self._is_cut:
            raise ConnectionAbortedError
        left = self._deadline - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _why(self, error: Exception, *, arrived: bool) -> str:
        if self._is_cut:
            return "cut off"
        match error:
            case TimeoutError():
                return f"no whole answer in {self._limit_s:g} s"
            case http.client.IncompleteRead():
                return f"the answer broke off: {_one_line(error)}"
            case OSError():
                what = "the answer broke off" if arrived else "no connection"
                return f"{what}: {_one_line(error)}"
            case _:
                # Its text is what the server sent, and may be anything.
                return f"the answer is not HTTP ({type(error).__name__})"


class _Wire:
    """The socket as `http.client` sees it: before each step it asks for the time that is left."""

    def __init__(self, wire: socket.socket, left: Callable[[], float]) -> None:
        self._wire = wire
        self._left = left
        self._incoming = _Incoming(wire, left)
        self.end_head = self._incoming.end_head

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._wire.settimeout(self._left())
            rest = rest[self._wire.send(rest[:_CHUNK]) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._incoming, _CHUNK)

    def close(self) -> None:
        """Asked for as soon as the head is read; who opened the socket closes it."""


class _Incoming(io.RawIOBase):
    """What the server sends, for as long as there is time, and of the head so much at the most."""

    def __init__(self, wire: socket.socket, left: Callable[[], float]) -> None:
        self._wire = wire
        self._left = left
        self._head_left: int | None = MAX_HEAD_BYTES

    def end_head(self) -> None:
        """What comes from here on is a body, which its reader bounds."""
        self._head_left = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._head_left == 0:
            raise OSError(f"its head has more than {MAX_HEAD_BYTES} bytes")
        self._wire.settimeout(self._left())
        count = self._wire.recv_into(memoryview(buffer)[: self._head_left])
        if self._head_left is not None:
            self._head_left -= count
        return count


@functools.cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


def _seconds(header: str | None, clock: Clock) -> float | None:
    """What a Retry-After header says, in seconds from now; `None` when it says nothing."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (_aware(at) - clock.now()).total_seconds())


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
