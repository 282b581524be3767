"""Names that mean something to Mermaid, Graphviz, XML or a reader, graphs with them, and readers of
what is drawn: each takes the text apart by the grammar that it has to have, and gives the graph.
"""

import re
from dataclasses import dataclass
from xml.etree import ElementTree

from hypothesis import strategies as st

from eventflow import TaskStatus, Workflow
from eventflow.model.graph import Edge, Graph, Kind, Link, Node, Progress
from eventflow.model.plaintext import one_line
from eventflow.model.records import ItemCounts

RESERVED = ["end", "graph", "subgraph", "flowchart", "style", "linkStyle", "classDef", "class"]
RESERVED += ["click", "call", "href", "default", "direction", "interpolate", "node", "edge"]
RESERVED += ["digraph", "strict", "x--o", "o--", "__proto__", "constructor", "toString"]
HOSTILE = [
    'say "hi"',
    "`tick`",
    "a;b",
    "#35;",
    "#quot;",
    "&quot; &#60;",
    "<script>alert(1)</script>",
    "</title></style></svg><img src=x onerror=alert(1)>",
    "<!--",
    "]]>",
    "javascript:alert(1)",
    "%%{init: {'theme': 'dark'}}%%",
    "---",
    "back\\",
    '\\"',
    "\\N\\l\\G",
    "{a} [b] (c) |d|",
    "event.value.amount >= 1000.0 && !(x == 'a;b')",
    "1. first",
    "- item",
    "# head",
    "**bold** _it_ __x__",
    "$$x^2$$",
    "fa:fa-bug",
    "https://example.org/?a=1&b=2",
    "@{ shape: rect }",
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe",
    "\N{GRINNING FACE} \N{CJK UNIFIED IDEOGRAPH-65E5}\N{CJK UNIFIED IDEOGRAPH-672C}",
    "\x00\x07\x1b[31m",
    "\ud800",
    "\ufffe",
    "two\nlines\r\n",
    " ",
    "",
    "long" * 500,
]
# It keeps apart what Mermaid would make something else of; names have none, it is shown as "?".
NO_ROOM = "\N{WORD JOINER}"
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
LABELS = st.sampled_from([*RESERVED, *HOSTILE]) | ANY_TEXT
PROGRESS = st.builds(
    Progress,
    st.none() | st.sampled_from(TaskStatus),
    st.none()
    | st.dictionaries(st.sampled_from(TaskStatus), st.integers(0, 99)).map(
        lambda counts: ItemCounts(total=1000, by_status=counts)
    ),
)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Graphs with any labels, ids and lines, as a user's own might be."""
    ids = draw(st.lists(LABELS, min_size=1, max_size=5, unique=True))
    nodes = [
        Node(
            one,
            draw(st.sampled_from(Kind)),
            draw(LABELS),
            tuple(draw(st.lists(LABELS, max_size=2))),
            draw(st.booleans()),
            draw(st.none() | PROGRESS),
        )
        for one in ids
    ]
    ends = st.tuples(st.sampled_from(ids), st.sampled_from(ids))
    edges = [
        Edge(
            *pair,
            tuple(draw(st.lists(LABELS, max_size=2))),
            draw(st.sampled_from(Link)),
            draw(st.booleans()),
        )
        for pair in draw(st.lists(ends, max_size=6, unique=True))
    ]
    return Graph(draw(LABELS), draw(LABELS), tuple(nodes), tuple(edges), draw(LABELS))


def standing(workflow: Workflow, stands: dict[str, Progress]) -> Graph:
    """The graph of a workflow in an execution that stands so."""
    return workflow.to_graph().with_progress(stands, "execution 7 RUNNING")


@dataclass(frozen=True)
class Read:
    """What a reader made of a picture: the lines of each node, and the edges with theirs."""

    nodes: dict[str, list[str]]
    edges: list[tuple[str, str, list[str]]]


def meant(graph: Graph, empty: str = "") -> Read:
    """What a reader has to find: `empty` is what stands for a line with nothing in it."""

    def lines(texts: tuple[str, ...]) -> list[str]:
        return [one_line(text) or empty for text in texts]

    ids = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    return Read(
        {
            ids[node.id]: lines(
                (node.label, *node.notes, *(node.progress.words if node.progress else ()))
            )
            for node in graph.nodes
        },
        [(ids[edge.source], ids[edge.target], lines(edge.labels)) for edge in graph.edges],
    )


