"""Recorded answers of a service that runs applications: tests of a flow send nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eventflow.errors import DefinitionError, RemoteServiceError
from eventflow.model.jsonvalue import JsonValueError, decode, encode
from eventflow.model.records import TaskExecution
from eventflow.operators.appservice import ENDED, Cleaner, RunState, RunStatus

Recorded = dict[str, Any] | list[dict[str, Any]]


def read_recorded(name: str, recorded: Any) -> Recorded | None:
    """A recorded answer as the service would give it, with a status; or one for each item.

    Raises:
        DefinitionError: If it is no answer, or none that tells of an end; names the operator.
    """
    if recorded is None:
        return None
    told = recorded
    if isinstance(recorded, str | Path):
        try:
            told = decode(Path(recorded).read_bytes())
        except (OSError, JsonValueError) as error:
            raise DefinitionError(
                f"operator {name!r}: recorded {str(recorded)!r} cannot be read: {error}"
            ) from error
    if isinstance(told, list | tuple):
        return [_answer(f"operator {name!r}: recorded[{n}]", one) for n, one in enumerate(told)]
    return _answer(f"operator {name!r}: recorded", told)


def answer_for(recorded: Recorded, run: TaskExecution) -> dict[str, Any]:
    """The answer to one run.

    Raises:
        RemoteServiceError: If there is none for that item.
    """
    if isinstance(recorded, dict):
        return recorded
    number = run.item or 0
    if number >= len(recorded):
        raise RemoteServiceError(
            f"{len(recorded)} answers are recorded, and none for {run.label}, the item of number "
            f"{number} from 0"
        )
    return recorded[number]


def recorded_state(answer: Mapping[str, Any]) -> RunState:
    """What an answer says of its run."""
    return RunState.of(answer, str(answer.get("id", "recorded")), clean=Cleaner(""))


def _answer(what: str, told: Any) -> dict[str, Any]:
    metadata = told.get("metadata", {}) if isinstance(told, Mapping) else None
    if not isinstance(metadata, Mapping) or not {"output", "metadata"} & set(told):
        raise DefinitionError(
            f"{what} is an answer such as {{'output': ...}}, or "
            f"{{'metadata': {{'status_v2': 'failed', 'error': '...'}}}}, or the path of a file"
        )
    if not {"status", "status_v2"} & set(metadata):
        metadata = {**metadata, "status_v2": RunStatus.SUCCEEDED.value}
    answer = {"output": None, **told, "metadata": dict(metadata)}
    try:
        encode(answer)
        state = recorded_state(answer)
    except (JsonValueError, RemoteServiceError) as error:
        raise DefinitionError(f"{what}: {error}") from error
    if state.status not in ENDED:
        raise DefinitionError(f"{what} is {state.status}, which is no end")
    return answer
