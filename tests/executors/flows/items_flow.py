"""Mapped tasks whose items look at what they are handed."""

from eventflow import (
    BashOperator,
    CounterStateDescriptor,
    PythonOperator,
    Workflow,
    current_context,
)

ITEMS = ["a b", {"n": 1}, 3, None]
SEEN = CounterStateDescriptor("seen")
SHOW = 'printf "%s|%s|%s" "$EVENTFLOW_ITEM" "$EVENTFLOW_ITEM_INDEX" "$X"'


def emit_with_one_id(item):
    event = current_context().emit("told", item, id="once")
    return event.sender


def count(item):
    """Fails at first: the next attempt sees what this one has kept."""
    context = current_context()
    seen = context.get_state(SEEN).add()
    if seen == 1:
        context.log.info("drew %s", context.deterministic.uuid())
        context.data.set(f"draw {item}", context.deterministic.random())
        raise RuntimeError("not yet")
    return [seen, context.deterministic.uuid(), str(context.task_execution.id)]


with Workflow("bashed") as bashed:
    double = PythonOperator("double", lambda item: [item, item]).map([1, 2, 3, 4])
    show = BashOperator("show", SHOW + ' >> "shown.$EVENTFLOW_ITEM_INDEX"', env={"X": "x"})
    show.map(ITEMS)
    pair = BashOperator("pair", SHOW + ' > "pair.$EVENTFLOW_ITEM_INDEX"', env={"X": double.output})
    pair.map(double.output, nested=True)
    BashOperator("alone", SHOW + " > alone")

with Workflow("emitting") as emitting:
    PythonOperator("work", emit_with_one_id).map([1, 2, 3])
    BashOperator("sh", '"$EVENTFLOW" emit bashed "$EVENTFLOW_ITEM"').map([1, 2])

with Workflow("keeping") as keeping:
    PythonOperator("work", count, retries=1, retry_delay=0).map(["a", "b", "c"])
