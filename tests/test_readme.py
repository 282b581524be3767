"""The README's tour, typed as a reader would type it."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventflow.runtime.handle import ExecutionHandle
from eventflow.runtime.remote import RemoteClient

README = Path(__file__).parent.parent / "README.md"
BIN = Path(sys.executable).parent


def blocks(language: str) -> list[str]:
    """The code blocks of the tour, in order."""
    tour = README.read_text().partition("## A tour")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", tour, re.DOTALL | re.MULTILINE)


def files() -> dict[str, str]:
    """The files of the tour, by the name in their first line."""
    named = {re.match(r"# (\w+\.py)\n", block): block for block in blocks("python")}
    return {match.group(1): block for match, block in named.items() if match is not None}


def commands() -> list[str]:
    """What the tour types after `$`."""
    lines = (line for block in blocks("console") for line in block.splitlines())
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for name, text in files().items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def environment() -> dict[str, str]:
    rest = {name: value for name, value in os.environ.items() if not name.startswith("EVENTFLOW_")}
    return {**rest, "PATH": f"{BIN}{os.pathsep}{rest.get('PATH', '')}", "NO_COLOR": "1"}


@pytest.fixture
def serving(shop: Path, environment: dict[str, str]) -> Iterator[None]:
    """The tour's `eventflow serve`, in a shell of its own."""
    (command,) = [line for line in commands() if line.startswith("eventflow serve")]
    serve = subprocess.Popen(
        shlex.split(command), cwd=shop, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert serve.stdout is not None
    while "ready" not in (line := serve.stdout.readline()):
        assert line, "serve ended before it was ready"
    yield
    serve.terminate()
    serve.wait(30)
    serve.stdout.close()


@pytest.mark.usefixtures("serving")
def test_every_command_of_the_tour_does_what_the_tour_says(
    shop: Path, environment: dict[str, str]
) -> None:
    printed = {}
    with RemoteClient(f"sqlite:///{shop / 'eventflow.db'}") as remote:
        for command in commands():
            if command.startswith("eventflow serve"):
                continue
            done = subprocess.run(
                shlex.split(command), cwd=shop, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, (command, done.stderr)
            printed[command] = done.stdout
            if command.startswith("eventflow emit"):
                _wait_for_executions(remote)

    assert "SUCCESS" in printed["eventflow execution list"]
    assert "FAILED" in printed["eventflow execution list"]
    assert "charge" in printed["eventflow execution show 1"]
    assert "charged 12.5" in printed["eventflow execution logs 1"]
    assert "packed" in printed["eventflow execution logs 1"]
    assert "orders.paid" in printed["eventflow event list"]
    assert "3/3 items" in printed["eventflow run many.py --store many.db"]


def _wait_for_executions(remote: RemoteClient) -> None:
    remote.until(lambda: remote.store.decided_offset(remote.store.last_offset()) or None, 30)
    for execution in remote.store.executions():
        ExecutionHandle(remote.client, execution_id=execution.id).wait(30)


def test_the_programs_of_the_tour_run(shop: Path, environment: dict[str, str]) -> None:
    programs = [block for block in blocks("python") if block not in files().values()]
    assert len(programs) == 3
    said = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=shop,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for program in programs
    ]
    assert said[0] == "the sum of squares is 14\n"
    assert "execution 1 has succeeded" in said[1]


def test_the_program_of_the_page_of_flows_runs(environment: dict[str, str]) -> None:
    page = (README.parent / "docs" / "flows.md").read_text()
    (program,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "{'price': 50.0, 'demand': 100.0} SKIPPED 1\n"


def test_the_two_commands_stand_in_the_readme_and_in_the_makefile() -> None:
    makefile = (README.parent / "Makefile").read_text()
    for target in ("demo", "test"):
        assert f"make {target}" in README.read_text()
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_the_check_of_the_tours_workflow_reads_as_json(
    shop: Path, environment: dict[str, str]
) -> None:
    done = subprocess.run(
        ["eventflow", "check", "shop.py", "--json"],
        cwd=shop,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "shop" in json.dumps(json.loads(done.stdout))
