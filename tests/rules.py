"""Which tests prove which rule, as docs/rules.md says; `make rules` writes it.

Read from the `@pytest.mark.rule("S21")` of every test and from the rules of docs/semantics.md.
`test_rules.py` fails while the page is not what this would write.
"""

import re

from tests.marks import ROOT, proofs

PAGE = ROOT / "docs" / "rules.md"

# Rules without a test, and why; a rule that gets a test leaves this list.
NOT_BUILT: dict[str, str] = {}

_HEAD = """# Rules and their tests

Each rule of [semantics.md](semantics.md), by its first sentence, and the tests that prove it. Made
by `make rules` from the `@pytest.mark.rule(...)` of the tests: change those, not this page.
"""
_RULE = re.compile(r"- \*\*(S\d+)\*\* (.*?)(?=\n- \*\*S\d|\n## |\Z)", re.DOTALL)
_SENTENCE = re.compile(r".*?[.:](?=\s|$)")


def first_sentences() -> dict[str, str]:
    """Rule -> the first sentence of its text."""
    text = (ROOT / "docs" / "semantics.md").read_text()
    return {rule: _first_sentence(" ".join(said.split())) for rule, said in _RULE.findall(text)}


def page() -> str:
    """The text of docs/rules.md."""
    found = proofs("rule")
    parts = [_HEAD]
    for rule, sentence in first_sentences().items():
        parts.append(f"\n## {rule}\n\n{sentence}\n\n")
        tests = [proof for proof in found if rule in proof.named]
        parts += [f"- [{proof.sentence}](../{proof.path})\n" for proof in tests]
        if not tests:
            parts.append(f"No test: {NOT_BUILT.get(rule, 'it is missing')}.\n")
    return "".join(parts)


def _first_sentence(said: str) -> str:
    found = _SENTENCE.match(said)
    sentence = found[0] if found is not None else said
    return sentence[:-1] + "." if sentence.endswith(":") else sentence


if __name__ == "__main__":
    PAGE.write_text(page())
