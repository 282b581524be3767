"""Importing users' files, and keeping their sources (S41)."""

import json
import os
import sys
import threading
from pathlib import Path

import pytest

from eventflow.errors import LoadError
from eventflow.executors.code import copy_sources, load_workflows

HEAD = "from eventflow.model.workflow import Workflow\n"


def write(folder: Path, **files: str) -> Path:
    """Write `name="text"` as `name.py`; returns the path of `flow.py`."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "flow.py"


def test_every_top_level_workflow_once_in_order(tmp_path: Path) -> None:
    path = write(tmp_path, flow=HEAD + "b = Workflow('b')\na = Workflow('a')\nagain = b\n_ = [b]")

    assert [workflow.name for workflow in load_workflows(path)] == ["b", "a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = (", "flow.py:1: SyntaxError: '(' was never closed"),
        ("x = 1\n\nraise ValueError('two\\nlines')", "flow.py:3: ValueError: two lines"),
        ("import sys\nsys.exit(3)", "flow.py:2: SystemExit: exit code 3"),
        ("import sys\nsys.exit()", "flow.py:2: SystemExit: exit code 0"),
        ("import nowhere_at_all", "flow.py:1: ModuleNotFoundError: No module named"),
        ("import json\njson.loads('{')", "flow.py:2: JSONDecodeError"),
        ("x = 1", "flow.py: holds no workflow"),
        ("\0", "source code string cannot contain null bytes"),
        ("import other", "other.py:2: ZeroDivisionError"),
        ("import torn", "torn.py:1: SyntaxError"),
    ],
)
def test_a_file_that_does_not_load_says_where_and_why_in_one_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = write(tmp_path, flow=text, other="x = 0\n1 / x", torn="def")

    with pytest.raises(LoadError) as caught:
        load_workflows(path)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"), [("none.py", "there is no such file"), ("flow.txt", "ends in .py")]
)
def test_other_paths_are_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "flow.txt").touch()

    with pytest.raises(LoadError, match=message):
        load_workflows(tmp_path / name)


def test_two_snapshots_of_a_file_have_siblings_of_their_own(tmp_path: Path) -> None:
    text = HEAD + "import names\nfrom parts.more import MORE\nw = Workflow(names.NAME + MORE)"
    flows = [
        write(
            tmp_path / name,
            flow=text,
            names=f"NAME = {name!r}",
            parts__more="MORE = '_x'",
        )
        for name in ("one", "two")
    ]
    before, path = dict(sys.modules), list(sys.path)

    loaded = [load_workflows(flow, module_name=f"kept_{n}")[0] for n, flow in enumerate(flows)]

    assert [workflow.name for workflow in loaded] == ["one_x", "two_x"]
    assert sys.path == path
    assert set(sys.modules) - set(before) == {"kept_0", "kept_1"}
    assert sys.modules.pop("kept_0").__name__ == sys.modules.pop("kept_1").__name__ == "flow"


def test_a_sibling_goes_before_a_module_of_that_name_which_is_put_back(tmp_path: Path) -> None:
    other = type(sys)("names")
    sys.modules["names"] = other
    try:
        path = write(tmp_path, flow=HEAD + "import names\nw = Workflow(names.N)", names="N = 'w'")

        assert load_workflows(path)[0].name == "w"
        assert sys.modules["names"] is other
    finally:
        del sys.modules["names"]


def test_a_file_named_like_a_standard_module_does_not_take_its_place(tmp_path: Path) -> None:
    path = write(tmp_path, json=HEAD + "import random\nw = Workflow('w')")

    load_workflows(path.with_name("json.py"))

    assert sys.modules["json"] is json


def test_a_change_within_the_same_second_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    for name in ("one", "two", "six"):
        path = write(tmp_path, flow=HEAD + f"w = Workflow('{name}')")
        os.utime(path, (1e9, 1e9))

        assert load_workflows(path)[0].name == name


def test_a_failed_import_leaves_nothing_behind(tmp_path: Path) -> None:
    path = write(tmp_path, flow="import names\nraise ValueError", names="")
    before, places = set(sys.modules), list(sys.path)

    with pytest.raises(LoadError):
        load_workflows(path)

    assert set(sys.modules) == before
    assert sys.path == places


@pytest.mark.rule("S41")
def test_sources_are_copied_by_content_for_the_owner_only(tmp_path: Path) -> None:
    here = tmp_path / "project"
    write(here, flow="a", parts__deep__more="b")
    write(here, **{".hidden__x": "c", "venv__lib__y": "d"})
    (here / "__pycache__").mkdir()
    (here / "__pycache__" / "z.py").touch()
    (here / "venv" / "pyvenv.cfg").touch()
    (here / "data.csv").write_text("no source")
    into = here / "store.db.files" / "snapshots"

    name, folder = copy_sources(here / "flow.py", into)
    again = copy_sources(here / "flow.py", into)

    assert again == (name, folder) == (folder.name, into / name)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {"flow.py", "parts/deep/more.py"}
    assert (folder / "parts/deep/more.py").read_text() == "b"
    for path in [folder, *folder.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0


@pytest.mark.rule("S41")
def test_another_content_is_another_snapshot_and_the_same_is_not_written_again(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "p", flow="a")
    first = copy_sources(path, tmp_path / "into")
    (first.folder / "touched").touch()

    write(tmp_path / "p", flow="b")
    second = copy_sources(path, tmp_path / "into")
    write(tmp_path / "p", flow="a")
    third = copy_sources(path, tmp_path / "into")

    assert second.hash != first.hash
    assert third == first
    assert (first.folder / "touched").exists()


def test_two_copies_at_once_are_one(tmp_path: Path) -> None:
    path = write(tmp_path / "p", **{f"m{n}": str(n) for n in range(50)}, flow="a")
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: found.append(copy_sources(path, tmp_path / "into")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(found)) == 1
    assert len([entry for entry in (tmp_path / "into").iterdir() if entry.is_dir()]) == 1


def test_too_much_source_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "many", flow="")
    for number in range(2_001):
        (tmp_path / "many" / f"m{number}.py").touch()
    large = write(tmp_path / "large", flow="#" * (50 * 1024 * 1024 + 1))

    for entry in (path, large):
        with pytest.raises(LoadError, match="folder of its own"):
            copy_sources(entry, tmp_path / "into")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="no such Python file"):
        copy_sources(tmp_path / "flow.py", tmp_path / "into")
