"""The lock of a store, a file in the folder beside it: who has it is the one scheduler.

The system lets go of it when its holder ends, however it ends. In the file stands how many
schedulers have held the store: a file of the store that knows of fewer lacks what was committed.
"""

import contextlib
import fcntl
import os
import threading
from pathlib import Path

from eventflow.errors import StoreError

# Someone who only asks whether the lock is free has it for a moment; that is no scheduler.
_TRIES = 10
_WAIT_S = 0.02


def open_lock(path: Path) -> int:
    """A file descriptor of the lock; closing it lets go.

    Raises:
        StoreError: If it cannot be opened.
    """
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(f"lock {str(path)!r} cannot be opened: {error.strerror}") from error


def take_lock(lock: int) -> bool:
    """Take it; `False` when another has it."""
    wait = threading.Event()
    for _ in range(_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            wait.wait(_WAIT_S)
        else:
            return True
    return False


def is_held(path: Path) -> bool:
    """Whether a scheduler has the lock in this file."""
    if not path.exists():
        return False
    lock = open_lock(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(lock)


def known_epoch(lock: int) -> int:
    """How many schedulers have held the store, as its folder knows; 0 when it does not."""
    told = os.pread(lock, 20, 0)
    return int(told) if told.strip().isdigit() else 0


def know_epoch(lock: int, epoch: int) -> None:
    """Write it down, once it is committed."""
    with contextlib.suppress(OSError):
        os.ftruncate(lock, 0)
        os.pwrite(lock, b"%d\n" % epoch, 0)


def forget_epoch(path: Path) -> None:
    """The store is a new one from here on."""
    with contextlib.suppress(OSError):
        os.truncate(path, 0)
