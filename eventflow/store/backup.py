"""A copy of a store as of one commit, made beside whoever works on it.

The file is copied by SQLite itself, out of one read transaction, so that writers neither wait nor
change what is copied. Everything is made under another name first: FILE is there when it is whole.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from eventflow.crashpoints import reach
from eventflow.errors import StoreError
from eventflow.executors.code import make_folder_of_copies
from eventflow.store.database import connect, store_error
from eventflow.store.places import files_beside, resolved
from eventflow.store.schema import prepare

_PAGES = 4096
# Lies in the folder of a backup: one that was left half made is known by it.
MARKER = ".eventflow-backup"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp:
    """What a backup holds.

    Attributes:
        missing: Folders of code, or of output, that were not beside the store.
    """

    path: Path
    size: int
    events: int
    snapshots: int
    missing: tuple[str, ...]


class _StoppedError(Exception):
    """The copy is not wanted any more."""


def back_up(
    path: Path,
    target: Path,
    *,
    logs: bool = False,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] = lambda copied, total: None,
) -> BackedUp | None:
    """Copy the store at `path` to `target`, and its code to the folder beside that.

    Args:
        logs: Whether the output of tasks is copied too. The spool never is.
        stop: Asked now and then; `True` ends it, and nothing is made.
        progress: Told how many pages of how many are copied.

    Returns:
        What was made; `None` when it was stopped.

    Raises:
        StoreError: If there is no such store, `target` is there already, or cannot be written.
    """
    prepare(path, create=False)
    _check_target(target)
    new, new_files = target.with_name(f".{target.name}.new"), files_beside(target)
    try:
        new.unlink(missing_ok=True)
        _copy_database(path, new, stop, progress)
        reach("backup.copied")
        events, folders = _contents(new)
        _make_folder(new_files)
        if folders:
            make_folder_of_copies(new_files / "snapshots")
        reach("backup.begun")
        files = files_beside(path)
        wanted = [*folders, *(["logs"] if logs and (files / "logs").is_dir() else [])]
        missing = [name for name in wanted if not _copy_folder(files, new_files, name, stop)]
        sync_all(new_files)
        reach("backup.filled")
        new.rename(target)
        sync(target.parent)
        reach("backup.renamed")
    except (_StoppedError, KeyboardInterrupt):
        _clear(target, new, new_files)
        return None
    except sqlite3.Error as error:
        _clear(target, new, new_files)
        raise store_error(new, error) from error
    except OSError as error:
        _clear(target, new, new_files)
        raise StoreError(f"backup {str(target)!r} cannot be written: {error}") from error
    return BackedUp(
        path=target,
        size=target.stat().st_size,
        events=events,
        snapshots=len(folders) - sum(name != "logs" for name in missing),
        missing=tuple(missing),
    )


def _check_target(target: Path) -> None:
    files = files_beside(target)
    if target.exists():
        raise StoreError(f"{str(target)!r} is there already; name another file for the backup")
    if (files / MARKER).is_file():
        # Its file is made last: this one was killed before it was whole.
        shutil.rmtree(files)
    if files.exists():
        raise StoreError(f"{str(files)!r} is there already; name another file for the backup")


def _make_folder(new_files: Path) -> None:
    """The folder of a backup is known for one from its first moment."""
    beside = new_files.with_name(f".{new_files.name}.new")
    beside.mkdir(mode=0o700, exist_ok=True)
    (beside / MARKER).touch(mode=0o600)
    beside.rename(new_files)


def _clear(target: Path, new: Path, new_files: Path) -> None:
    # It was not there before; without its folder it must not look whole.
    for file in (target, new):
        with suppress(OSError):
            file.unlink(missing_ok=True)
    if (new_files / MARKER).is_file():
        shutil.rmtree(new_files, ignore_errors=True)


def _copy_database(
    path: Path, new: Path, stop: Callable[[], bool], progress: Callable[[int, int], None]
) -> None:
    def step(status: int, remaining: int, total: int) -> None:
        if stop():
            raise _StoppedError
        if remaining:
            progress(total - remaining, total)

    os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(connect(path, query_only=True)) as source, closing(sqlite3.connect(new)) as copy:
        # While this transaction is open every page is as of one commit; without it each commit of
        # somebody's would begin the copy anew.
        source.execute("BEGIN")
        source.execute("SELECT 1 FROM cursor").fetchone()
        source.backup(copy, pages=_PAGES, progress=step)
        copy.execute("PRAGMA journal_mode = DELETE")
    with closing(sqlite3.connect(new)) as copy:
        (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise StoreError(f"store {str(path)!r} is damaged ({found}); it was not backed up")
    sync(new)


def _contents(new: Path) -> tuple[int, list[str]]:
    """How many events a copy has, and the folders of code that lie beside the store."""
    with closing(sqlite3.connect(new)) as copy:
        (events,) = copy.execute("SELECT COUNT(*) FROM event").fetchone()
        folders = copy.execute("SELECT DISTINCT folder FROM snapshot WHERE folder <> ''")
        return events, sorted(folder for (folder,) in folders if not Path(folder).is_absolute())


def _copy_folder(files: Path, into: Path, name: str, stop: Callable[[], bool]) -> bool:
    """Copy what there is of a folder; `False` when it is not there."""
    if stop():
        raise _StoppedError
    source = Path(resolved(name, files))
    if not source.is_dir():
        return False
    try:
        shutil.copytree(source, into / name, dirs_exist_ok=True)
    except shutil.Error as error:
        # A file that went while it was looked for, as output that is pruned meanwhile.
        if any(Path(one[0]).exists() for one in error.args[0]):
            raise
    return True


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def sync_all(folder: Path) -> None:
    """Have a folder on the disk with all that is in it."""
    for place, _, names in os.walk(folder):
        for name in names:
            sync(Path(place, name))
        sync(Path(place))
