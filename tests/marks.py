"""Which tests carry a marker that names things, as `@pytest.mark.rule("S21")` names a rule.

Read from the source of every test; nothing is run or imported.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
_OWN_WORDS = re.compile(r"^test_(f\d\d_)?")


class Proof(NamedTuple):
    """One test, and what its marker names."""

    path: str
    test: str
    named: tuple[str, ...]

    @property
    def sentence(self) -> str:
        words = _OWN_WORDS.sub("", self.test).removeprefix("Test").replace("_", " ")
        return words[:1].upper() + words[1:]


def proofs(mark: str) -> list[Proof]:
    """Every test that carries `mark`, by file and in the order of the file."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return [proof for file in files for proof in _proofs_in(file, mark)]


def _proofs_in(file: Path, mark: str) -> Iterator[Proof]:
    module = ast.parse(file.read_text())
    path = file.relative_to(ROOT).as_posix()
    of_all: tuple[str, ...] = ()
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name | ast.Attribute):
            name = ast.unparse(node.targets[0])
            if name == "pytestmark":
                of_all = _named(node.value, mark)
            elif name.endswith(".pytestmark") and (marked := _named(node.value, mark)):
                # A state machine of Hypothesis: the test is what its class is called here.
                yield Proof(path, name.removesuffix(".pytestmark"), marked)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            found = [name for decorator in node.decorator_list for name in _named(decorator, mark)]
            named = tuple(dict.fromkeys([*of_all, *found]))
            if named:
                yield Proof(path, node.name, named)


def _named(expression: ast.expr, mark: str) -> tuple[str, ...]:
    """What a marker, or a list of markers, names."""
    return tuple(
        argument.value
        for call in ast.walk(expression)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == f"pytest.mark.{mark}"
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    )
