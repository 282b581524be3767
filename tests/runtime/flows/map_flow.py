"""Maps in processes: items wait for each other by files beside the list of those that ended."""

from pathlib import Path
from typing import Any

from eventflow import PythonOperator, TaskSkipped, Workflow, current_context
from eventflow.model.arguments import Output
from eventflow.model.mapped import Along, Mapped


def _folder() -> Path:
    return Path(current_context().params["folder"])


def numbers() -> list[int]:
    return list(range(current_context().params["count"]))


def from_the_last_to_the_first(number: int) -> dict[str, Any]:
    """Ends when the item behind it has."""
    context, folder = current_context(), _folder()
    is_last = number == context.params["count"] - 1
    while not is_last and not (folder / f"ended-{number + 1}").exists():
        assert not context.wait(0.005)
    with (folder / "order").open("a") as order:
        order.write(f"{number}\n")
    (folder / f"ended-{number}").touch()
    return {"number": number, "index": list(context.index), "item": context.item}


def twice(told: dict[str, Any]) -> list[int]:
    """Fails once for each second item; skips the third."""
    context = current_context()
    context.log.info("about number %s", told["number"])
    if told["number"] == 2:
        raise TaskSkipped("not this one")
    if told["number"] % 2 and context.task_execution.attempt == 1:
        raise RuntimeError("once")
    return [told["number"], told["number"] * 2]


def each(element: int) -> int:
    return -element


def of_one(elements: list[int]) -> int:
    return sum(elements)


def whole(results: list[Any], sums: list[Any]) -> list[Any]:
    return [results, sums]


with Workflow("maps") as workflow:
    first = PythonOperator("first", from_the_last_to_the_first).map(
        PythonOperator("numbers", numbers).output
    )
    second = PythonOperator("second", twice, retries=1).map(first.output)
    third = PythonOperator("third", each).map(second.output.or_none, nested=True)
    sums = PythonOperator("sums", of_one, [Output("third", (0,))]).map(
        Mapped((Along((Output("third"),)),))
    )
    PythonOperator("whole", whole, [second.output, sums.output])
