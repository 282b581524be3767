"""One HTTP request to the world outside: checked, bounded in time and size, never redirected.

Why not an HTTP library: their time limits begin anew with every byte that comes, so that a server
which drips holds the caller for as long as it likes. Here the socket is ours, and one deadline
stands for all of it. The address that was checked is the one that is connected to; proxies in the
environment are not asked.
"""

import contextlib
import http.client
import io
import ipaddress
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from eventflow.clock import Clock
from eventflow.errors import UplinkError

MAX_ANSWER_BYTES = 64 * 1024
_CHUNK = 64 * 1024
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. The headers hold a token: they are left out of the repr."""

    method: str
    url: str
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(repr=False, default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Nobody reads the body.

    Attributes:
        retry_after: Seconds that the server asked to be left alone for; `None` when it did not.
    """

    status: int
    retry_after: float | None = None


class Call:
    """One request under way; another thread may cut it.

    Args:
        timeout_s: For everything together: connection, handshake, request and answer.
        tls: How an https server proves who it is.
        allow_http: Whether http may go to another machine than this one.
    """

    def __init__(
        self,
        request: Request,
        *,
        timeout_s: float,
        tls: ssl.SSLContext,
        clock: Clock,
        allow_http: bool = False,
    ) -> None:
        self._request = request
        self._timeout_s = timeout_s
        self._tls = tls
        self._clock = clock
        self._allow_http = allow_http
        self._deadline = 0.0
        self._socket: socket.socket | None = None
        self._is_cut = False

    def send(self) -> Answer:
        """Send the request and return the head of the answer, whatever its status.

        Raises:
            UplinkError: If there is no connection, no answer in time, or none that is HTTP.
        """
        self._deadline = self._clock.monotonic() + self._timeout_s
        try:
            with contextlib.closing(self._connected()) as wire:
                return self._exchange(wire)
        except TimeoutError as error:
            raise self._too_slow() from error
        except http.client.HTTPException as error:
            # Its text is what the server sent, and may be anything.
            raise UplinkError(f"the answer is not HTTP ({type(error).__name__})") from error
        except OSError as error:
            raise UplinkError("cut off" if self._is_cut else _one_line(error)) from error

    def cut(self) -> None:
        """End it now: `send` raises. Does nothing once it has returned."""
        self._is_cut = True
        found = self._socket
        if found is not None:
            # Of the class, for the method of a TLS socket takes the TLS away from its reader.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(found, socket.SHUT_RDWR)

    def _exchange(self, wire: socket.socket) -> Answer:
        parts = urlsplit(self._request.url)
        connection = http.client.HTTPConnection(parts.hostname or "")
        connection.sock = _Bounded(wire, self._left)
        headers = {**self._request.headers, "Host": parts.netloc, "Connection": "close"}
        path = parts.path or "/"
        connection.request(self._request.method, path, body=self._request.body, headers=headers)
        answer = connection.getresponse()
        try:
            return Answer(answer.status, _seconds(answer.getheader("Retry-After"), self._clock))
        finally:
            answer.close()

    def _connected(self) -> socket.socket:
        parts = urlsplit(self._request.url)
        host = parts.hostname or ""
        port = parts.port or _PORTS[parts.scheme]
        plain = parts.scheme == "http"
        failure: OSError | None = None
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        ):
            _check_address(str(address[0]), only_here=plain and not self._allow_http)
            try:
                return self._connected_to(family, kind, protocol, address)
            except OSError as error:
                failure = error
        raise failure or OSError(f"{host} has no address")

    def _connected_to(self, family: int, kind: int, protocol: int, address: Any) -> socket.socket:
        parts = urlsplit(self._request.url)
        with contextlib.ExitStack() as undone:
            found = undone.enter_context(socket.socket(family, kind, protocol))
            self._socket = found
            found.settimeout(self._left())
            found.connect(address)
            if parts.scheme == "https":
                found.settimeout(self._left())
                found = self._tls.wrap_socket(found, server_hostname=parts.hostname)
                self._socket = found
            undone.pop_all()
            return found

    def _left(self) -> float:
        if self._is_cut:
            raise UplinkError("cut off")
        left = self._deadline - self._clock.monotonic()
        if left <= 0:
            raise self._too_slow()
        return left

    def _too_slow(self) -> UplinkError:
        return UplinkError(f"no answer within {self._timeout_s:g} s")


class _Bounded:
    """The socket as `http.client` sees it: every step asks how much time is left."""

    def __init__(self, wire: socket.socket, left: Callable[[], float]) -> None:
        self._wire = wire
        self._left = left

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._wire.settimeout(self._left())
            rest = rest[self._wire.send(rest[:_CHUNK]) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self._wire, self._left))

    def close(self) -> None:
        self._wire.close()


class _Incoming(io.RawIOBase):
    """What the server sends, as far as the time and the size go."""

    def __init__(self, wire: socket.socket, left: Callable[[], float]) -> None:
        self._wire = wire
        self._left = left
        self._seen = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._seen >= MAX_ANSWER_BYTES:
            raise UplinkError(f"the answer has more than {MAX_ANSWER_BYTES} bytes")
        self._wire.settimeout(self._left())
        count = self._wire.recv_into(buffer)
        self._seen += count
        return count


def _check_address(text: str, *, only_here: bool) -> None:
    """Refuse addresses that no platform has, and plain http that would leave this machine."""
    address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return
    nowhere = address.is_unspecified or address in _THIS_NETWORK
    if address.is_link_local or address.is_multicast or nowhere:
        raise UplinkError(f"address {text} is not one of a platform; nothing was sent")
    if only_here:
        raise UplinkError(
            f"http to {text} would leave this machine in clear; use https, or allow_http=True"
        )


def _seconds(header: str | None, clock: Clock) -> float | None:
    """What a Retry-After header says, in seconds from now; `None` when it says nothing."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (_aware(at) - clock.now()).total_seconds())


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _one_line(error: OSError) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
