"""`eventflow workflow graph`: every format, how an execution stands, and the browser."""

import json
import re
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import pytest
from cli_shell import Shell


@pytest.fixture
def ran(shell: Shell) -> Shell:
    """A store in which `good` has succeeded as execution 1 and `bad` failed as 2."""
    shell("run", "good.py", "--executor", "threads")
    shell("run", "bad.py", "--executor", "threads")
    return shell


@pytest.fixture
def browser(shell: Shell) -> Path:
    """Where the browser that `BROWSER` names writes down what it is to open."""
    seen = shell.folder / "opened"
    script = shell.folder / "browser"
    script.write_text(f'#!/bin/sh\nprintf %s "$1" > {seen}\n')
    script.chmod(0o700)
    shell.environment |= {"BROWSER": str(script), "TMPDIR": str(shell.folder)}
    return seen


def path_of(seen: Path) -> Path:
    """The file that the browser was to open."""
    address = urlsplit(seen.read_text())
    assert address.scheme == "file"
    return Path(unquote(address.path))


def test_dot_and_json_are_the_same_of_a_file_and_of_a_store(ran: Shell) -> None:
    for form, begin in (("dot", 'digraph "good" {'), ("json", '{\n  "format": "eventflow.graph"')):
        of_store = ran("workflow", "graph", "good", "--format", form)
        of_file = ran("workflow", "graph", "good.py", "--format", form)
        assert of_store.returncode == 0, of_store.stderr
        assert of_store.stdout.startswith(begin)
        assert of_store.stdout == of_file.stdout


def test_how_an_execution_stands_is_in_every_format(ran: Shell) -> None:
    for form in ("text", "mermaid", "svg", "dot"):
        drawn = ran("workflow", "graph", "bad", "--execution", 2, "--format", form)
        assert "execution 2 FAILED" in drawn.stdout or form == "mermaid"
        assert " FAILED" in drawn.stdout
    of_file = ran("workflow", "graph", "bad.py", "--execution", 2, "--format", "json")
    told = json.loads(of_file.stdout)
    assert [(one["label"], one["status"]) for one in told["nodes"]] == [("fails", "FAILED")]


def test_a_file_that_lost_and_got_tasks_is_drawn_with_what_it_has(ran: Shell) -> None:
    file = ran.folder / "good.py"
    file.write_text(file.read_text().replace('"second"', '"other"'))

    told = json.loads(
        ran("workflow", "graph", "good.py", "--execution", 1, "--format", "json").stdout
    )

    assert {one["label"]: one["status"] for one in told["nodes"]} == {
        "first": "SUCCESS",
        "other": None,
    }


def test_a_picture_that_cannot_be_is_refused(ran: Shell) -> None:
    other = "execution 1 is of workflow 'good' of namespace 'default'"
    several = "two.py defines several workflows; name one, as two.py:NAME"
    for arguments, told in (
        ("bad --execution 1", f"{other}, not of workflow 'bad'"),
        ("bad.py --execution 1", f"{other}, not of bad.py"),
        ("good --execution 9", "no workflow execution 9"),
        ("two.py --format mermaid", several),
        ("two.py --format json", several),
        ("good --open --format dot", "--open shows an SVG; leave out --format dot"),
    ):
        done = ran("workflow", "graph", *arguments.split())

        assert done.returncode == 2
        assert told in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_open_shows_a_page_that_holds_all_it_needs_in_a_folder_of_its_owner(
    ran: Shell, browser: Path
) -> None:
    done = ran("workflow", "graph", "good", "--execution", 1, "--open")

    page = path_of(browser)
    assert (done.returncode, done.stdout) == (0, f"opened {page}\n"), done.stderr
    assert page.parent.parent == ran.folder
    assert stat.S_IMODE(page.parent.stat().st_mode) == 0o700
    text = page.read_text()
    assert "default-src 'none'" in text
    assert "<script" not in text
    assert "https://" not in text
    assert text.count("http://") == text.count('xmlns="http://www.w3.org/2000/svg"')
    assert len(re.findall(r'class="status[^>]*>. SUCCESS</text>', text)) == 2
    drawn = text[text.index("<svg") : text.index("</body>")]
    assert ElementTree.fromstring(drawn).tag.endswith("svg")  # noqa: S314  drawn by us


def test_open_shows_the_file_that_was_chosen(shell: Shell, browser: Path) -> None:
    done = shell("workflow", "graph", "good.py", "--open", "--output", "my picture.svg")

    assert done.returncode == 0, done.stderr
    assert path_of(browser) == shell.folder / "my picture.svg"
    assert (
        path_of(browser).read_text()
        == shell("workflow", "graph", "good.py", "--format", "svg").stdout
    )


def test_without_a_browser_the_picture_is_kept_and_its_place_told(shell: Shell) -> None:
    shell.environment = {
        name: value
        for name, value in shell.environment.items()
        if name not in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_CURRENT_DESKTOP")
    }

    done = shell(
        "workflow", "graph", "good.py", "--open", "-o", "kept.svg", PATH="", BROWSER="none"
    )

    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "eventflow: no browser could be started, set BROWSER to the command of one; the picture is "
        "in kept.svg"
    ]
    assert (shell.folder / "kept.svg").read_text().startswith("<svg ")
