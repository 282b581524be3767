"""Where a store is: what its URL names, and the folder beside its file."""

import os
import stat
from pathlib import Path

from eventflow.errors import StoreError, StoreGoneError

DEFAULT_URL = "sqlite:///eventflow.db"
_MEMORY = ("memory", "sqlite://", "sqlite:///:memory:")
_SQLITE = "sqlite:///"
_SUPPORTED = (
    "supported are 'sqlite:///file.db' (relative), 'sqlite:////absolute/file.db', and 'sqlite://' "
    "for memory"
)


def path_of(url: str) -> Path | None:
    """The database file that `url` names, absolute; `None` for a store in memory.

    A link to a file names that file: what lies beside a store lies beside it once.

    Raises:
        StoreError: If no store can be opened by such a URL.
    """
    if url in _MEMORY:
        return None
    if not url.startswith(_SQLITE) or not url.removeprefix(_SQLITE):
        raise StoreError(f"no store can be opened by {url!r}{_hint(url)}; {_SUPPORTED}")
    name = url.removeprefix(_SQLITE)
    if "?" in name or "\0" in name:
        raise StoreError(f"store URL {url!r} must name a file and nothing else; {_SUPPORTED}")
    path = Path(name).absolute()
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _hint(url: str) -> str:
    return f"; did you mean '{_SQLITE}{url}.db'?" if url.isidentifier() else ""


def identity_of(path: Path) -> tuple[int, int] | None:
    """What tells a file from any other by its name: device and inode; `None` when it is not there.

    The inode is what an open store goes on with, whatever becomes of the name.
    """
    try:
        found = os.stat(path)  # noqa: PTH116  twice in each transaction, where it counts
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def check_alone(path: Path) -> None:
    """That the file has no second name: by that it would have another WAL, and another lock.

    Raises:
        StoreError: If it has one.
    """
    names = path.stat().st_nlink
    if names > 1:
        raise StoreError(
            f"store {str(path)!r} has {names} names (hard links); by each of them SQLite keeps "
            f"another WAL, and what one writes the other overwrites. It was left as it is; take "
            f"the other names away: 'find -samefile {path.name}' tells them"
        )


def gone(path: Path) -> StoreGoneError:
    """The error of a store whose file is not the one that was opened any more."""
    became = "was replaced by another file" if path.exists() else "was deleted"
    return StoreGoneError(
        f"store {str(path)!r} {became} while it was open; nothing more is written. Put the file "
        f"back, or start again with the one that is there"
    )


def files_beside(path: Path) -> Path:
    """The folder of the files that belong to a store: snapshots, logs, spool."""
    return path.with_name(path.name + "-files")


def restore_marker(path: Path) -> Path:
    """What is there while a backup is put in the place of a store, and until that is finished."""
    return files_beside(path) / "restoring"


def within(folder: str, files: Path) -> str:
    """How the table names a folder: from `files` on when it lies there, so that a store can move.

    Args:
        folder: Absolute; empty for none.
        files: The folder beside the store.
    """
    path = Path(folder)
    return path.relative_to(files).as_posix() if path.is_relative_to(files) else folder


def resolved(folder: str, files: Path) -> str:
    """The absolute folder that `within` has named; empty for none."""
    return str(files / folder) if folder else ""


def private_folder(path: Path) -> None:
    """Make a folder that only its owner can look into.

    Raises:
        StoreError: If it cannot be made, or is no folder.
    """
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        mode = path.stat().st_mode
        if stat.S_IMODE(mode) & 0o077:
            path.chmod(0o700)
    except OSError as error:
        raise StoreError(f"folder {str(path)!r} cannot be made private: {error}") from error
