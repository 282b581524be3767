"""UplinkConfig: where to report to, as what, and how patiently. Holds no secret."""

import os
import string
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from eventflow.errors import EventflowError

PREFIX = "EVENTFLOW_UPLINK_"
_RUN_ID_FIELDS = ("execution_id", "workflow", "namespace")
_SECONDS = ("interval", "grace", "timeout", "ceiling")
# What the platform of the "flow" format sets for the programs that it starts.
_PLATFORM_APPLICATION, _PLATFORM_RUN = "NEXTMV_APP_ID", "NEXTMV_RUN_ID"
_PLATFORM_URL, _PLATFORM_TOKEN = "NEXTMV_ENDPOINT", "NEXTMV_API_KEY"
_PLATFORM_DEFAULT_URL = "https://api.cloud.nextmv.io"


class WireFormat(StrEnum):
    """What is sent: a CloudEvent of our own, or what a platform of flows takes."""

    CLOUDEVENTS = "cloudevents"
    FLOW = "flow"


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkConfig:
    """Where and how to report.

    Attributes:
        url: Of CloudEvents the very place they are posted to; of the flow format the platform's
            root. https, or http to this machine itself.
        application_id: Under what name the platform knows the program.
        run_id: Names one execution to the platform; may hold `{execution_id}`, `{workflow}` and
            `{namespace}`. Without any of them it is the name of one execution: the first that is
            seen is reported, and no other.
        wire: Which of the two formats.
        interval: Least seconds between two posts about one execution.
        grace: Most seconds that the end of the scheduler waits for final states to be accepted.
        timeout: Most seconds for one post, from the connection to the answer.
        ceiling: Most seconds between two tries while the platform is down.
        token_env: Name of the environment variable with the bearer token; read for each post.
        ca_file: PEM file of the authorities to trust in place of the system's.
        allow_http: Whether http may leave this machine; then anyone on the way reads the token.

    Raises:
        EventflowError: If a value cannot be used; says which and why.
    """

    url: str
    application_id: str = "eventflow"
    run_id: str = "{execution_id}"
    wire: WireFormat = WireFormat.CLOUDEVENTS
    interval: float = 5.0
    grace: float = 5.0
    timeout: float = 5.0
    ceiling: float = 60.0
    token_env: str = PREFIX + "TOKEN"
    ca_file: str = ""
    allow_http: bool = False

    def __post_init__(self) -> None:
        _check_url(self.url)
        _check_run_id(self.run_id)
        for name in ("application_id", "run_id", "token_env"):
            if not getattr(self, name):
                raise EventflowError(f"uplink: {name} must not be empty")
        try:
            object.__setattr__(self, "wire", WireFormat(self.wire))
        except ValueError as error:
            raise EventflowError(
                f"uplink: wire is 'cloudevents' or 'flow', got {self.wire!r}"
            ) from error
        for name in _SECONDS:
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            least = 0 if name in ("interval", "grace") else 0.001
            if not (number and least <= value <= 86_400):
                raise EventflowError(
                    f"uplink: {name} is seconds from {least} to 86400, got {value!r}"
                )

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, *, url: str | None = None
    ) -> "UplinkConfig | None":
        """What the environment says; `None` when it names no platform.

        `EVENTFLOW_UPLINK_URL`, `..._APPLICATION_ID`, `..._RUN_ID`, `..._WIRE` and so on are the
        attributes. A program that a platform of the flow format has started finds that one by
        `NEXTMV_APP_ID` and `NEXTMV_RUN_ID`, when both are set and no other URL is.

        Args:
            environment: Variables to read; the process's own by default.
            url: Stands in for `EVENTFLOW_UPLINK_URL`.

        Raises:
            EventflowError: If a variable cannot be used; says which and why.
        """
        said = os.environ if environment is None else environment
        given: dict[str, Any] = {
            field.name: said[PREFIX + field.name.upper()]
            for field in fields(cls)
            if said.get(PREFIX + field.name.upper())
        }
        if url:
            given["url"] = url
        if "url" not in given:
            if not (said.get(_PLATFORM_APPLICATION) and said.get(_PLATFORM_RUN)):
                return None
            given = {**_of_platform(said), **given}
        for name in _SECONDS:
            if name in given:
                given[name] = _number(name, given[name])
        if "allow_http" in given:
            given["allow_http"] = _yes_or_no(given["allow_http"])
        return cls(**given)

    @property
    def names_one_execution(self) -> bool:
        """Whether `run_id` is the same for every execution."""
        return not any(name for _, name, _, _ in string.Formatter().parse(self.run_id))

    def run_id_of(self, execution_id: int, workflow: str, namespace: str) -> str:
        """What an execution is called at the platform."""
        return self.run_id.format(execution_id=execution_id, workflow=workflow, namespace=namespace)


def _of_platform(said: Mapping[str, str]) -> dict[str, Any]:
    run_id = said[_PLATFORM_RUN].replace("{", "{{").replace("}", "}}")
    return {
        "url": said.get(_PLATFORM_URL) or _PLATFORM_DEFAULT_URL,
        "application_id": said[_PLATFORM_APPLICATION],
        "run_id": run_id,
        "wire": WireFormat.FLOW,
        "token_env": _PLATFORM_TOKEN,
    }


def _check_url(url: object) -> None:
    """Refuse what is no place to post to. The message never repeats what may hold a password."""
    if not isinstance(url, str):
        raise EventflowError(f"uplink: url must be text, got {type(url).__name__}")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise EventflowError("uplink: url is not http(s)://host[:port]/path")
    if parts.username is not None or parts.password is not None:
        raise EventflowError(
            "uplink: url holds a user or password; put the token into the environment variable "
            "that token_env names"
        )
    if parts.query or parts.fragment:
        raise EventflowError("uplink: url must end with its path, without '?' and '#'")


def _check_run_id(run_id: object) -> None:
    try:
        parsed = list(string.Formatter().parse(run_id)) if isinstance(run_id, str) else None
    except ValueError:
        parsed = None
    if parsed is None or any(
        name is not None and (name not in _RUN_ID_FIELDS or form or conversion)
        for _, name, form, conversion in parsed
    ):
        raise EventflowError(
            f"uplink: run_id is text in which {{execution_id}}, {{workflow}} and {{namespace}} may "
            f"stand, got {run_id!r}"
        )


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise EventflowError(f"{PREFIX}{name.upper()} is a number of seconds, got {text!r}") from (
            error
        )


def _yes_or_no(text: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    try:
        return known[text.lower()]
    except KeyError:
        raise EventflowError(f"{PREFIX}ALLOW_HTTP is yes or no, got {text!r}") from None
