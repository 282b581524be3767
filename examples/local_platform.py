"""A platform of your own: a page that shows how executions go, wherever they run.

    python examples/local_platform.py                 (or another port: local_platform.py 9000)

and, in another shell, anything that reports to it:

    eventflow run examples/failure_handler.py --uplink http://127.0.0.1:8765/

http://127.0.0.1:8765/ then shows the graph and every run of the newest executions. What comes in
is a CloudEvent that holds the newest whole picture of one execution; the one here shows it, and
keeps nothing when it ends. Prints, once the execution above has ended:

    failure_handler 1 ended SUCCESS: download SUCCESS, parse FAILED, quarantine SUCCESS
"""

import contextlib
import json
import sys
import threading
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from eventflow import TaskStatus
from eventflow.errors import EventflowError
from eventflow.model.graph import Edge, Graph, Kind, Node, Progress
from eventflow.model.svg import to_svg

PORT = 8765
MOST_BYTES = 4 * 1024 * 1024
MOST_EXECUTIONS = 20
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta http-equiv="refresh" content="2">
<title>eventflow: local platform</title>
<style>body {{ font: 14px ui-monospace, monospace; margin: 2em; color-scheme: light dark }}
td, th {{ text-align: left; padding: 0 1.5em 0 0 }} h2 {{ margin-top: 2em }}</style>
<h1>The newest executions</h1>{sections}</html>"""

# Execution -> when its newest picture was made, and its part of the page. Several requests may come
# at the same time.
shown: dict[str, tuple[str, str]] = {}
lock = threading.Lock()


def take(event: dict[str, Any]) -> None:
    """Keep the newest picture of an execution; an older one that comes late is dropped."""
    at, picture = event["time"], event["data"]
    execution = picture["execution"]
    name = f"{execution['workflow']} {execution['id']}"
    part = section(name, picture)
    with lock:
        if name in shown and shown[name][0] > at:
            return
        shown.pop(name, None)
        shown[name] = (at, part)
        if len(shown) > MOST_EXECUTIONS:
            del shown[next(iter(shown))]
    if picture["final"]:
        runs = ", ".join(f"{run['task']} {run['status']}" for run in picture["runs"])
        print(f"{name} ended {execution['status']}: {runs}", flush=True)


def graph(picture: dict[str, Any]) -> str:
    """The tasks, each with the status of its newest run, as SVG."""
    nodes = [Node(task["name"], Kind.TASK, task["name"]) for task in picture["tasks"]]
    edges = [
        Edge(before, task["name"]) for task in picture["tasks"] for before in task["predecessors"]
    ]
    execution = picture["execution"]
    graph = Graph(execution["workflow"], execution["namespace"], tuple(nodes), tuple(edges))
    # Of an execution whose workflow nobody knows any more there are runs and no tasks.
    names = {node.label for node in nodes}
    stands = {
        run["task"]: Progress(TaskStatus(run["status"]))
        for run in picture["runs"]
        if run["task"] in names
    }
    return to_svg(graph.with_progress(stands))


def section(name: str, picture: dict[str, Any]) -> str:
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(str(text))}</td>" for text in cells(run)) + "</tr>"
        for run in picture["runs"]
    )
    heads = "".join(
        f"<th>{head}</th>" for head in ("run", "status", "attempt", "ended", "after", "")
    )
    title = f"{escape(name)}: {escape(picture['execution']['status'])}"
    return f"<h2>{title}</h2>{graph(picture)}<table><tr>{heads}</tr>{rows}</table>"


def cells(run: dict[str, Any]) -> list[object]:
    error = run["error"] or {"type": "", "message": ""}
    why = ": ".join(text for text in (error["type"], error["message"]) if text)
    before = ", ".join(run["predecessors"])
    return [run["key"], run["status"], run["attempt"], run["end_date"] or "", before, why]


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        if size > MOST_BYTES:
            self.send_error(413)
            return
        try:
            take(json.loads(self.rfile.read(size)))
        except (ValueError, KeyError, TypeError, AttributeError, EventflowError):
            self.send_error(400)
            return
        self.send_response(204)
        self.end_headers()

    def do_GET(self) -> None:
        with lock:
            newest = [part for _, part in shown.values()][::-1]
        page = PAGE.format(sections="".join(newest)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        """The page shows it."""


def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else PORT
    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        print(f"http://127.0.0.1:{server.server_port}/ shows what is reported there", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


if __name__ == "__main__":
    main()
