"""Conditions that remember, for the flows beside this file."""

from eventflow import Condition, CounterStateDescriptor, Event, RuleContext, ValueStateDescriptor


class EveryNth(Condition):
    """Met by each `n`-th event; one that says so makes it fail."""

    def __init__(self, key: str, n: int) -> None:
        super().__init__([key])
        self._n = n

    def is_met(self, event: Event, context: RuleContext) -> bool:
        if event.value == "raise":
            raise ValueError("there is nothing to count")
        return context.get_state(CounterStateDescriptor("n")).add() % self._n == 0


class Rising(Condition):
    """Met by an event with a higher value than any before, in all of the execution."""

    def __init__(self, key: str) -> None:
        super().__init__([key])

    def is_met(self, event: Event, context: RuleContext) -> bool:
        highest = context.get_state(ValueStateDescriptor("highest", 0, shared=True))
        if event.value is None or event.value <= highest.value():
            return False
        highest.update(event.value)
        return True
