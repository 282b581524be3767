"""Which tests prove which rule: `make rules`, or `python -m tests.rules`, writes docs/rules.md.

Read from the `@pytest.mark.rule("S21")` of every test and from the rules of docs/semantics.md;
nothing is run or imported. `test_rules.py` fails while the page is not what this would write.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "rules.md"

# Rules without a test, and why; a rule that gets a test leaves this list.
NOT_BUILT: dict[str, str] = {}

_HEAD = """# Rules and their tests

Each rule of [semantics.md](semantics.md), by its first sentence, and the tests that prove it. Made
by `make rules` from the `@pytest.mark.rule(...)` of the tests: change those, not this page.
"""
_RULE = re.compile(r"- \*\*(S\d+)\*\* (.*?)(?=\n- \*\*S\d|\n## |\Z)", re.DOTALL)
_SENTENCE = re.compile(r".*?[.:](?=\s|$)")


class Proof(NamedTuple):
    """One test, and the rules that it names."""

    path: str
    test: str
    rules: tuple[str, ...]

    @property
    def sentence(self) -> str:
        words = self.test.removeprefix("test_").removeprefix("Test").replace("_", " ")
        return words[:1].upper() + words[1:]


def first_sentences() -> dict[str, str]:
    """Rule -> the first sentence of its text."""
    text = (ROOT / "docs" / "semantics.md").read_text()
    return {rule: _first_sentence(" ".join(said.split())) for rule, said in _RULE.findall(text)}


def proofs() -> list[Proof]:
    """Every test that names a rule, by file and in the order of the file."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return [proof for file in files for proof in _proofs_in(file)]


def page() -> str:
    """The text of docs/rules.md."""
    found = proofs()
    parts = [_HEAD]
    for rule, sentence in first_sentences().items():
        parts.append(f"\n## {rule}\n\n{sentence}\n\n")
        tests = [proof for proof in found if rule in proof.rules]
        parts += [f"- [{proof.sentence}](../{proof.path})\n" for proof in tests]
        if not tests:
            parts.append(f"No test: {NOT_BUILT.get(rule, 'it is missing')}.\n")
    return "".join(parts)


def _first_sentence(said: str) -> str:
    found = _SENTENCE.match(said)
    sentence = found[0] if found is not None else said
    return sentence[:-1] + "." if sentence.endswith(":") else sentence


def _proofs_in(file: Path) -> Iterator[Proof]:
    module = ast.parse(file.read_text())
    path = file.relative_to(ROOT).as_posix()
    of_all: tuple[str, ...] = ()
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name | ast.Attribute):
            name = ast.unparse(node.targets[0])
            if name == "pytestmark":
                of_all = _named(node.value)
            elif name.endswith(".pytestmark"):
                # A state machine of Hypothesis: the test is what its class is called here.
                yield Proof(path, name.removesuffix(".pytestmark"), _named(node.value))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            named = [rule for decorator in node.decorator_list for rule in _named(decorator)]
            rules = tuple(dict.fromkeys([*of_all, *named]))
            if rules:
                yield Proof(path, node.name, rules)


def _named(expression: ast.expr) -> tuple[str, ...]:
    """The rules that a marker, or a list of markers, names."""
    return tuple(
        argument.value
        for call in ast.walk(expression)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.rule"
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    )


if __name__ == "__main__":
    PAGE.write_text(page())
