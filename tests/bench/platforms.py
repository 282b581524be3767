"""Platforms that behave well and badly, in a process of their own: their work is not the flow's.

`python -m tests.bench.platforms` prints the URLs of all of them as one line of JSON, and ends when
its input does.
"""

import itertools
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Behaviour = Callable[[BaseHTTPRequestHandler], None]
_OVER = threading.Event()


def _healthy(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()


def _after(seconds: float) -> Behaviour:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        _OVER.wait(seconds)
        _healthy(handler)

    return behave


def _dropping(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def _nonsense(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"220 this is a mail server\r\n\r\n")
    handler.close_connection = True


def _busy_thrice() -> Behaviour:
    """429 to three posts, then 200, and so on."""
    statuses = itertools.cycle((429, 429, 429, 200))

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(next(statuses))
        handler.end_headers()

    return behave


BEHAVIOURS: dict[str, Behaviour] = {
    "healthy": _healthy,
    "slow_3s": _after(3),
    "slow_30s": _after(30),
    "hanging": _after(3600),
    "dropping": _dropping,
    "nonsense": _nonsense,
    "busy_429": _busy_thrice(),
}


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that was cut is no news."""


def _serve(behaviour: Behaviour) -> int:
    """Serve on a port, which is returned."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            behaviour(self)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = _Quiet(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


@contextmanager
def platforms() -> Iterator[dict[str, str]]:
    """Name -> URL of platforms of all kinds, while they are there."""
    command = [sys.executable, "-m", "tests.bench.platforms"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.stdin.close()


def main() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        ports = {name: _serve(behaviour) for name, behaviour in BEHAVIOURS.items()}
        ports["refusing"] = taken.getsockname()[1]
        print(json.dumps({name: f"http://127.0.0.1:{port}/" for name, port in ports.items()}))
        sys.stdout.flush()
        sys.stdin.read()
    _OVER.set()


if __name__ == "__main__":
    main()
