"""What an AppOperator is told about its service: where it is, how to poll it, what to run there."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from eventflow.errors import DefinitionError, RemoteServiceError
from eventflow.model.jsonvalue import encode

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PATH = re.compile(r"[A-Za-z0-9._~/-]+")
_MARK = "eventflow.app_run"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppConnection:
    """Where a service is, and by which token it knows us. Holds names of variables, no secret.

    The variables are read where the task runs, when it runs.

    Attributes:
        url: Base URL, without query; empty: it stands in `url_variable`.
        url_variable: Environment variable with the base URL.
        token_variable: Environment variable with the bearer token.
        runs_path: Where runs are started; `{app_id}` stands for the application's id. One run is at
            this path and its id; `metadata_path`, `logs_path` and `cancel_path` go behind that.
        allow_http: Whether `http://` will do, which shows the token to the network.

    Raises:
        DefinitionError: If a part is not well formed.
    """

    url: str = ""
    url_variable: str = "APP_SERVICE_URL"
    token_variable: str = "APP_SERVICE_TOKEN"
    runs_path: str = "/v1/applications/{app_id}/runs"
    metadata_path: str = "metadata"
    logs_path: str = "logs/live"
    cancel_path: str = "cancel"
    allow_http: bool = False

    def __post_init__(self) -> None:
        for what in ("url_variable", "token_variable"):
            name = getattr(self, what)
            if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
                # Not shown: who mistakes name and value gives the secret itself.
                raise DefinitionError(f"{what} is the name of an environment variable")
        for what in ("runs_path", "metadata_path", "logs_path", "cancel_path"):
            path = getattr(self, what)
            if not isinstance(path, str) or not _is_path(path.replace("{app_id}", "a")):
                raise DefinitionError(f"{what} is a path such as 'v1/runs', got {path!r}")
        if self.url:
            fault = _fault_of(self.url, allow_http=self.allow_http)
            if fault:
                raise DefinitionError(f"url {fault}")

    def base_url(self) -> str:
        """The base URL, without a slash at its end.

        Raises:
            RemoteServiceError: If the variable is not set, or holds no base URL.
        """
        url = self.url or _variable(self.url_variable, "the base URL of the service")
        fault = _fault_of(url, allow_http=self.allow_http)
        if fault:
            raise RemoteServiceError(f"environment variable {self.url_variable}: the URL {fault}")
        return url.rstrip("/")

    def token(self) -> str:
        """The bearer token.

        Raises:
            RemoteServiceError: If the variable is not set, or holds what no header can.
        """
        token = _variable(self.token_variable, "the token of the service")
        if not all("!" <= character <= "~" for character in token):
            raise RemoteServiceError(
                f"environment variable {self.token_variable} holds a blank, a line break or a "
                f"letter beyond ASCII, which no token has"
            )
        return token


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPolling:
    """How often to look at a remote run. All in seconds, but `factor` and `jitter`.

    Attributes:
        first: Before the first look.
        factor: By which the pause grows from look to look; from 1.
        ceiling: The longest pause.
        jitter: Share of a pause that chance may take off; 0 to 1.
        patience: How long the service may be away (no connection, 5xx, 429) before the task fails.
        request_timeout: For one request, to the last byte of its answer.
        log_wait: The least pause between two looks at the log, whatever the service says.

    Raises:
        DefinitionError: If a figure cannot be.
    """

    first: float = 1.0
    factor: float = 2.0
    ceiling: float = 20.0
    jitter: float = 0.25
    patience: float = 300.0
    request_timeout: float = 30.0
    log_wait: float = 2.0

    def __post_init__(self) -> None:
        for name, (least, most) in _FIGURES.items():
            figure = getattr(self, name)
            is_number = isinstance(figure, int | float) and not isinstance(figure, bool)
            if not is_number or not least <= figure <= most:
                raise DefinitionError(
                    f"AppPolling: {name} is a number from {least:g} to {most:g}, got {figure!r}"
                )

    def pauses(self, chance: Callable[[], float]) -> Iterator[float]:
        """Seconds to wait before each look, without end.

        Args:
            chance: Draws a number from [0, 1): many who began together do not look together.
        """
        pause = self.first
        while True:
            yield min(pause, self.ceiling) * (1 - self.jitter * chance())
            pause = min(pause * self.factor, self.ceiling)


_LONG = 86_400.0
_FIGURES = {
    "first": (0.001, _LONG),
    "factor": (1.0, 1000.0),
    "ceiling": (0.001, _LONG),
    "jitter": (0.0, 1.0),
    "patience": (0.0, 7 * _LONG),
    "request_timeout": (0.001, _LONG),
    "log_wait": (0.001, _LONG),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AppRun:
    """One run to make: its input, and what differs from the operator's own settings.

    A task that decides them returns `AppRun(...).to_json()`, and the operator takes its output as
    `input=`; one that decides what a mapped operator runs returns a list of them. The JSON is
    `{"eventflow.app_run": {"input": ..., "options": {...}, "name": "...", "description": "...",
    "instance_id": "..."}}`, where all but `input` may be left out.

    Attributes:
        input: What the application gets; JSON.
        options: Laid over the operator's, one by one; `None` takes one away.
        name: What the service shows; empty for one that names the task.
        description: The same, in more words; empty for one that names execution and task.
        instance_id: In place of the operator's; empty for that.

    Raises:
        DefinitionError: If a part is not well formed.
    """

    input: Any = None
    options: Mapping[str, Any] | None = None
    name: str = ""
    description: str = ""
    instance_id: str = ""

    def __post_init__(self) -> None:
        checked_options("AppRun", self.options)
        for what in ("name", "description", "instance_id"):
            if not isinstance(getattr(self, what), str):
                raise DefinitionError(f"AppRun: {what} is text, got {getattr(self, what)!r}")

    def to_json(self) -> dict[str, Any]:
        """It as JSON, for a task to return."""
        own = {"input": self.input, "options": dict(self.options or {})}
        shown = {"name": self.name, "description": self.description}
        return {_MARK: {**own, **shown, "instance_id": self.instance_id}}

    @classmethod
    def of(cls, value: Any) -> "AppRun":
        """What a JSON value stands for: an AppRun, or the plain input of one.

        Raises:
            DefinitionError: If it is marked as an AppRun, and is none.
        """
        if not isinstance(value, dict) or set(value) != {_MARK}:
            return cls(input=value)
        told = value[_MARK]
        known = {"input", "options", "name", "description", "instance_id"}
        if not isinstance(told, dict) or not set(told) <= known:
            raise DefinitionError(
                f"{_MARK!r} holds an object with {', '.join(sorted(known))}, and nothing else"
            )
        return cls(**told)


def checked_options(who: str, options: Any) -> dict[str, Any]:
    """Options as a dict of one's own.

    Raises:
        DefinitionError: If they are no dict with text as keys.
    """
    if options is None:
        return {}
    if not isinstance(options, Mapping) or not all(isinstance(name, str) for name in options):
        raise DefinitionError(f"{who}: options is a dict with names as keys, got {options!r}")
    return dict(options)


def option_texts(options: Mapping[str, Any]) -> dict[str, str]:
    """Options as the wire has them: text as it is, `3` as "3", `True` as "True"; `None` is left
    out, and lists and objects are JSON."""
    return {name: _text(value) for name, value in options.items() if value is not None}


def _text(value: Any) -> str:
    return encode(value) if isinstance(value, dict | list | tuple) else str(value)


def _is_path(path: str) -> bool:
    parts = path.strip("/").split("/")
    return bool(_PATH.fullmatch(path)) and not {"", ".", ".."} & set(parts)


def _variable(name: str, what: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise RemoteServiceError(
            f"environment variable {name} is not set where the task runs; it holds {what}"
        )
    return value


def _fault_of(url: Any, *, allow_http: bool) -> str:
    """What is wrong with a base URL; it is not shown, since it may hold a password."""
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url:
        return "is no text such as 'https://api.example.com'"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is no URL such as 'https://api.example.com'"
    if parts.scheme == "http" and not allow_http:
        return "must be https; allow_http=True takes http, which shows the token to the network"
    if parts.scheme not in ("https", "http") or not parts.hostname or port == 0:
        return "is no URL such as 'https://api.example.com'"
    if parts.username is not None or parts.password is not None:
        return "holds a user or a password; the token goes into a variable of its own"
    if parts.query or parts.fragment or "?" in url or "#" in url:
        return "holds a query or a fragment; it is a base URL such as 'https://api.example.com'"
    return ""
