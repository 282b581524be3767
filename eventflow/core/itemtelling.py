"""How the items of a mapped task stand, in sentences (S42, S43). Pure."""

from collections.abc import Callable
from datetime import datetime

from eventflow.core.explanation import ItemOrigin, ItemsExplained, ItemsWait
from eventflow.model.itemname import in_brackets
from eventflow.model.status import TaskStatus

When = Callable[[datetime], str]


def items_in_words(task: str, items: ItemsExplained, when: When) -> list[str]:
    """How they stand, how many wait for what, and the first that failed."""
    over = f"runs {items.over}: " if items.over else ""
    lines = [f"{over}{items.counts}"]
    lines += [_wait(wait, when) for wait in items.waits]
    for one in items.failed:
        tries = f" in attempt {one.attempt}" if one.attempt > 1 else ""
        lines.append(f"{task}{in_brackets(one.index)} failed{tries}: {one.failure}")
    more = items.counts.by_status.get(TaskStatus.FAILED, 0) - len(items.failed)
    return [*lines, f"and {more} more failed"] if more > 0 else lines


def origin_in_words(origin: ItemOrigin) -> str:
    """Where an item comes from: `it came from fan[17] #1, which is SUCCESS`."""
    if not origin.task:
        return f"it is about element {origin.element} of the items that were given"
    upstream = f"{origin.task}{in_brackets(origin.index)} #{origin.sequence_number}"
    if origin.element is not None:
        return f"it is about element {origin.element} of the result of {upstream}"
    stands = f", which is {origin.status}" if origin.status else ""
    return f"it came from {upstream}{stands}"


def _wait(wait: ItemsWait, when: When) -> str:
    items = "1 item" if wait.count == 1 else f"{wait.count} items"
    due = f"; the first goes on at {when(wait.due_at)}" if wait.due_at is not None else ""
    if wait.status is TaskStatus.INIT:
        return f"{items} {'waits' if wait.count == 1 else 'wait'} for {wait.why}{due}"
    why = f": {wait.why}" if wait.why else ""
    return f"{items} {'is' if wait.count == 1 else 'are'} {wait.status}{why}{due}"
