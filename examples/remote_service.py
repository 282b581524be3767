"""A small service that runs applications, for examples/remote_run.py. It keeps all in memory.

    python examples/remote_service.py [PORT]          (8765 by default; 0 is any that is free)

It takes any token, runs the application `sorting`, which sorts its input slowly enough to be
watched, and shows the wire contract that an AppOperator expects. Prints, when it is ready:

    serving at http://127.0.0.1:8765
"""

import itertools
import json
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

STEP_S = 0.1


@dataclass
class Run:
    """One run of the application, on a thread of its own."""

    input: list[int]
    options: dict[str, str]
    status: str = "queued"
    error: str = ""
    output: Any = None
    log: list[str] = field(default_factory=list)
    canceled: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        self.status = "running"
        left, done = list(self.input), []
        pick = max if self.options.get("order") == "falling" else min
        while left:
            if self.canceled.wait(STEP_S):
                self.status = "canceled"
                return
            if not isinstance(left[0], int):
                self.status, self.error = "failed", f"{left[0]!r} is no number"
                return
            done.append(pick(left))
            left.remove(done[-1])
            self.log.append(f"{len(done)} of {len(self.input)} in place")
        self.status, self.output = "succeeded", done


class Service(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Requests)
        self.runs: dict[str, Run] = {}
        self.keys: dict[str, str] = {}
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()

    def start(self, order: dict[str, Any], key: str) -> str:
        """Start a run; a repeated request with the same key is the same run."""
        with self.lock:
            if key in self.keys:
                return self.keys[key]
            run_id = f"run-{next(self.numbers)}"
            self.runs[run_id] = Run(order["input"], order.get("options", {}))
            self.keys[key or run_id] = run_id
        threading.Thread(target=self.runs[run_id].work, daemon=True).start()
        return run_id


class Requests(BaseHTTPRequestHandler):
    server: Service

    def answer(self) -> None:
        parts = urlsplit(self.path)
        place = parts.path.removeprefix("/v1/applications/sorting/runs").strip("/")
        run_id, _, what = place.partition("/")
        run = self.server.runs.get(run_id)
        if not self.headers.get("Authorization", "").startswith("Bearer "):
            self.say(401, {"error": "a bearer token is needed"})
        elif self.command == "POST" and not place:
            order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            key = self.headers.get("Idempotency-Key", "")
            self.say(200, {"run_id": self.server.start(order, key)})
        elif run is None:
            self.say(404, {"error": f"no run {run_id!r}"})
        elif what == "cancel":
            run.canceled.set()
            self.say(200, {})
        elif what == "logs/live":
            begin = int(parse_qs(parts.query).get("since", ["0"])[0])
            lines = run.log[begin:]
            self.say(
                200,
                {
                    "items": [{"timestamp": "", "log": line} for line in lines],
                    "next_page_token": str(begin + len(lines)),
                    "next_available_in_seconds": STEP_S,
                },
            )
        else:
            told = {"id": run_id, "metadata": {"status_v2": run.status, "error": run.error}}
            self.say(200, told if what == "metadata" else {**told, "output": run.output})

    do_GET = do_POST = do_PATCH = answer  # noqa: N815  the names that http.server looks for

    def say(self, status: int, told: dict[str, Any]) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  http.server's name
        """Quiet: the runs have logs of their own."""


def main() -> None:
    with Service(int(sys.argv[1]) if len(sys.argv) > 1 else 8765) as service:
        print(f"serving at http://127.0.0.1:{service.server_port}", flush=True)
        service.serve_forever()


if __name__ == "__main__":
    main()
