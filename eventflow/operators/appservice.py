"""The wire contract of a service that runs applications: five requests, JSON both ways.

Behind the path of runs (`/v1/applications/{app_id}/runs`), each with `Authorization: Bearer`:

    POST  .../runs?instance_id=I        {input, name, description, options, configuration}
                                        answers {"run_id": ID}
    GET   .../runs/ID/metadata          answers {"metadata": {"status_v2": S, "error": text, ...}}
    GET   .../runs/ID                   the same with "output"
    GET   .../runs/ID/logs/live?since=T answers {"items": [{"timestamp", "log"}, ...],
                                        "next_page_token": T, "next_available_in_seconds": N}
    PATCH .../runs/ID/cancel

A status is queued, running, succeeded, failed, canceled or none. Option values are text. The POST
carries an `Idempotency-Key`, which a service may use to make one run of a repeated request. What a
service says is cleaned of the token before anybody sees it.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import quote, urlsplit

from eventflow.clock import SystemClock
from eventflow.errors import RemoteServiceError, ResultError
from eventflow.model.jsonvalue import JsonValueError, decode, encode
from eventflow.operators.appvalues import AppConnection
from eventflow.outgoing import Answer, Call, Request, UnansweredError

# A result of 1 MiB (S37) may be longer on the wire: by escapes, by layout, by its metadata.
_MAX_RESULT_BODY = 4 * 1024 * 1024
_MAX_TOLD = 2_000
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:-]{0,199}")
# Statuses of HTTP that speak of now, not of the request.
_PASSING = frozenset({408, 425, 429})
# What was refused so was not begun.
_NOT_TAKEN = frozenset({425, 429, 503})


class RunStatus(StrEnum):
    """How a remote run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    NONE = "none"


ENDED = frozenset({RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELED})


