"""A WAL that nobody has open: whether it is of the file that it lies beside.

SQLite takes any WAL that is whole and has the right name, and writes it into the file when the last
connection is closed. One of another store, or of another copy of this one, would spoil it. So it is
looked at first, by a connection that cannot write.
"""

import os
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from eventflow.errors import StoreError

# Larger stores are not read through.
CHECKED_BYTES = 64 * 1024 * 1024

# What only ever grows, whatever happens to a store.
_COUNTERS = 'SELECT lease_epoch, turn, execution_id, task_execution_id, "offset" FROM cursor'
# Bytes before the first frame of a WAL, and before the page of each (SQLite's file format, 4.1).
_WAL_HEADER, _FRAME_HEADER = 32, 24
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def check_left_wal(path: Path) -> None:
    """That the file with its WAL is one whole store, if there is a WAL.

    Raises:
        StoreError: If not. Both files are as they were.
    """
    wal = wal_of(path)
    try:
        if not wal.stat().st_size:
            return
    except FileNotFoundError:
        # Also where the last one who had the store open has just closed it.
        return
    before = _counters(path)
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as together:
            told = next(_faults(together, before, path.stat().st_size), None)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
            return  # whoever opens it to work with it says what is the matter
        told = str(error)
    if told is not None:
        raise StoreError(
            f"store {str(path)!r}: the WAL beside it is of another file, or damaged ({told}). Both "
            f"were left as they are; put the file back for which {wal.name!r} was written, or "
            f"restore the last good copy by 'eventflow db restore'"
        )


def completes(wal: Path, page_bytes: int, short: tuple[int, int]) -> bool:
    """Whether a WAL holds the pages that are not in its file yet.

    SQLite writes a WAL into the file page by page, the first one with the number of all of them
    first. Whoever looks meanwhile, or after that was killed, sees a file that is too short, and
    nothing is missing.

    Args:
        short: The size of the file in bytes, and of how many pages it says that it is.
    """
    size, pages = short
    missing = set(range(size // page_bytes + 1, pages + 1))
    try:
        with wal.open("rb") as file:
            salts = file.read(_WAL_HEADER)[16:24]
            while missing and len(frame := file.read(_FRAME_HEADER)) == _FRAME_HEADER:
                number, frame_salts = struct.unpack(">I4x8s8x", frame)
                if frame_salts != salts:
                    break  # what is left of the WAL that was here before
                missing.discard(number)
                file.seek(page_bytes, os.SEEK_CUR)
    except FileNotFoundError:
        return False
    return not missing


def wal_of(path: Path) -> Path:
    """Where SQLite keeps the WAL of a file."""
    return path.with_name(path.name + "-wal")


def _counters(path: Path) -> tuple[int, ...]:
    """What the file says without its WAL; nothing where it cannot be read so."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as alone:
            return tuple(alone.execute(_COUNTERS).fetchone() or ())
    except sqlite3.Error:
        return ()


def _faults(together: sqlite3.Connection, before: tuple[int, ...], size: int) -> Iterator[str]:
    after = tuple(together.execute(_COUNTERS).fetchone() or ())
    if any(now < then for then, now in zip(before, after, strict=False)):
        yield "it is older than the file"
    if size <= CHECKED_BYTES:
        (found,) = together.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            yield " ".join(found.split())
