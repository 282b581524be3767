"""What running tasks ask of the scheduler's side, served from the store (S14, S37, S39)."""

from eventflow.model.event import Event
from eventflow.model.status import TaskStatus
from eventflow.runtime.client import Client
from eventflow.store.ports import Store


class StoreDesk:
    """Serves executors; thread-safe, since the store is."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._store: Store = client.store

    def emit(self, event: Event, task_execution_id: int) -> Event:
        return self._client.append(event, of_run=task_execution_id)

    def result_of(self, task_execution_id: int, index: tuple[int, ...] = ()) -> str | None:
        try:
            return self._store.result(task_execution_id, index)
        except IndexError:
            # An item that is not there has no result (S43).
            return None

    def latest_result(self, workflow_execution_id: int, task_name: str) -> str | None:
        return self._store.latest_result(workflow_execution_id, task_name)

    def task_status(self, workflow_execution_id: int, task_name: str) -> TaskStatus | None:
        return self._store.task_status(workflow_execution_id, task_name)

    def read_data(self, workflow_execution_id: int, key: str) -> str | None:
        return self._store.read_data(workflow_execution_id, key)

    def write_data(self, workflow_execution_id: int, key: str, value: str | None) -> None:
        self._store.write_data(workflow_execution_id, key, value)

    def drawn(self, task_execution_id: int, name: str) -> str | None:
        return self._store.drawn(task_execution_id, name)

    def draw(self, task_execution_id: int, name: str, value: str) -> str:
        return self._store.draw(task_execution_id, name, value)
