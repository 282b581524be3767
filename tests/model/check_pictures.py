"""Mermaid's own parser and Graphviz itself read what is drawn: `make test-pictures`.

Not among the default tests: it needs Node.js with npm, which fetches the parser into build/, and
the program `dot`. What stands there may be read by no one else: both have to find the very labels.
"""

import json
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from picture_kit import HOSTILE, RESERVED, Read, graphs, meant

from eventflow.model.dot import to_dot
from eventflow.model.graph import Edge, Graph, Kind, Node
from eventflow.model.mermaid import to_mermaid

PLACE = Path(__file__).parents[2] / "build" / "pictures"
READER = Path(__file__).with_name("mermaid_reader.mjs")
PACKAGES = ("mermaid@11.17.2", "jsdom@29.1.1")
RANDOM = 300
SVG = "{http://www.w3.org/2000/svg}"


def drawn() -> list[Graph]:
    """A graph for each word and each hostile text, in every place, and some at random."""
    found = [
        Graph(
            text,
            text,
            (
                *(Node(f"{text} {kind}", kind, text, (text,)) for kind in Kind),
                Node(text, Kind.TASK, text, mapped=True),
            ),
            (Edge(text, f"{text} task", (text, text)),),
        )
        for text in [*RESERVED, *HOSTILE]
    ]

    @settings(
        max_examples=RANDOM,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(graphs())
    def gather(graph: Graph) -> None:
        found.append(graph)

    gather()
    return found


def program(name: str, package: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.fail(
            f"{name} is missing; install {package}, as apt-get install {package}", pytrace=False
        )
    return path


@pytest.fixture(scope="module")
def node() -> str:
    """The program, after its packages are where it looks for them."""
    node, npm = program("node", "nodejs"), program("npm", "npm")
    PLACE.mkdir(parents=True, exist_ok=True)
    if not all((PLACE / "node_modules" / one.partition("@")[0]).is_dir() for one in PACKAGES):
        install = [npm, "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(
            [*install, "--prefix", PLACE, *PACKAGES], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.fail(f"npm cannot install {' '.join(PACKAGES)}: {done.stderr}", pytrace=False)
    # A module looks for others beside itself.
    shutil.copy(READER, PLACE)
    return node


def read_by_mermaid(node: str, texts: list[str]) -> list[dict[str, object]]:
    done = subprocess.run(
        [node, PLACE / READER.name],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"Mermaid's parser cannot be run: {done.stderr}", pytrace=False)
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


def test_mermaids_own_parser_finds_the_very_nodes_labels_and_edges(node: str) -> None:
    pictures = drawn()

    answers = read_by_mermaid(node, [to_mermaid(one) for one in pictures])

    assert len(answers) == len(pictures) > RANDOM
    for graph, answer in zip(pictures, answers, strict=True):
        wanted = meant(graph, empty=" ")
        assert answer == {
            "nodes": [list(one) for one in wanted.nodes.items()],
            "edges": [list(one) for one in wanted.edges],
        }, to_mermaid(graph)


def test_the_check_itself_sees_what_is_not_valid(node: str) -> None:
    bad = ["flowchart LR\n    end(end)\n", 'flowchart LR\n    n0["a"]\n    n0 --> graph\n']

    assert all("error" in answer for answer in read_by_mermaid(node, bad))


def test_graphviz_draws_the_very_nodes_labels_and_edges(tmp_path: Path) -> None:
    dot = program("dot", "graphviz")
    pictures = drawn()
    for number, graph in enumerate(pictures):
        (tmp_path / f"{number}.dot").write_text(to_dot(graph), encoding="utf-8")

    done = subprocess.run(
        [dot, "-Tsvg", "-O", *sorted(tmp_path.glob("*.dot"))],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    for number, graph in enumerate(pictures):
        tree = ElementTree.parse(tmp_path / f"{number}.dot.svg")  # noqa: S314  drawn by Graphviz
        assert read_graphviz(tree.getroot()) == spaced(meant(graph)), to_dot(graph)


def read_graphviz(root: ElementTree.Element) -> Read:
    read = Read({}, [])
    for group in root.iter(f"{SVG}g"):
        name = group.findtext(f"{SVG}title") or ""
        lines = [one.text or "" for one in group.iter(f"{SVG}text")]
        if group.get("class") == "node":
            read.nodes[name] = lines
        elif group.get("class") == "edge":
            source, _, target = name.partition("->")
            read.edges.append((source, target, lines))
    return spaced(read)


def spaced(read: Read) -> Read:
    """Without empty lines, which Graphviz draws as nothing, and in one order."""

    def lines(texts: list[str]) -> list[str]:
        return [text for text in texts if text.strip()]

    return Read(
        {name: lines(texts) for name, texts in read.nodes.items()},
        sorted((source, target, lines(texts)) for source, target, texts in read.edges),
    )
