"""Which executor a name means."""

from eventflow.errors import EventflowError
from eventflow.executors.port import Executor
from eventflow.executors.processes import ProcessExecutor
from eventflow.executors.threads import ThreadExecutor
from eventflow.store.places import files_beside, path_of


def executor_of(executor: str | Executor, url: str) -> Executor:
    """The executor of that name for the store of a URL, or the object as it is. Opens nothing.

    Raises:
        StoreError: If no store can be opened by such a URL.
        EventflowError: If no executor has that name, or it cannot work with this store.
    """
    if not isinstance(executor, str):
        return executor
    path = path_of(url)
    spool = files_beside(path) / "spool" if path is not None else None
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
