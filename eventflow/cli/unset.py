"""Pools that tasks name and nobody has set: said before those tasks wait for ever (S44).

Apart from `pools`, whose tables need rich: `serve` and `check` show none.
"""

from collections.abc import Iterable

from eventflow.model.records import PoolRecord
from eventflow.model.settings import DEFAULT_POOL
from eventflow.model.workflow import Workflow


def unset_pools(workflows: Iterable[Workflow], known: Iterable[PoolRecord] = ()) -> list[str]:
    """A line for each pool that tasks name and that nobody has set: they would wait for ever."""
    done = {(one.namespace, one.name) for one in known if one.is_set}
    wanted: dict[tuple[str, str], str] = {}
    for workflow in workflows:
        for task in workflow.tasks.values():
            key = (workflow.namespace, task.settings.pool)
            if task.settings.pool != DEFAULT_POOL and key not in done:
                wanted.setdefault(key, f"task {task.name!r} of {workflow.name}")
    return [
        f"{task} waits for a slot of pool {name!r} until that is set, as: "
        f"eventflow pool set {name} 2{_option(namespace)}"
        for (namespace, name), task in wanted.items()
    ]


def _option(namespace: str) -> str:
    return f" --namespace {namespace}" if namespace != "default" else ""
