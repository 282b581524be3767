"""The file of a store: made at once and stamped, or looked at before anything is touched.

A file that is not ours, is damaged or is newer than this program is refused by reading its first
hundred bytes: SQLite itself does not open it, so that it stays as it is.
"""

import contextlib
import os
import sqlite3
import struct
from pathlib import Path

from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from eventflow.crashpoints import reach
from eventflow.errors import StoreError
from eventflow.store import data_tables, tables
from eventflow.store.columns import Table
from eventflow.store.leftwal import completes, wal_of
from eventflow.store.lock import forget_epoch
from eventflow.store.places import files_beside, restore_marker

# Stamped into the header: "evfw", and the version of the tables: another one for other tables.
APPLICATION_ID = 0x65766677
SCHEMA_VERSION = 3

_MODULES = (tables, data_tables)
_HEADER_BYTES = 100
_MAGIC = b"SQLite format 3\0"


def prepare(path: Path, *, create: bool) -> None:
    """Make sure that `path` holds a store of this version.

    Args:
        create: Whether to make one where there is no file.

    Raises:
        StoreError: If there is none, or what is there is something else. Nothing was changed.
    """
    if restore_marker(path).exists():
        raise StoreError(
            f"store {str(path)!r} is being restored, or that was ended half-way. It was left as it "
            f"is; run 'eventflow db restore FILE' again"
        )
    if not path.exists():
        if not create:
            raise StoreError(
                f"there is no store at {str(path)!r}; name another by --store or EVENTFLOW_STORE, "
                f"or start a scheduler, which makes it: 'eventflow serve FILE'"
            )
        _make_file(path)
    if not path.is_file():
        raise StoreError(f"{str(path)!r} is no file; a store is one file, name it in the URL")
    try:
        header, size = _first_bytes(path)
        if not header:
            # Made a moment ago: by us, or by another process that has not got further yet.
            _make_tables(path)
            return
        try:
            _check_header(path, header, size)
        except StoreError:
            # It may have been written to between two looks, and its WAL begun anew.
            _check_header(path, *_first_bytes(path))
    except OSError as error:
        raise StoreError(f"store {str(path)!r} cannot be read: {error}") from error


def _first_bytes(path: Path) -> tuple[bytes, int]:
    with path.open("rb") as file:
        return file.read(_HEADER_BYTES), os.fstat(file.fileno()).st_size


def is_store(path: Path) -> bool:
    """Whether the file at `path` is stamped as a store, of whatever version."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if not header.startswith(_MAGIC) or len(header) < _HEADER_BYTES:
        return False
    (application,) = struct.unpack(">68xI28x", header)
    return bool(application == APPLICATION_ID)


def _make_file(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        reach("schema.file")
        folder = os.open(path.parent, os.O_RDONLY)
    except FileExistsError:
        return
    except OSError as error:
        raise StoreError(
            f"store {str(path)!r} cannot be made: {error.strerror}; is the folder there, and yours?"
        ) from error
    # What is known in the folder beside it is of a store that is gone.
    forget_epoch(files_beside(path) / "lock")
    try:
        # The name of the file must be as durable as what will be in it.
        os.fsync(folder)
    finally:
        os.close(folder)


def _check_header(path: Path, header: bytes, size: int) -> None:
    name = str(path)
    if not header.startswith(_MAGIC) or len(header) < _HEADER_BYTES:
        raise StoreError(
            f"{name!r} is not an eventflow store: it is no SQLite database. It was left as it is; "
            f"name another file"
        )
    page_size, pages = struct.unpack(">16xH10xI68x", header)
    version, application = struct.unpack(">60xI4xI28x", header)
    if application != APPLICATION_ID:
        raise StoreError(
            f"{name!r} is a SQLite database of another program, not an eventflow store. It was "
            f"left as it is; name another file"
        )
    if version != SCHEMA_VERSION:
        way_out = (
            "or a newer one"
            if version > SCHEMA_VERSION
            else "or name another file, for a new store: there is no way to bring this one along"
        )
        raise StoreError(
            f"store {name!r} has schema version {version}, this eventflow knows {SCHEMA_VERSION}. "
            f"It was left as it is; use the eventflow that made it, {way_out}"
        )
    page_bytes = 65_536 if page_size == 1 else page_size
    if size < pages * page_bytes and not completes(wal_of(path), page_bytes, (size, pages)):
        raise StoreError(
            f"store {name!r} is truncated: {size} bytes of {pages} pages. It was left as it is; "
            f"restore the last good copy"
        )


def _make_tables(path: Path) -> None:
    """Make and stamp the tables in one transaction; whoever comes second finds them there.

    The journal is not a WAL yet: the stamp is to stand in the file itself, where it is looked for.
    """
    try:
        with contextlib.closing(
            sqlite3.connect(path, timeout=5.0, isolation_level=None)
        ) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN EXCLUSIVE")
            reach("schema.begun")
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            if application != APPLICATION_ID:
                for statement in _statements():
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            reach("schema.written")
            connection.execute("COMMIT")
            reach("schema.committed")
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            f"the tables of store {str(path)!r} cannot be made: {error}; try again"
        ) from error


def _statements() -> list[str]:
    dialect = sqlite.dialect()
    made = []
    for table in Table.metadata.sorted_tables:
        made.append(str(CreateTable(table).compile(dialect=dialect)))
        made.extend(str(CreateIndex(index).compile(dialect=dialect)) for index in table.indexes)
    made.append("INSERT INTO cursor VALUES (1, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL)")
    return made