_QUOTED = r'"((?:[A-Za-z0-9 _.,()+/-]|<br/>|#\d+;)*)"'
_SHAPES = [
    (r"\[", r"\]"),
    (r"\[\[", r"\]\]"),
    (r"\(\[", r"\]\)"),
    (r"\(\(", r"\)\)"),
    (r"\{\{", r"\}\}"),
    (r"\[/", r"/\]"),
    (r"\[/", r"\\\]"),
]
_NODES = [re.compile(rf"    (n\d+){left}{_QUOTED}{right}") for left, right in _SHAPES]
_EDGE = re.compile(rf"    (n\d+) (?:-->|-\.->|==>)(?:\|{_QUOTED}\|)? (n\d+)")
_CLASS = re.compile(
    r"    (?:classDef (?P<style>Is[A-Z][a-z]+) stroke-width:[\d.]+px(?:,stroke-dasharray:\d+)?"
    r"|class n\d+(?:,n\d+)* (?P<of>Is[A-Z][a-z]+))"
)


def read_mermaid(text: str, *, keep: bool = False) -> Read:
    """Mermaid's flowchart, as far as pictures use it; with what keeps letters apart or without."""
    text = text if keep else text.replace(f"#{ord(NO_ROOM)};", "")
    first, *lines = text.removesuffix("\n").split("\n")
    assert first == "flowchart LR"
    read, styles = Read({}, []), set()
    for line in lines:
        node = next((found for one in _NODES if (found := one.fullmatch(line))), None)
        if node:
            read.nodes[node[1]] = _numbered(node[2])
        elif edge := _EDGE.fullmatch(line):
            assert {edge[1], edge[3]} <= set(read.nodes)
            read.edges.append((edge[1], edge[3], _numbered(edge[2]) if edge[2] else []))
        else:
            style = _CLASS.fullmatch(line)
            assert style, f"no line of a flowchart: {line!r}"
            styles.add(style["style"])
            assert style["of"] is None or style["of"] in styles
    return read


def _numbered(label: str) -> list[str]:
    return [
        re.sub(r"#(\d+);", lambda found: chr(int(found[1])), line) for line in label.split("<br/>")
    ]


_STRING = r'"((?:[^"\\\n&]|\\["\\n]|&amp;)*)"'
_BARE = r"(?: [a-z]+=(?:[A-Za-z0-9.]+|\"[0-9.,]+\"))*"
_DOT_NODE = re.compile(rf"  (n\d+) \[label={_STRING}{_BARE}\]")
_DOT_EDGE = re.compile(rf"  (n\d+) -> (n\d+) \[(?:label={_STRING})?{_BARE}\]")


def read_dot(text: str) -> Read:
    """The language of Graphviz, as far as pictures use it."""
    first, *lines, last = text.removesuffix("\n").split("\n")
    assert re.fullmatch(rf"digraph {_STRING} \{{", first)
    assert last == "}"
    read = Read({}, [])
    for line in lines[4:]:
        if node := _DOT_NODE.fullmatch(line):
            read.nodes[node[1]] = _escaped(node[2])
        else:
            edge = _DOT_EDGE.fullmatch(line)
            assert edge, f"no line of a digraph: {line!r}"
            assert {edge[1], edge[2]} <= set(read.nodes)
            read.edges.append((edge[1], edge[2], _escaped(edge[3]) if edge[3] else []))
    return read


def _escaped(label: str) -> list[str]:
    broken = re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], label)
    return broken.replace("&amp;", "&").split("\n")


def svg(text: str) -> ElementTree.Element:
    """An SVG document without anything that runs or is loaded."""
    root = ElementTree.fromstring(text.encode())  # noqa: S314  drawn by us
    for element in root.iter():
        assert element.tag.removeprefix("{http://www.w3.org/2000/svg}") in _TAGS
        assert set(element.attrib) <= _ATTRIBUTES
        for value in element.attrib.values():
            assert re.fullmatch(r"[A-Za-z0-9 .,:;-]*", value), value
    (style,) = root.iter("{http://www.w3.org/2000/svg}style")
    assert style.text
    assert not re.search(r"url|@import|expression|//", style.text)
    return root


_TAGS = {"svg", "title", "desc", "style", "rect", "circle", "polygon", "path", "text", "g"}
# No id, which a page might have too, and no link.
_ATTRIBUTES = {"class", "role", "width", "height", "viewBox", "style"}
_ATTRIBUTES |= {"x", "y", "rx", "cx", "cy", "r", "d", "points"}
