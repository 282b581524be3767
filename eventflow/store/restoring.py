"""A backup is put in the place of a store: looked at first, then made ready beside, then renamed.

Before the first thing of the old store is touched, a marker is put into its folder; from then on
the store is neither the old one nor the new, nobody opens it, and only a restore goes on. What one
that was killed has done, the next one finds done.
"""

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from eventflow.crashpoints import reach
from eventflow.errors import StoreBusyError, StoreError
from eventflow.store.backup import MARKER, sync, sync_all
from eventflow.store.database import BUSY_TIMEOUT_S, store_error
from eventflow.store.lock import forget_epoch
from eventflow.store.places import files_beside, private_folder, restore_marker
from eventflow.store.schema import prepare

# What belongs to the store that was: marks of attempts, and output, under ids given once more.
_OF_THE_OLD = ("spool", "logs")
_NEW_LOGS = ".logs.restored"


def restore(backup: Path, path: Path, *, now: datetime, force: bool = False) -> Path | None:
    """Put `backup`, which stays as it is, in the place of the store at `path`.

    Args:
        now: Names the store that was there, which is moved aside.
        force: Whether one may be there; one that a killed restore has left may.

    Returns:
        Where the store that was there is now; `None` when there was none.

    Raises:
        StoreBusyError: If a scheduler holds the store.
        StoreError: If the backup is no whole store of this version, or a store is there.
    """
    check_backup(backup)
    marker = restore_marker(path)
    if path.exists() and not force and not marker.exists():
        raise StoreError(
            f"a store is at {str(path)!r} already; with --force it is moved aside, under a name "
            f"with the time"
        )
    files = files_beside(path)
    try:
        private_folder(files)
        with _held(files / "lock", path):
            new = _made_ready(backup, path)
            forget_epoch(files / "lock")
            reach("restore.copied")
            with _quiet(path):
                aside = _marked(marker, path, now)
                reach("restore.marked")
                _keep(path, aside)
                reach("restore.kept")
                _move_stale(path, aside)
                reach("restore.cleared")
                new.rename(path)
                sync(path.parent)
                reach("restore.renamed")
            _take_logs(files)
            moved = aside if aside.exists() else None
            marker.unlink()
            sync(files)
            reach("restore.ended")
    except OSError as error:
        raise StoreError(
            f"store {str(path)!r} cannot be restored: {error}; mend that and restore again"
        ) from error
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
    new, files = path.with_name(f".{path.name}.restored"), files_beside(path)
    new.unlink(missing_ok=True)
    shutil.copyfile(backup, new)
    new.chmod(0o600)
    sync(new)
    code, logs = (files_beside(backup) / name for name in ("snapshots", "logs"))
    if code.is_dir():
        shutil.copytree(code, files / "snapshots", dirs_exist_ok=True)
        (files / "snapshots").chmod(0o700)
        sync_all(files / "snapshots")
    shutil.rmtree(files / _NEW_LOGS, ignore_errors=True)
    if logs.is_dir() and (files_beside(backup) / MARKER).is_file():
        shutil.copytree(logs, files / _NEW_LOGS)
    return new


@contextmanager
def _quiet(path: Path) -> Iterator[None]:
    """Have the whole store in its file, and nobody write to it meanwhile.

    Whoever waits to do so finds that another file has its name.

    Raises:
        StoreBusyError: If somebody goes on writing.
    """
    if not path.exists():
        yield
        return
    with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as old:
        try:
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            old.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            # It is damaged, which is why another is put in its place: it is kept as it is.
            pass
        else:
            wal = path.with_name(path.name + "-wal")
            if wal.exists() and wal.stat().st_size:
                raise StoreBusyError(
                    f"store {str(path)!r} is being written by another process; end it, then restore"
                )
        yield


def _marked(marker: Path, path: Path, now: datetime) -> Path:
    """Have the marker there, durably; the name that it gives to the store that was."""
    if marker.exists():
        return path.with_name(marker.read_text())
    aside = path.with_name(f"{path.name}.before-{now:%Y%m%dT%H%M%S}")
    if aside.exists() or files_beside(aside).exists():
        raise StoreError(f"{str(aside)!r} is there already; restore again in a second")
    beside = marker.with_suffix(".new")
    beside.write_text(aside.name)
    sync(beside)
    beside.rename(marker)
    sync(marker.parent)
    return aside


def _keep(path: Path, aside: Path) -> None:
    """Give the old store its other name, once, and its code to the folder beside that."""
    if not path.exists() or aside.exists():
        return
    files, aside_files = files_beside(path), files_beside(aside)
    aside_files.mkdir(mode=0o700, exist_ok=True)
    if (files / "snapshots").is_dir():
        shutil.copytree(files / "snapshots", aside_files / "snapshots", dirs_exist_ok=True)
        sync_all(aside_files)
    aside.hardlink_to(path)


def _move_stale(path: Path, aside: Path) -> None:
    """Take what belongs to the store that was away from the new one."""
    files, aside_files = files_beside(path), files_beside(aside)
    for name in _OF_THE_OLD:
        if (files / name).is_dir():
            aside_files.mkdir(mode=0o700, exist_ok=True)
            if (aside_files / name).exists():
                # What the old store had is there: this is what a killed restore has put here.
                shutil.rmtree(files / name)
            else:
                (files / name).rename(aside_files / name)
    for end in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + end).rename(aside.with_name(aside.name + end))


def _take_logs(files: Path) -> None:
    with suppress(FileNotFoundError):
        (files / _NEW_LOGS).rename(files / "logs")
