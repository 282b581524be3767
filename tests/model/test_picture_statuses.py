"""How tasks stand, in pictures: by sign, word and border, for everyone who looks or listens."""

import json
import re
from itertools import combinations
from xml.etree import ElementTree

import pytest
from picture_kit import read_dot, read_mermaid, standing, svg

from eventflow import BashOperator, PythonOperator, TaskStatus, Workflow
from eventflow.model.dot import to_dot
from eventflow.model.graph import BORDERS, SIGNS, Edge, Graph, Kind, Link, Node, Progress
from eventflow.model.graphjson import to_json
from eventflow.model.mermaid import to_mermaid
from eventflow.model.picture import to_text
from eventflow.model.pictured import Pictured
from eventflow.model.records import ItemCounts
from eventflow.model.svg import DARK, LIGHT, NAME, to_svg

ALL = [None, *TaskStatus]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def one_of_each() -> Workflow:
    """A task for each status, and one more, called `waits`."""
    with Workflow("each") as workflow:
        for status in TaskStatus:
            BashOperator(status.value.lower(), bash_command="true")
        BashOperator("waits", bash_command="true")
    return workflow


STANDS = {status.value.lower(): Progress(status) for status in TaskStatus}


def boxes(root: ElementTree.Element) -> dict[str, ElementTree.Element]:
    """Name of a task -> its group in an SVG."""
    return {group[0].text.split(",")[0][5:]: group for group in root.iter(f"{SVG}g") if _is(group)}


def _is(group: ElementTree.Element) -> bool:
    return group[0].tag == f"{SVG}title" and (group[0].text or "").startswith("task ")


def test_each_status_has_a_sign_a_word_and_a_border_of_its_own() -> None:
    assert len({SIGNS[status] for status in ALL}) == len(ALL)
    assert len({Progress(status).words for status in ALL}) == len(ALL)
    assert len({BORDERS[status] for status in ALL}) == len(ALL)


def test_every_status_is_told_by_word_and_line_in_every_picture(one_of_each: Workflow) -> None:
    mermaid = to_mermaid(standing(one_of_each, STANDS))
    root = boxes(svg(to_svg(standing(one_of_each, STANDS))))
    told = {
        node["label"]: node for node in json.loads(to_json(standing(one_of_each, STANDS)))["nodes"]
    }
    borders = set()
    for status in ALL:
        name = status.value.lower() if status else "waits"
        word = status.value if status else "has not run"
        for read in (read_mermaid(mermaid), read_dot(to_dot(standing(one_of_each, STANDS)))):
            (lines,) = [lines for lines in read.nodes.values() if lines[0] == name]
            assert lines[-1] == f"{SIGNS[status]} {word}"
        texts = [one.text for one in root[name].iter(f"{SVG}text")]
        assert texts[-1] == f"{SIGNS[status]} {word}"
        rectangles = list(root[name].iter(f"{SVG}rect"))
        borders.add((rectangles[0].get("style"), len(rectangles)))
        assert told[name]["status"] == (status.value if status else None)
    assert len(borders) == len(ALL)
    assert len(set(re.findall(r"classDef \w+ (.*)", mermaid))) == len(ALL)


def test_a_picture_of_no_execution_tells_no_status(one_of_each: Workflow) -> None:
    assert "classDef" not in one_of_each.to_mermaid()
    assert (
        "has not run" not in one_of_each.to_svg() + one_of_each.to_dot() + one_of_each.to_mermaid()
    )
    assert {node["status"] for node in json.loads(one_of_each.to_json())["nodes"]} == {None}


@pytest.mark.rule("S43")
def test_a_mapped_task_is_a_stack_that_tells_how_many_items_have_ended() -> None:
    with Workflow("fans") as workflow:
        fan = PythonOperator("fan", python_callable=list)
        solve = PythonOperator("solve", python_callable=print).map(fan.output)
        PythonOperator("each", python_callable=print).map(solve.output)
        PythonOperator("deep", python_callable=print).map(solve.output, nested=True)
        PythonOperator("join", python_callable=print, op_args=[solve.output])
        PythonOperator("late", python_callable=print, op_args=[fan.output.or_none])
        PythonOperator("given", python_callable=print).map(range(12))
    counts = {TaskStatus.SUCCESS: 809, TaskStatus.FAILED: 3, TaskStatus.RUNNING: 8}
    stands = {"solve": Progress(TaskStatus.RUNNING, ItemCounts(total=1000, by_status=counts))}

    told = json.loads(to_json(standing(workflow, stands)))

    nodes = {node["label"]: node for node in told["nodes"] if node["kind"] == "task"}
    assert nodes["solve"]["items"] == {
        "total": 1000,
        "by_status": {"SUCCESS": 809, "FAILED": 3, "RUNNING": 8},
    }
    assert {name: node["notes"][1] for name, node in nodes.items() if node["mapped"]} == {
        "solve": "for each item of fan",
        "each": "for each item of solve",
        "deep": "for each item of solve, each element of solve",
        "given": "for each of 12 items",
    }
    edges = {
        (edge["source"][5:], edge["target"][5:]): (
            edge["kind"],
            edge["labels"][1:],
            edge["optional"],
        )
        for edge in told["edges"]
        if edge["source"].startswith("task:")
    }
    assert edges == {
        ("fan", "solve"): ("map", ["each item"], False),
        ("solve", "each"): ("map", ["each item"], False),
        ("solve", "deep"): ("map", ["each item"], False),
        ("solve", "join"): ("rule", ["all items"], False),
        ("fan", "late"): ("rule", ["output, if any"], True),
    }
    assert 'n1[["solve' in workflow.to_mermaid()
    assert "n0 ==>" in workflow.to_mermaid()
    assert "shape=box3d" in workflow.to_dot()
    drawn = boxes(svg(to_svg(standing(workflow, stands))))
    assert len(list(drawn["solve"].iter(f"{SVG}rect"))) == 3
    assert [one.text for one in drawn["solve"].iter(f"{SVG}text")][-1] == "812/1000 items, 3 failed"
    words = to_text(workflow, {"solve": stands["solve"]}, "execution 7").splitlines()
    assert "  execution 7" in words
    assert "  runs      for each item of fan" in words
    assert "  takes     the output of fan if any" in words
    assert f"  is        {SIGNS[TaskStatus.RUNNING]} RUNNING, 812/1000 items, 3 failed" in words


