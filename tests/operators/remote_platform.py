"""A service that runs applications, in small: a real HTTP server on this machine, told what to say.

It keeps every request, and each can be waited for. What it says by default is that of a run which
succeeds at the first look.
"""

import json
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

PATIENCE_S = 20.0
TOKEN = "tkn-5f2c9a77e1"
RUNS = "/v1/applications/routing/runs"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request, and when it came, by a clock that never goes back."""

    kind: str
    run: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any
    at: float


Fault = Callable[["Handler"], None]


class Platform:
    """What the server knows. Set the attributes before the run; read `asked` at any time.

    Attributes:
        statuses: What a look at a run says, one after another; the last is said for ever.
        hold: While it is set, no run ends: its looks say `running`.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.asked: list[Asked] = []
        self.statuses: list[str] = ["succeeded"]
        self.hold = threading.Event()
        self.metadata: dict[str, Any] = {}
        self.output: Any = {"cost": 42}
        self.log: Callable[[str | None], dict[str, Any]] = lambda since: {"items": []}
        self._faults: dict[str, list[Fault]] = defaultdict(list)
        self._looks: dict[str, int] = defaultdict(int)
        self._runs = 0
        self.url = ""

    def fault(self, kind: str, *faults: Fault) -> None:
        """The next requests of a kind are answered so."""
        self._faults[kind].extend(faults)

    def of(self, kind: str) -> list[Asked]:
        with self._changed:
            return [asked for asked in self.asked if asked.kind == kind]

    def wait_for(self, kind: str, n: int = 1, timeout_s: float = PATIENCE_S) -> list[Asked]:
        """The first `n` requests of a kind, when they are there."""
        with self._changed:
            there = self._changed.wait_for(
                lambda: sum(asked.kind == kind for asked in self.asked) >= n, timeout_s
            )
            assert there, f"{n} x {kind} did not come; there are {self.asked}"
        return self.of(kind)[:n]

    def take(self, asked: Asked) -> Fault | None:
        with self._changed:
            self.asked.append(asked)
            self._changed.notify_all()
            faults = self._faults[asked.kind]
            return faults.pop(0) if faults else None

    def answer(self, asked: Asked) -> Any:
        with self._changed:
            if asked.kind == "start":
                self._runs += 1
                return {"run_id": f"run-{self._runs}"}
            if asked.kind == "logs":
                return self.log(asked.query.get("since", [None])[0])
            look = min(self._looks[asked.run], len(self.statuses) - 1)
            if asked.kind == "look":
                self._looks[asked.run] += 1
            status = "running" if self.hold.is_set() else self.statuses[look]
            told = {"id": asked.run, "metadata": {**self.metadata, "status_v2": status}}
            return told if asked.kind == "look" else {**told, "output": self.output}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def _serve(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        parts = urlsplit(self.path)
        kind, run = kind_of(self.command, parts.path)
        asked = Asked(
            kind=kind,
            run=run,
            query=parse_qs(parts.query),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            at=time.monotonic(),
        )
        fault = self.server.platform.take(asked)
        if fault is not None:
            fault(self)
        else:
            self.say(200, json.dumps(self.server.platform.answer(asked)).encode())

    do_GET = do_POST = do_PATCH = _serve  # noqa: N815  the base class's names

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's
        return


class Server(ThreadingHTTPServer):
    daemon_threads = True
    platform: Platform

    def handle_error(self, request: Any, client_address: Any) -> None:
        return  # a client that was stopped does not wait for its answer


def kind_of(method: str, path: str) -> tuple[str, str]:
    """What a request is for, and the run that it names."""
    rest = path.partition("/runs")[2].strip("/")
    run, _, last = rest.partition("/")
    known = {
        ("POST", ""): "start",
        ("GET", ""): "result",
        ("GET", "metadata"): "look",
        ("GET", "logs/live"): "logs",
        ("PATCH", "cancel"): "cancel",
    }
    return known.get((method, last), "unknown"), run


def status(number: int, body: bytes = b"", **headers: str) -> Fault:
    return lambda handler: handler.say(number, body, **headers)


def drop(handler: Handler) -> None:
    """End the connection without a word."""
    handler.close_connection = True
    handler.connection.close()


def torn(handler: Handler) -> None:
    """An answer that ends before the end that it has announced."""
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"{}")


def endless(handler: Handler) -> None:
    """An answer without an end, as fast as it is taken."""
    handler.close_connection = True
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"1" * 65_536)


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[Platform]:
    """A platform on a port of its own; https with a `certificate`, a file with its key, too."""
    server = Server(("127.0.0.1", 0), Handler)
    server.platform = Platform()
    server.platform.url = f"http://127.0.0.1:{server.server_port}"
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        server.platform.url = f"https://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.platform
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
