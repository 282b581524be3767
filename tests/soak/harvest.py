"""What the command line has told so far, kept before a prune takes it out of the store."""

from typing import Any

from tests.soak.asking import events_after, executions


class Harvest:
    """Events and executions of a store, gathered as they come to their end."""

    def __init__(self, store: str) -> None:
        self._store = store
        self._decided: list[dict[str, Any]] = []
        self._undecided: list[dict[str, Any]] = []
        self._executions: dict[int, dict[str, Any]] = {}

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events of users that were in the log, in its order."""
        return self._decided + self._undecided

    @property
    def executions(self) -> list[dict[str, Any]]:
        """All executions by their ids, each as it was seen last."""
        return [self._executions[number] for number in sorted(self._executions)]

    def gather(self) -> None:
        """Take in what is new."""
        last = self._decided[-1]["offset"] if self._decided else 0
        found = events_after(self._store, last)
        # What is behind the first undecided one is read again, when it is decided.
        first = next((n for n, event in enumerate(found) if not event["turn"]), len(found))
        self._decided += found[:first]
        self._undecided = found[first:]
        for execution in executions(self._store):
            self._executions[execution["id"]] = execution
