"""A condition of your own: a task starts once the numbers of others add up to 100.

    eventflow run examples/custom_condition.py

Two endless producers emit a `number` now and then. The condition remembers the sum as state, which
is kept in the store: it survives a restart of the scheduler. `consumer` starts once, and its
success STOPs both producers, so the workflow ends. Prints, in the log of `consumer`:

    the sum has reached 100; the last number was 7
"""

import random

from eventflow import (
    Condition,
    Event,
    PythonOperator,
    RuleContext,
    TaskAction,
    TaskStatus,
    ValueStateDescriptor,
    Workflow,
    current_context,
)

TOTAL = 100


class SumReaches(Condition):
    """Met once, by the event that brings the sum of the values of `key` to `total`."""

    def __init__(self, key: str, total: int) -> None:
        super().__init__([key])
        self.total = total
        self._sum: ValueStateDescriptor[int] = ValueStateDescriptor("sum", default=0)

    def is_met(self, event: Event, context: RuleContext) -> bool:
        kept = context.get_state(self._sum)
        before = kept.value()
        kept.update(before + event.value)
        return before < self.total <= before + event.value


def produce(largest: int) -> None:
    """Endless: `wait` returns true when a stop is asked for."""
    context = current_context()
    while not context.wait(0.1):
        context.emit("number", random.randint(1, largest))


def consume() -> None:
    last = current_context().trigger_event.value
    print(f"the sum has reached {TOTAL}; the last number was {last}")


with Workflow("custom_condition") as workflow:
    small = PythonOperator("small_numbers", produce, [5])
    large = PythonOperator("large_numbers", produce, [20])
    consumer = PythonOperator("consumer", consume)

    consumer.action_on_condition(TaskAction.START, SumReaches("number", TOTAL))
    for producer in (small, large):
        producer.action_on_task_status(TaskAction.STOP, {consumer: TaskStatus.SUCCESS})
