"""A backup is put in the place of a store: looked at first, then made ready beside, then renamed.

The one rename that counts is that of the file: before it the old store is there, after it the new
one. What is renamed before it, of the folder beside, a second try finds as it is.
"""

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from eventflow.errors import StoreBusyError, StoreError
from eventflow.store.backup import MARKER, sync, sync_all
from eventflow.store.database import BUSY_TIMEOUT_S, store_error
from eventflow.store.lock import forget_epoch
from eventflow.store.places import files_beside, private_folder
from eventflow.store.schema import prepare

# What belongs to the store that was: marks of attempts, and output, under ids given once more.
_OF_THE_OLD = ("spool", "logs")


def restore(backup: Path, path: Path, *, now: datetime, force: bool = False) -> Path | None:
    """Put `backup`, which stays as it is, in the place of the store at `path`.

    Args:
        now: Names the store that was there, which is moved aside.
        force: Whether one may be there.

    Returns:
        Where the store that was there is now; `None` when there was none.

    Raises:
        StoreBusyError: If a scheduler holds the store.
        StoreError: If the backup is no whole store of this version, or a store is there.
    """
    check_backup(backup)
    if path.exists() and not force:
        raise StoreError(
            f"a store is at {str(path)!r} already; with --force it is moved aside, under a name "
            f"with the time"
        )
    files = files_beside(path)
    aside = path.with_name(f"{path.name}.before-{now:%Y%m%dT%H%M%S}")
    try:
        private_folder(files)
        with _held(files / "lock", path):
            new = _made_ready(backup, path)
            forget_epoch(files / "lock")
            if not path.exists():
                _move_stale(path, aside)
                new.rename(path)
                moved = None
            else:
                _swap(new, path, aside)
                moved = aside
            _take_logs(backup, files)
            sync(path.parent)
    except OSError as error:
        raise StoreError(f"store {str(path)!r} cannot be restored: {error}") from error
    except sqlite3.Error as error:
        raise store_error(path, error) from error
    return moved


def check_backup(backup: Path) -> None:
    """That a file is a whole store of this version.

    Raises:
        StoreError: If not. It was only read.
    """
    if not backup.is_file() or backup.stat().st_size == 0:
        raise StoreError(f"{str(backup)!r} is no backup: there is no such file, or it is empty")
    prepare(backup, create=False)
    wal = backup.with_name(backup.name + "-wal")
    if wal.exists() and wal.stat().st_size:
        raise StoreError(
            f"{str(backup)!r} has a WAL beside it: it is a store in use, or a copy of one; make a "
            f"backup of it by 'eventflow db backup'"
        )
    try:
        with closing(sqlite3.connect(f"{backup.as_uri()}?immutable=1", uri=True)) as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
            dangling = connection.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.Error as error:
        raise StoreError(f"backup {str(backup)!r} is damaged: {error}; take another") from error
    if found != ["ok"] or dangling:
        what = "; ".join(found) if found != ["ok"] else f"{len(dangling)} rows refer to nothing"
        raise StoreError(f"backup {str(backup)!r} is damaged: {what}; take another")


@contextmanager
def _held(lock: Path, path: Path) -> Iterator[None]:
    """No scheduler takes the store meanwhile.

    Raises:
        StoreBusyError: If one has it.
    """
    opened = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreBusyError(
                f"store {str(path)!r} is held by a scheduler; stop it, then restore"
            ) from error
        yield
    finally:
        os.close(opened)


def _made_ready(backup: Path, path: Path) -> Path:
    """The copy beside the store, and its code in the store's folder: it is named by its content."""
    new = path.with_name(f".{path.name}.restored")
    new.unlink(missing_ok=True)
    shutil.copyfile(backup, new)
    new.chmod(0o600)
    sync(new)
    code = files_beside(backup) / "snapshots"
    if code.is_dir():
        into = files_beside(path) / "snapshots"
        shutil.copytree(code, into, dirs_exist_ok=True)
        into.chmod(0o700)
        sync_all(into)
    return new


def _swap(new: Path, path: Path, aside: Path) -> None:
    """Keep the old store under another name, and put the new one in its place."""
    files, aside_files = files_beside(path), files_beside(aside)
    with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as old:
        _keep_quiet(old, path)
        aside.hardlink_to(path)
        aside_files.mkdir(mode=0o700)
        if (files / "snapshots").is_dir():
            shutil.copytree(files / "snapshots", aside_files / "snapshots")
        _move_stale(path, aside)
        for end in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + end).rename(aside.with_name(aside.name + end))
        new.rename(path)


def _keep_quiet(old: sqlite3.Connection, path: Path) -> None:
    """Have the whole store in its file, and nobody write to it while the connection is open.

    Whoever waits to do so finds that another file has its name.

    Raises:
        StoreBusyError: If somebody goes on writing.
    """
    try:
        old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        old.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        # It is damaged, which is why another is put in its place: it is kept as it is.
        return
    wal = path.with_name(path.name + "-wal")
    if wal.exists() and wal.stat().st_size:
        raise StoreBusyError(
            f"store {str(path)!r} is being written by another process; end it, then restore"
        )


def _move_stale(path: Path, aside: Path) -> None:
    """Take what belongs to the store that was out of the folder."""
    files, aside_files = files_beside(path), files_beside(aside)
    for name in _OF_THE_OLD:
        if (files / name).is_dir():
            aside_files.mkdir(mode=0o700, exist_ok=True)
            (files / name).rename(aside_files / name)


def _take_logs(backup: Path, files: Path) -> None:
    logs = files_beside(backup) / "logs"
    if logs.is_dir() and (files_beside(backup) / MARKER).is_file():
        shutil.copytree(logs, files / "logs", dirs_exist_ok=True)
