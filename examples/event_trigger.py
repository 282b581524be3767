"""A task of one workflow starts another workflow by an event.

    eventflow run examples/event_trigger.py:nightly

`fetch` emits `orders.arrived` to all, and each such event starts an execution of `billing`, which
reads the event's value. Prints, in the tasks' logs:

    2 orders to bill
    billed 42

The event may as well come from another shell, or from another program:

    eventflow serve examples/event_trigger.py
    eventflow emit orders.arrived '{"orders": [40, 2]}'
"""

from eventflow import PythonOperator, Workflow, current_context


def fetch() -> None:
    # An event of a task is for its own execution only, unless it is broadcast.
    current_context().emit("orders.arrived", {"orders": [40, 2]}, broadcast=True)


def read_orders() -> list[int]:
    orders = current_context().workflow_execution.trigger_event.value["orders"]
    print(f"{len(orders)} orders to bill")
    return orders


def bill(orders: list[int]) -> int:
    print(f"billed {sum(orders)}")
    return sum(orders)


with Workflow("nightly") as nightly:
    PythonOperator("fetch", fetch)

with Workflow("billing") as billing:
    orders = PythonOperator("read_orders", read_orders)
    PythonOperator("bill", bill, [orders.output])

billing.trigger_on_event("orders.arrived")
