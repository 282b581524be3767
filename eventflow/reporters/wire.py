"""A picture as a request: CloudEvents of our own, or the report that a platform of flows takes."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote

from eventflow import __version__
from eventflow.errors import UplinkError
from eventflow.model.event import Event
from eventflow.outgoing import Request
from eventflow.reporters.config import UplinkConfig, WireFormat
from eventflow.reporters.flowformat import flow_of
from eventflow.reporters.items import PicturedItem
from eventflow.reporters.picture import Picture, PicturedRun

KEY = "eventflow.uplink.picture"


@dataclass(frozen=True, kw_only=True)
class Report:
    """A picture, ready to be told.

    Attributes:
        id: Made up; a platform that gets it twice may drop one.
        number: Counts the reports of one client, from 1: of two, the higher is the newer.
        at: When the picture was made, aware UTC.
    """

    picture: Picture
    id: str
    number: int
    at: datetime

    @cached_property
    def fingerprint(self) -> int:
        """The same for pictures that say the same."""
        return hash(self.picture)


def request_of(report: Report, config: UplinkConfig, token: str) -> Request:
    """The request that tells a report.

    Raises:
        UplinkError: If the token cannot stand in a header; it is not shown.
    """
    headers = {"Accept": "*/*", "User-Agent": f"eventflow/{__version__}"}
    if token:
        if not (token.isascii() and token.isprintable()):
            raise UplinkError(f"the token in {config.token_env} cannot stand in a header")
        headers["Authorization"] = f"Bearer {token}"
    if config.wire is WireFormat.FLOW:
        headers["Content-Type"] = "application/json"
        body = _text(flow_of(report.picture, report.at))
        return Request("PUT", _flow_url(report.picture, config), body, headers)
    headers["Content-Type"] = "application/cloudevents+json"
    return Request("POST", config.url, _text(_cloudevent(report, config)), headers)


def _flow_url(picture: Picture, config: UplinkConfig) -> str:
    application, run = quote(config.application_id, safe=""), quote(_run_id(picture, config), "")
    root = config.url.rstrip("/")
    return f"{root}/v1/internal/applications/{application}/runs/{run}/flow"


def _cloudevent(report: Report, config: UplinkConfig) -> dict[str, Any]:
    picture = report.picture
    told = {
        "application_id": config.application_id,
        "run_id": _run_id(picture, config),
        "number": report.number,
        "final": picture.final,
        "execution": {
            "id": picture.execution_id,
            "workflow": picture.workflow,
            "namespace": picture.namespace,
            "execution_type": picture.execution_type,
            "status": picture.status.value,
            "created_at": _instant(picture.created_at),
            "begin_date": _instant(picture.begin_date),
            "end_date": _instant(picture.end_date),
            "reason": picture.reason,
        },
        "tasks": [
            {
                "name": task.name,
                "operator": task.operator,
                "docs": task.docs,
                "predecessors": list(task.predecessors),
                "mapped": task.is_mapped,
            }
            for task in picture.tasks
        ],
        "runs": [_run(run) for run in picture.runs],
        "runs_left_out": picture.left_out,
    }
    event = Event(
        KEY,
        told,
        namespace=picture.namespace,
        sender=config.application_id,
        id=report.id,
        time=report.at,
        workflow_execution_id=picture.execution_id,
    )
    return event.to_cloudevent()


def _run(run: PicturedRun) -> dict[str, Any]:
    told = {
        "key": run.key,
        "task": run.task,
        "sequence_number": run.sequence_number,
        **_standing(run),
    }
    if run.counts is None:
        return told
    counts = {status.value: count for status, count in run.counts}
    items = [{"key": item.key, "index": list(item.index), **_standing(item)} for item in run.items]
    return {**told, "item_counts": counts, "items": items}


def _standing(run: PicturedRun | PicturedItem) -> dict[str, Any]:
    """What is told of a run and of an item alike."""
    return {
        "attempt": run.attempt,
        "status": run.status.value,
        "predecessors": list(run.predecessors),
        "created_at": _instant(run.created_at),
        "begin_date": _instant(run.begin_date),
        "end_date": _instant(run.end_date),
        "reason": run.reason,
        "error": {"type": run.error[0], "message": run.error[1]} if run.error else None,
    }


def _run_id(picture: Picture, config: UplinkConfig) -> str:
    return config.run_id_of(picture.execution_id, picture.workflow, picture.namespace)


def _instant(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat()[: -len("+00:00")] + "Z" if at is not None else None


def _text(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode()
