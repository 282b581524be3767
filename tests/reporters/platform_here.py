"""A platform on this machine, over real sockets, that behaves as badly as a test wants."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

SOON_S = 20
CERTIFICATE = Path(__file__).with_name("localhost.pem")


@dataclass(frozen=True)
class Post:
    """One request, as it came in."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    body: Any = field(repr=False)
    at: float

    @property
    def told(self) -> Any:
        """What the CloudEvent holds."""
        return self.body["data"]


class Handler(BaseHTTPRequestHandler):
    """Reads a request whole, then lets the platform behave."""

    def do_POST(self) -> None:
        platform: LocalPlatform = self.server.platform  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        post = Post(self.command, self.path, dict(self.headers), body, time.monotonic())
        platform.take(post)(self)

    def do_PUT(self) -> None:
        self.do_POST()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that goes away in the middle is what these tests are about."""


Behaviour = Callable[[Handler], None]


class LocalPlatform:
    """Behaves as told, one behaviour for each post, the last one for ever; 200 at first."""

    def __init__(self, *, tls: bool = False) -> None:
        self.behaviours: list[Behaviour] = [answers(200)]
        self.posts: list[Post] = []
        self.closing = threading.Event()
        self._news = threading.Condition()
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.platform = self  # type: ignore[attr-defined]
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/reports"

    def __enter__(self) -> "LocalPlatform":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def behaves(self, *behaviours: Behaviour) -> None:
        self.behaviours = list(behaviours)

    def take(self, post: Post) -> Behaviour:
        with self._news:
            self.posts.append(post)
            self._news.notify_all()
            return self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]

    def until(self, posts: int) -> None:
        """Wait until so many posts have come."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.posts) >= posts, SOON_S), self.posts

    def until_told(self, wanted: Callable[[Any], bool]) -> None:
        """Wait until a picture has come that is like that."""
        with self._news:
            assert self._news.wait_for(
                lambda: any(wanted(post.told) for post in self.posts), SOON_S
            ), self.posts

    def until_final(self, run_id: str = "") -> None:
        """Wait until the final picture of an execution has come, of that one if it is named."""
        self.until_told(lambda told: told["final"] and run_id in ("", told["run_id"]))


def answers(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    """Give an answer; names of headers with `_` for `-`."""

    def behave(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def hangs(handler: Handler) -> None:
    """Never answer, while the test lasts."""
    handler.server.platform.closing.wait()  # type: ignore[attr-defined]


def drips(handler: Handler) -> None:
    """Begin an answer and send a byte of a header now and then."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    platform: LocalPlatform = handler.server.platform  # type: ignore[attr-defined]
    while not platform.closing.wait(0.05):
        handler.wfile.write(b"z")


def talks_nonsense(handler: Handler) -> None:
    """Answer with what is no HTTP, and repeat the secret that came in."""
    handler.wfile.write(b"220 mail " + handler.headers["Authorization"].encode() + b"\r\n\r\n")
    handler.close_connection = True


def floods(handler: Handler) -> None:
    """Send half a megabyte of headers: each, and their number, as HTTP libraries take them."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(50):
        handler.wfile.write(b"X-More: " + b"z" * 10_000 + b"\r\n")
    handler.wfile.write(b"\r\n")


@contextmanager
def nobody_listens() -> Iterator[str]:
    """The URL of a port that is taken and refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/reports"
