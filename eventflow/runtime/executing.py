"""Which executor a name means."""

from pathlib import Path

from eventflow.errors import EventflowError
from eventflow.executors.port import Executor
from eventflow.executors.processes import ProcessExecutor
from eventflow.executors.threads import ThreadExecutor


def executor_of(executor: str | Executor, files: Path | None, url: str) -> Executor:
    """The executor of that name, or the object as it is.

    Args:
        files: The folder beside the store; `None` for memory.
        url: The store's, for the processes that tasks start.

    Raises:
        EventflowError: If no executor has that name, or it cannot work with this store.
    """
    if not isinstance(executor, str):
        return executor
    spool = files / "spool" if files is not None else None
    match executor:
        case "threads":
            return ThreadExecutor(spool, store_url=url)
        case "processes" if spool is not None:
            return ProcessExecutor(spool, store_url=url)
        case "processes":
            raise EventflowError(
                "executor 'processes' needs a store that children can reach; give a file, "
                "'sqlite:///eventflow.db', or use executor='threads'"
            )
        case _:
            raise EventflowError(f"executor is 'threads' or 'processes', got {executor!r}")
