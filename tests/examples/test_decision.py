"""The decision: run as a user runs it, looked into as a flow, and shown by a platform."""

import os
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import programs
import pytest
from test_examples import EXAMPLES, promised

from eventflow import TaskStatus
from eventflow.flow import FlowRun

sys.path.append(str(EXAMPLES))
import decision  # an example imports what lies beside it
import depots

DEADLINE_S = 120
STEPS = ["cities", "scenarios", "solve", "shortlist", "improve", "choose", "report"]


def decide(folder: Path, *options: object) -> str:
    """Run the example in a folder; returns what it printed."""
    done = programs.run(
        [sys.executable, EXAMPLES / "decision.py", *options], cwd=folder, timeout=DEADLINE_S
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def check_told(output: str) -> None:
    """What is printed is what the docstring says, with figures and names of its own."""
    told = [line for line in output.splitlines() if line][-4:-1]
    for line, example in zip(told, promised("decision.py"), strict=True):
        pattern = re.sub(r"\d[\d,.]*", r"\\d[\\d,.]*", re.sub(r"(depots: ).*", r"\1.+", example))
        assert re.fullmatch(pattern, line), (line, example)


def few_scenarios(monkeypatch: pytest.MonkeyPatch, folder: Path, diesel: float = 1.4) -> FlowRun:
    """A run with each kind of truck and 7 or 8 depots."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(decision, "COUNTS", range(7, 9))
    return decision.Decision(input=diesel, threads=os.cpu_count() or 1).run()


@dataclass(frozen=True, slots=True)
class Decided:
    """One run of the example, with a platform to tell it to.

    Attributes:
        line: What the platform has printed when the run had ended.
        page: What the platform shows then.
    """

    folder: Path
    output: str
    line: str
    page: str


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Decided:
    folder = tmp_path_factory.mktemp("decided")
    with platform() as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[0]
        output = decide(folder, "--uplink", url)
        line = process.stdout.readline().strip()
        with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:  # noqa: S310  # ours
            page = answer.read().decode()
    return Decided(folder, output, line, page)


def test_every_scenario_is_solved_once_and_the_cheapest_is_chosen(decided: Decided) -> None:
    output, tmp_path = decided.output, decided.folder

    solved = re.findall(r"^solved (.+): ([\d,]+) EUR", output, re.MULTILINE)
    assert len(solved) == len({scenario for scenario, _ in solved}) == 18
    table = re.findall(r"^([\d.]+ t, \d depots) +([\d,]+) +([\d.]+)%", output, re.MULTILINE)
    costs = [int(cost.replace(",", "")) for _, cost, _ in table]
    assert len(table) == 18
    assert costs == sorted(costs)
    assert f"{table[0][0]} for {table[0][1]} EUR a week" in output
    check_told(output)
    drawn = ElementTree.parse(tmp_path / "decision.svg")  # noqa: S314  # ours
    assert str(tmp_path / "decision.svg") in output
    assert table[0][0] in (drawn.findtext("{*}title") or "")


def test_a_closer_look_is_taken_at_those_that_may_be_the_cheapest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = few_scenarios(monkeypatch, tmp_path)

    plans, close = run.get_result("solve"), run.get_result("shortlist")
    assert [plan["scenario"] for plan in plans] == run.get_result("scenarios")
    cheapest = min(plan["cost"] for plan in plans)
    assert {plan["cost"] for plan in close} == {
        plan["cost"] for plan in plans if plan["bound"] <= cheapest
    }
    looked_at = run.nodes("improve")
    assert len(looked_at) == len(close) > 0
    for node, rough in zip(looked_at, close, strict=True):
        expected = TaskStatus.SUCCESS if depots.gap(rough) > 0.01 else TaskStatus.SKIPPED
        assert node.status is expected
        if node.succeeded:
            assert node.result["scenario"] == rough["scenario"]
            assert node.result["cost"] <= rough["cost"]
            assert depots.gap(node.result) <= 0.005 + 1e-9
    chosen = run.get_result("choose")
    improved = [node.result for node in looked_at if node.succeeded]
    assert chosen[0]["cost"] == min(plan["cost"] for plan in [*plans, *improved])
    assert len(chosen) == len(plans)


def test_no_closer_look_is_taken_where_rough_answers_are_good_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision, "ENOUGH", 1.0)

    run = few_scenarios(monkeypatch, tmp_path)

    assert {node.status for node in run.nodes("improve")} == {TaskStatus.SKIPPED}
    plans = run.get_result("solve")
    assert run.get_result("choose") == sorted(plans, key=lambda plan: plan["cost"])
    assert run.node("report").succeeded


def test_dear_diesel_makes_every_plan_dearer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cheap, dear = (few_scenarios(monkeypatch, tmp_path, diesel) for diesel in (1.0, 3.0))

    before, after = ([plan["cost"] for plan in run.get_result("solve")] for run in (cheap, dear))
    assert all(one < other for one, other in zip(before, after, strict=True))


@contextmanager
def platform() -> "Iterator[subprocess.Popen[str]]":
    """The platform that is shipped with the examples, beside what follows."""
    with subprocess.Popen(
        [sys.executable, EXAMPLES / "local_platform.py", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        watchdog = threading.Timer(DEADLINE_S, process.kill)
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            process.kill()


def test_a_platform_shows_the_decision(decided: Decided) -> None:
    ended = ", ".join(f"{name} SUCCESS" for name in STEPS)
    assert decided.line == f"Decision 1 ended SUCCESS: {ended}"
    assert "<h2>Decision 1: SUCCESS</h2>" in decided.page
    assert re.search(r"<td>1_choose_1</td>.*?<td>1_solve_1, 1_improve_1</td>", decided.page)
