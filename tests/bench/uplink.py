"""What reporting costs the flow, whatever the platform does: the ratio to a flow without it.

Two figures: of the time on the wall, and of the processor's time of the whole process, which is
steadier. Rounds of all platforms alternate, each beginning with another one, so that
a slow moment of the machine hits all alike.
"""

import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from eventflow import Scheduler
from eventflow.reporters import UplinkClient, UplinkConfig
from tests.bench.work import chain


def run(folder: Path, *, length: int = 200, rounds: int = 15) -> dict[str, object]:
    wall: dict[str, list[float]] = {}
    busy: dict[str, list[float]] = {}
    with _platforms() as urls:
        for number in range(rounds + 1):
            turn = number % len(urls)
            for name, url in [*urls.items()][turn:] + [*urls.items()][:turn]:
                store = f"sqlite:///{folder}/{name}.{number}.db"
                seconds, processor = _once(store, url, length)
                if number:  # the first warms up
                    wall.setdefault(name, []).append(seconds)
                    busy.setdefault(name, []).append(processor)
    return {
        "bench": "uplink",
        "steps": length,
        "ms_without": round(statistics.median(wall["none"]) * 1e3, 1),
        **{f"wall_{name}": _ratio(wall, name) for name in urls if name != "none"},
        **{f"cpu_{name}": _ratio(busy, name) for name in urls if name != "none"},
        "target": 1.02,
    }


def _ratio(taken: dict[str, list[float]], name: str) -> float:
    """The median over the rounds of the ratio within a round."""
    pairs = zip(taken[name], taken["none"], strict=True)
    return round(statistics.median(mine / without for mine, without in pairs), 3)


def _once(store: str, url: str | None, length: int) -> tuple[float, float]:
    workflow = chain(length)
    with Scheduler(store) as scheduler:
        scheduler.register(workflow)
        client = None
        if url is not None:
            client = UplinkClient(UplinkConfig(url=url, grace=0)).attach(scheduler)
        wall, busy = time.perf_counter(), time.process_time()
        ended = scheduler.run(workflow).wait(120)
        wall, busy = time.perf_counter() - wall, time.process_time() - busy
        assert [run.status for run in ended.tasks] == ["SUCCESS"] * length
        if client is not None:
            client.close()
    return wall, busy


@contextmanager
def _platforms() -> Iterator[dict[str, str | None]]:
    """Name -> URL of platforms of all kinds."""
    over = threading.Event()
    healthy, hanging = _server(0, over), _server(60, over)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        try:
            yield {
                "none": None,
                "healthy": f"http://127.0.0.1:{healthy.server_port}/",
                "refusing": f"http://127.0.0.1:{taken.getsockname()[1]}/",
                "hanging": f"http://127.0.0.1:{hanging.server_port}/",
            }
        finally:
            over.set()
            for server in (healthy, hanging):
                server.shutdown()
                server.server_close()


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that was cut is no news."""


def _server(seconds: float, over: threading.Event) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            over.wait(seconds)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = _Quiet(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
