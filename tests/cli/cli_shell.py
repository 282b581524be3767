"""The command line as users call it: the console script, in processes of its own."""

import json
import os
import select
import signal
import subprocess
from pathlib import Path
from typing import Any

import programs
from programs import SCRIPT

PATIENCE_S = 30.0

FILES = {
    "good.py": """
from eventflow import PythonOperator, Workflow, current_context

def greet():
    print("hello", current_context().params.get("day"))
    return dict(current_context().params)

with Workflow("good") as good:
    first = PythonOperator("first", python_callable=greet)
    second = PythonOperator("second", python_callable=greet)
    first >> second
""",
    "bad.py": """
from eventflow import BashOperator, PythonOperator, Workflow

def fail():
    raise ValueError("nothing is [bold]good[/bold] today")

with Workflow("bad") as bad:
    PythonOperator("fails", python_callable=fail)
""",
    "two.py": """
from eventflow import BashOperator, TaskAction, Workflow

with Workflow("one") as one:
    BashOperator("a", bash_command="true")
with Workflow("other") as other:
    BashOperator("b", bash_command="true")
other.trigger_on_event("eventflow.workflow.one.success")
""",
    "orders.py": """
from eventflow import BashOperator, Workflow

with Workflow("orders") as orders:
    BashOperator("first", bash_command="echo $$ > journal; echo told; sleep 300")
orders.trigger_on_event("orders.*")
""",
    "broken.py": "with Workflow('x'\n",
    "raises.py": "import eventflow\nraise RuntimeError('no such day')\n",
    "cron.py": """
from eventflow import Cron, Workflow
with Workflow("late", schedule=Cron("61 * * * *")) as late:
    pass
""",
    "plain.py": "answer = 42\n",
}


class Shell:
    """A folder with files of workflows, and the console script run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        dropped = ("EVENTFLOW_", "FORCE_COLOR", "XDG_RUNTIME_DIR")
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(dropped)
        }
        self.environment["NO_COLOR"] = "1"
        for name, text in FILES.items():
            (folder / name).write_text(text)

    def __call__(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return programs.run(
            [SCRIPT, *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            timeout=PATIENCE_S * 2,
        )

    def json(self, *arguments: object) -> Any:
        """Run a command with `--json`; its standard output is one document and nothing else."""
        done = self(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def fifo(self, name: str) -> "Fifo":
        """A pipe with a name, into which a task may write: waiting for it needs no looking."""
        path = self.folder / name
        os.mkfifo(path)
        return Fifo(path)

    def begin(self, *arguments: object) -> "Program":
        """Start a command that goes on."""
        return Program(
            programs.begin(
                [SCRIPT, *arguments],
                cwd=self.folder,
                env=self.environment,
                text=False,
                start_new_session=True,
            )
        )


class Fifo:
    """The reading end of a pipe with a name."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def line(self) -> str:
        """The next line that somebody writes."""
        text = _read_line(self._file, b"")[0]
        os.close(self._file)
        return text


class Program:
    """A command that is running."""

    def __init__(self, process: programs.Running) -> None:
        self.process = process
        self._rest = b""

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def line(self, part: str) -> str:
        """The next line of standard output that holds `part`."""
        assert self.process.stdout is not None
        while True:
            line, self._rest = _read_line(self.process.stdout.fileno(), self._rest)
            if part in line:
                return line

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        """Wait for its end: exit status, what is left of its output, its errors."""
        out, errors = self.process.communicate(timeout=PATIENCE_S * 2)
        return self.process.returncode, (self._rest + out).decode(), errors.decode()


def _read_line(file: int, begun: bytes) -> tuple[str, bytes]:
    poll = select.poll()
    poll.register(file, select.POLLIN)
    while b"\n" not in begun:
        assert poll.poll(PATIENCE_S * 1000), f"nothing came within {PATIENCE_S} s after {begun!r}"
        data = os.read(file, 4096)
        assert data, f"it ended after {begun!r}"
        begun += data
    line, _, rest = begun.partition(b"\n")
    return line.decode(), rest