class UnavailableError(RemoteServiceError):
    """It may pass: no answer, 5xx, 429.

    Attributes:
        arrived: Whether the service may have done what was asked.
        retry_after_s: The wait that it asked for; 0 for none.
    """

    def __init__(
        self, message: str, *, arrived: bool, status: int | None = None, retry_after_s: float = 0.0
    ) -> None:
        super().__init__(message, status)
        self.arrived = arrived
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """A run as it is asked for."""

    input: Any
    options: Mapping[str, str]
    name: str
    description: str
    instance_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """What a service says of a run; `output` is there in a result only."""

    id: str
    status: RunStatus
    error: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    output: Any = None

    @classmethod
    def of(cls, told: Any, run_id: str, *, clean: "Cleaner") -> "RunState":
        """Read an answer. Raises RemoteServiceError when it has no status that there is."""
        metadata = told.get("metadata") if isinstance(told, dict) else None
        if not isinstance(metadata, dict):
            raise RemoteServiceError(f"remote run {run_id}: the answer has no 'metadata'")
        named = metadata.get("status_v2", metadata.get("status"))
        try:
            status = RunStatus(str(named))
        except ValueError:
            raise RemoteServiceError(
                f"remote run {run_id}: {clean(repr(named))} is none of the statuses "
                f"{', '.join(RunStatus)}"
            ) from None
        error = metadata.get("error") or ""
        text = error if isinstance(error, str) else encode(error)
        return cls(
            id=run_id,
            status=status,
            error=clean(text),
            metadata=metadata,
            output=told.get("output"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """A piece of a log. `token` asks for what follows; `None` when the service gave none."""

    lines: list[str]
    token: str | None
    wait_s: float


class Cleaner:
    """Takes a secret out of text, and cuts it to a length that people read."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def __call__(self, text: str, limit: int = _MAX_TOLD) -> str:
        # First the secret, then the cut, which could leave a part of it.
        return text.replace(self._secret, "***")[:limit] if self._secret else text[:limit]


class AppService:
    """One application of one service.

    Args:
        limit_s: Seconds for one request.

    Raises:
        RemoteServiceError: If the variables with its URL or token are not as they should be.
    """

    def __init__(self, connection: AppConnection, app_id: str, limit_s: float) -> None:
        runs = connection.runs_path.replace("{app_id}", quote(app_id, safe=""))
        self._connection = connection
        self._runs = f"{connection.base_url()}/{runs.strip('/')}"
        self._limit_s = limit_s
        token = connection.token()
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self.clean = Cleaner(token)

    def start(self, order: RunOrder, key: str) -> str:
        """Start a run; its id. The same `key` asks for the same run, where the service can tell."""
        body: dict[str, Any] = {
            "input": order.input,
            "name": order.name,
            "description": order.description,
            "configuration": {"format": {"input": {"type": "json"}, "output": {"type": "json"}}},
        }
        if order.options:
            body["options"] = dict(order.options)
        params = {"instance_id": order.instance_id} if order.instance_id else {}
        told = self._ask("POST", "", params=params, body=body, key=key)
        run_id = told.get("run_id") if isinstance(told, dict) else None
        # It becomes a part of paths.
        if not isinstance(run_id, str) or not _RUN_ID.fullmatch(run_id):
            raise RemoteServiceError(
                f"the answer to the start of a run has no usable 'run_id': "
                f"{self.clean(encode(told), 200)}"
            )
        return run_id

    def look(self, run_id: str) -> RunState:
        """How a run stands."""
        told = self._ask("GET", f"/{run_id}/{self._connection.metadata_path.strip('/')}")
        return RunState.of(told, run_id, clean=self.clean)

    def result(self, run_id: str) -> RunState:
        """How a run stands, with its output.

        Raises:
            ResultError: If it is larger than any result may be, or not strict JSON.
        """
        answer = self._exchange("GET", f"/{run_id}", max_bytes=_MAX_RESULT_BODY)
        try:
            told = _value_of(answer)
        except JsonValueError as error:
            raise ResultError(
                f"the result of remote run {run_id} cannot be stored: {error}. Results are JSON of "
                f"at most 1 MiB; have the application write larger or other things to a file and "
                f"return where it is"
            ) from error
        return RunState.of(told, run_id, clean=self.clean)

    def logs(self, run_id: str, since: str | None) -> LogPage:
        """What its log has behind `since`."""
        path = f"/{run_id}/{self._connection.logs_path.strip('/')}"
        told = self._ask("GET", path, params={"since": since} if since else {})
        items = told.get("items") if isinstance(told, dict) else None
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise RemoteServiceError(f"remote run {run_id}: its log has no list of 'items'")
        token = told.get("next_page_token")
        return LogPage(
            lines=[self.clean(str(item.get("log", "")), _MAX_RESULT_BODY) for item in items],
            token=token if isinstance(token, str) and token else None,
            wait_s=_seconds(told.get("next_available_in_seconds")),
        )

    def cancel(self, run_id: str, limit_s: float) -> None:
        """Ask for the end of a run."""
        path = f"/{run_id}/{self._connection.cancel_path.strip('/')}"
        self._exchange("PATCH", path, limit_s=min(limit_s, self._limit_s))

    def _ask(self, method: str, path: str, **how: Any) -> Any:
        answer = self._exchange(method, path, **how)
        try:
            return _value_of(answer)
        except JsonValueError as error:
            raise RemoteServiceError(
                f"{self._place(method, path)}: the answer is no JSON to make sense of: "
                f"{self.clean(str(error))}; is this the service?"
            ) from error

    def _exchange(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        key: str = "",
        limit_s: float | None = None,
        max_bytes: int = 1024 * 1024,
    ) -> Answer:
        """An answer with a status of success; all others are raised."""
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key:
            headers["Idempotency-Key"] = key
        place = self._place(method, path)
        try:
            answer = Call(
                Request(
                    method,
                    self._runs + path,
                    body=encode(body).encode() if body is not None else None,
                    headers=headers,
                    params=params or {},
                ),
                limit_s=limit_s if limit_s is not None else self._limit_s,
                clock=SystemClock(),
                max_bytes=max_bytes,
            ).send()
        except UnansweredError as error:
            text = f"{place}: {self.clean(str(error))}"
            raise UnavailableError(text, arrived=error.arrived) from error
        if not 200 <= answer.status < 300:
            raise self._refusal(place, answer)
        return answer

    def _refusal(self, place: str, answer: Answer) -> RemoteServiceError:
        status = answer.status
        told = " ".join(self.clean(answer.body.decode("utf-8", "replace"), 500).split())
        text = f"{place}: status {status}" + (f": {told}" if told else "")
        if status in _PASSING or status >= 500:
            return UnavailableError(
                text,
                arrived=status not in _NOT_TAKEN,
                status=status,
                retry_after_s=answer.retry_after or 0.0,
            )
        if status < 400:
            return RemoteServiceError(
                f"{place}: status {status}, which is not followed; give the URL that it leads to",
                status,
            )
        return RemoteServiceError(text, status)

    def _place(self, method: str, path: str) -> str:
        parts = urlsplit(self._runs)
        return f"{method} {parts.path}{path} at {parts.hostname}"


def _value_of(answer: Answer) -> Any:
    if not answer.whole:
        raise JsonValueError(f"over {len(answer.body)} bytes came")
    return decode(answer.body)


def _seconds(told: Any) -> float:
    is_number = isinstance(told, int | float) and not isinstance(told, bool)
    return float(told) if is_number and 0 < told < math.inf else 0.0
