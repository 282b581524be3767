"""A picture as a page of its own for a browser: it may load and run nothing, whoever drew it."""

from eventflow.model.graph import Graph
from eventflow.model.plaintext import xml
from eventflow.model.svg import to_svg

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>:root {{ color-scheme: light dark }} body {{ margin: 0 }}</style>
</head>
<body>
{picture}</body>
</html>
"""


def to_page(graph: Graph) -> str:
    """The SVG of a graph in an HTML document that holds everything it needs."""
    return _PAGE.format(title=xml(graph.title), picture=to_svg(graph))
