"""A recording in a file: what a later eventflow must replay equal, without the store.

JSON lines. The first has the version and the columns of each table; every other one is a snapshot,
the source files of one, or a row; the last counts the rows, so that a file that was cut off is not
taken for a whole one. Rows are compared by column, so the tables may grow meanwhile.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

from eventflow.core.plan import Plan
from eventflow.errors import StoreError
from eventflow.store.columns import instant_of, micros_of
from eventflow.store.listed import SnapshotRecord
from eventflow.store.ports import Loaded
from eventflow.store.recording import TABLES, Recording, Tables

VERSION = 1
_HEADER = "eventflow_recording"
_NAMES = (*TABLES, "undecided")


def write_recording(recording: Recording, path: Path, *, made_by: str) -> list[str]:
    """Write a recording to a file that only its owner may read: it holds events and code.

    Args:
        made_by: Name and version of the program, for the first line.

    Returns:
        The workflows whose code is in no file: only the program that defines them can replay them.

    Raises:
        StoreError: If it cannot be written.
    """
    try:
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(opened, "w", encoding="utf-8") as file:
            return _write(recording, file, made_by)
    except OSError as error:
        raise StoreError(f"recording {str(path)!r} cannot be written: {error}") from error


def read_recording(path: Path, folder: Path) -> "FileRecording":
    """Read a recording, and lay the source files of its workflows out under `folder`.

    Raises:
        StoreError: If it is no recording, is of another version, or is not whole.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return FileRecording(_lines(file, path), folder)
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"recording {str(path)!r} cannot be read: {error}") from error


class FileRecording(Tables):
    """A Recording that was read from a file, all of it."""

    def __init__(self, lines: Iterable[tuple[str, Any]], folder: Path) -> None:
        super().__init__()
        self._snapshots: list[SnapshotRecord] = []
        columns: dict[str, list[str]] = {}
        for kind, content in lines:
            match kind:
                case "columns":
                    columns = content
                case "sources":
                    _lay_out(content, folder)
                case "snapshot":
                    self._snapshots.append(_snapshot_of(content, folder))
                case _:
                    self._tables[kind].append(dict(zip(columns[kind], content, strict=True)))

    def snapshots(self) -> list[SnapshotRecord]:
        return self._snapshots

    def load(self, plan_of: Callable[[str], Plan]) -> Loaded | None:
        return None


def _write(recording: Recording, file: TextIO, made_by: str) -> list[str]:
    columns = {name: TABLES.get(name, TABLES["event"]) for name in _NAMES}
    _put(file, {_HEADER: VERSION, "made_by": made_by, "columns": columns})
    without_code = []
    written: set[str] = set()
    for record in recording.snapshots():
        folder = Path(record.folder)
        if not record.folder:
            without_code.append(record.workflow)
        elif folder.name not in written:
            written.add(folder.name)
            _put(file, {"sources": {"name": folder.name, "files": _sources(folder)}})
        _put(file, {"snapshot": _snapshot(record, folder.name if record.folder else "")})
    count = 0
    for name, of in columns.items():
        for row in recording.table(name):
            _put(file, {name: [row[column] for column in of]})
            count += 1
    _put(file, {"end": {"rows": count}})
    return without_code


def _put(file: TextIO, line: Any) -> None:
    file.write(json.dumps(line, separators=(",", ":")) + "\n")


def _sources(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().decode("utf-8", "surrogateescape")
        for path in sorted(folder.rglob("*.py"))
    }


def _snapshot(record: SnapshotRecord, sources: str) -> dict[str, Any]:
    return {
        "hash": record.hash,
        "namespace": record.namespace,
        "workflow": record.workflow,
        "sources": sources,
        "entry": record.entry,
        "definition": record.definition,
        "created_at": micros_of(record.created_at),
    }


def _snapshot_of(content: dict[str, Any], folder: Path) -> SnapshotRecord:
    created_at = instant_of(content["created_at"])
    if created_at is None:
        raise StoreError(f"recording: snapshot {content['hash'][:12]} has no time")
    return SnapshotRecord(
        hash=content["hash"],
        namespace=content["namespace"],
        workflow=content["workflow"],
        folder=str(folder / content["sources"]) if content["sources"] else "",
        entry=content["entry"],
        definition=content["definition"],
        created_at=created_at,
    )


def _lay_out(content: dict[str, Any], folder: Path) -> None:
    for name, text in content["files"].items():
        inside = PurePosixPath(content["name"], name)
        if inside.is_absolute() or ".." in inside.parts:
            raise StoreError(f"recording: source file {name!r} lies outside of its folder")
        path = folder / inside
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))


def _lines(file: TextIO, path: Path) -> Iterator[tuple[str, Any]]:
    """Every line but the last, as its kind and what is in it; the whole is checked on the way."""
    count = -1
    for number, text in enumerate(file, start=1):
        kind, content = _line(text, number, path)
        if number == 1:
            yield "columns", content
            count = 0
        elif kind == "end":
            if content["rows"] != count:
                raise StoreError(
                    f"recording {str(path)!r} has {count} rows, its last line says "
                    f"{content['rows']}; take a whole copy"
                )
            return
        else:
            count += kind in _NAMES
            yield kind, content
    raise StoreError(f"recording {str(path)!r} is cut off: its last line is missing")


def _line(text: str, number: int, path: Path) -> tuple[str, Any]:
    try:
        line = json.loads(text)
    except ValueError:
        line = None
    known = isinstance(line, dict) and bool(line)
    if number == 1:
        if not known or _HEADER not in line:
            raise StoreError(
                f"{str(path)!r} is no recording; 'eventflow replay --save FILE' writes one"
            )
        if line[_HEADER] != VERSION:
            raise StoreError(
                f"recording {str(path)!r} has version {line[_HEADER]!r}, this eventflow knows "
                f"{VERSION}"
            )
        return "columns", line["columns"]
    if not known:
        raise StoreError(f"recording {str(path)!r}: line {number} is no JSON object")
    kind, content = next(iter(line.items()))
    return kind, content