def test_who_cannot_see_the_svg_is_told_all_of_it() -> None:
    with Workflow("spoken") as workflow:
        a = BashOperator("a", bash_command="true")
        a >> BashOperator("b", bash_command="true")
    counts = {TaskStatus.SUCCESS: 3, TaskStatus.FAILED: 1}
    stands = {"a": Progress(TaskStatus.RUNNING, ItemCounts(total=10, by_status=counts))}

    root = svg(to_svg(standing(workflow, stands)))

    assert root.get("role") == "img"
    assert [child.tag for child in root[:2]] == [f"{SVG}title", f"{SVG}desc"]
    assert root[0].text == "workflow spoken (namespace default), execution 7 RUNNING"
    assert root[1].text == (
        "task a, BashOperator, starts first, RUNNING, 4/10 items, 1 failed. "
        "task b, BashOperator, has not run; after task a (START on SUCCESS)."
    )


class Steps(Pictured):
    """What is no workflow and has a graph all the same."""

    def to_graph(self) -> Graph:
        nodes = (
            Node("step:a", Kind.TASK, "a", progress=Progress(TaskStatus.SUCCESS)),
            Node("step:b", Kind.TASK, "b", ("joins",), mapped=True, progress=Progress()),
        )
        edges = (Edge("step:a", "step:b", ("foreach",), Link.MAP),)
        return Graph("diamond", "", nodes, edges, noun="flow")


def test_whatever_has_a_graph_has_all_the_pictures() -> None:
    steps = Steps()

    assert read_mermaid(steps.to_mermaid()).edges == [("n0", "n1", ["foreach"])]
    assert read_dot(steps.to_dot()).nodes["n1"][:2] == ["b", "joins"]
    assert json.loads(steps.to_json())["nodes"][0]["id"] == "step:a"
    assert svg(steps._repr_html_() or "")[0].text == "flow diamond"


def test_a_notebook_shows_the_svg_whose_style_is_for_itself_only(one_of_each: Workflow) -> None:
    shown = one_of_each._repr_html_()

    assert shown == one_of_each.to_svg()
    style = svg(shown)[2].text or ""
    selectors = [
        one
        for rule in re.findall(r"([^{}]+)\{[^{}]*\}", style.replace("@media", "}@media{"))
        for one in rule.strip().split(", ")
        if not one.startswith("(")
    ]
    assert len(selectors) > 2 * len(LIGHT)
    assert all(one.startswith(f".{NAME} ") for one in selectors)
    with Workflow("huge") as huge:
        for number in range(401):
            BashOperator(f"t{number}", bash_command="true")
    assert huge._repr_html_() is None


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, as WCAG 2 has it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def colours(sheet: dict[str, str], what: str) -> dict[str, str]:
    """Selector -> its fill or stroke."""
    found = {}
    for names, look in sheet.items():
        for value in re.findall(rf"{what}: (#[0-9a-f]{{6}})", look):
            found.update(dict.fromkeys(names.split(", "), value))
    return found


@pytest.mark.parametrize("sheet", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_lines_stand_out_by_wcag_aa_in_light_and_in_dark(sheet: dict[str, str]) -> None:
    assert list(sheet) == list(LIGHT)
    fills, strokes = colours(sheet, "fill"), colours(sheet, "stroke")
    inks = {"text": fills.pop("text"), ".small": fills.pop(".small")}
    lines = {".head": fills.pop(".head"), **strokes}
    for ink, ground in [(ink, ground) for ink in inks for ground in fills]:
        assert contrast(inks[ink], fills[ground]) >= 4.5, (ink, ground)
    for line in lines:
        assert contrast(lines[line], fills[".paper"]) >= 3, line


def test_in_black_and_white_no_two_statuses_look_the_same(one_of_each: Workflow) -> None:
    drawn = boxes(svg(to_svg(standing(one_of_each, STANDS))))

    looks = {}
    for name, group in drawn.items():
        rectangles = [(one.get("style") or "") for one in group.iter(f"{SVG}rect")]
        looks[name] = (rectangles, [one.text for one in group.iter(f"{SVG}text")][-1])
    for one, other in combinations(looks, 2):
        assert looks[one][0] != looks[other][0]
        assert looks[one][1] != looks[other][1]
