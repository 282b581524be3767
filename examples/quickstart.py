"""Two tasks side by side, one that waits for both, and one that an event starts.

    eventflow run examples/quickstart.py

`apples` and `pears` begin at once. `basket` starts when both have succeeded, and takes their
results; it emits the event `basket.full`, and that starts `market`. Prints, in the tasks' logs:

    picked 3 apples
    picked 4 pears
    7 fruits in the basket
    sold 7 fruits
"""

from eventflow import PythonOperator, TaskAction, Workflow, current_context


def pick(fruit: str, count: int) -> int:
    print(f"picked {count} {fruit}")
    return count


def fill(*counts: int) -> None:
    fruits = sum(counts)
    print(f"{fruits} fruits in the basket")
    current_context().emit("basket.full", {"fruits": fruits})


def sell() -> None:
    event = current_context().trigger_event
    print(f"sold {event.value['fruits']} fruits")


with Workflow("quickstart") as workflow:
    apples = PythonOperator("apples", pick, ["apples", 3])
    pears = PythonOperator("pears", pick, ["pears", 4])
    basket = PythonOperator("basket", fill, [apples.output, pears.output])
    market = PythonOperator("market", sell)

    basket.start_after([apples, pears])
    market.action_on_event_received(TaskAction.START, "basket.full")
