"""No write without a point, no point twice, and none that a test does not go through."""

import ast
from collections import Counter
from pathlib import Path

import tales

from eventflow import crashpoints
from eventflow.crashpoints import COMMITS, OTHERS, POINTS, Action

SOURCE = Path(crashpoints.__file__).parent


def test_every_point_is_gone_through_with_every_action_or_excused() -> None:
    assert Counter(point for points in tales.GROUPS for point in points) == dict.fromkeys(POINTS, 1)
    assert tales.EXCUSED.keys() <= {f"{point}:{action}" for point in POINTS for action in Action}
    assert set(tales.cases(POINTS)) | tales.EXCUSED.keys() == {
        f"{point}:{action}" for point in POINTS for action in Action
    }


def test_every_point_stands_once_where_it_says() -> None:
    found = Counter(
        call.args[0].value
        for path in SOURCE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "reach"
        and isinstance(call.args[0], ast.Constant)
    )

    assert found == dict.fromkeys(OTHERS, 1)


def test_nothing_is_committed_outside_of_a_point() -> None:
    """Every transaction is the writer's, which has a point around each, or the schema's."""
    ends = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        for text in ast.walk(ast.parse(path.read_text()))
        if isinstance(text, ast.Constant) and text.value == "COMMIT"
    }
    commits = [
        path.name
        for path in SOURCE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Attribute) and call.attr == "commit"
        if "store" in path.parts and "memory" not in path.name
    ]
    written = {
        call.args[0].value
        for path in SOURCE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "do"
        and isinstance(call.args[0], ast.Constant)
    }

    assert ends == {"store/writer.py", "store/schema.py"}
    assert commits == []
    assert written == set(COMMITS)
