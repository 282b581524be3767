"""Wakes who waits for a store: in this process, and in others beside the same SQLite file.

A ring says only "look". It may be lost without harm, so it never blocks and never raises; who
waits looks every so often anyway. Each waiting process has a datagram socket in a folder of its
user's, named by the database's device and inode; to ring is to send one byte to each of them.
Who leaves it last takes the folder away.
"""

import contextlib
import hashlib
import logging
import os
import secrets
import select
import socket
import stat
import tempfile
import threading
from pathlib import Path

from eventflow.store.places import gone, identity_of, path_of
from eventflow.store.ports import Store

_RING = b"!"
_MAX_FOLDER = 80
_GONE_TRIES = 100
_LOG = logging.getLogger("eventflow")


class Bell:
    """The bell of one store, in one process. One thread waits on it; any may ring.

    A ring that comes while nobody waits is kept: the next wait returns at once.
    """

    def __init__(self, store: Store) -> None:
        self._path = path_of(store.url)
        self._identity = identity_of(self._path) if self._path is not None else None
        self._folder = _folder_of(self._path)
        self._lock = threading.Lock()
        self._wakes, self._waker = os.pipe()
        os.set_blocking(self._wakes, False)
        os.set_blocking(self._waker, False)
        self._awake = False
        self._closed = False
        self._poll = select.poll()
        self._poll.register(self._wakes, select.POLLIN)
        self._ear: socket.socket | None = None
        self._deaf = self._folder is None
        self._name = ""
        self._mouth: socket.socket | None = None

    def wake(self) -> None:
        """Wake the thread of this process that waits."""
        with self._lock:
            if not self._awake and not self._closed:
                self._awake = True
                os.write(self._waker, _RING)

    def ring(self) -> None:
        """Wake whoever waits, in this process and in others."""
        self.wake()
        self.ring_others()

    def ring_others(self) -> None:
        """Wake the other processes that wait beside the same file."""
        if self._folder is None:
            return
        try:
            with os.scandir(self._folder) as others:
                names = [other.name for other in others]
        except OSError:
            return
        for name in names:
            if name != self._name:
                self._send(name)

    def wait(self, timeout: float | None) -> bool:
        """Wait for a ring, at most `timeout` seconds; whether there was one.

        The first wait returns at once: only from then on do other processes know of this one, and
        something may have come before.
        """
        if self._ear is None and not self._deaf:
            self._listen()
            return True
        heard = bool(self._poll.poll(timeout * 1000 if timeout is not None else None))
        with self._lock:
            if self._awake and not self._closed:
                self._awake = False
                os.read(self._wakes, 16)
        if self._ear is not None:
            with contextlib.suppress(OSError):
                while self._ear.recv(16):
                    heard = True
        return heard

    def check_place(self) -> None:
        """See whether the store's file is the one that was there at first; cheap.

        Raises:
            StoreGoneError: If it was deleted, or replaced by another.
        """
        if self._path is not None and identity_of(self._path) != self._identity:
            raise gone(self._path)

    def close(self) -> None:
        """Take the sockets away; a second call does nothing. Nobody may be waiting any more."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            os.close(self._wakes)
            os.close(self._waker)
            for end in (self._ear, self._mouth):
                if end is not None:
                    end.close()
            if self._folder is not None and self._name:
                self._folder.joinpath(self._name).unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # somebody else waits there
                    _own_folder(self._folder.parent)
                    self._folder.rmdir()

    def _listen(self) -> None:
        """Bind the socket by which others wake this process; without it, it hears itself only."""
        self._deaf = True
        if self._folder is None:
            return
        ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        try:
            _bind(ear, self._folder, name)
        except OSError as error:
            ear.close()
            _LOG.warning("bell.deaf folder=%s reason=%r", self._folder, str(error))
            return
        ear.setblocking(False)
        self._poll.register(ear, select.POLLIN)
        self._ear, self._name = ear, name

    def _send(self, name: str) -> None:
        path = f"{self._folder}/{name}"
        with self._lock:
            if self._closed:
                return
            if self._mouth is None:
                self._mouth = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._mouth.setblocking(False)
            try:
                self._mouth.sendto(_RING, path)
            except ConnectionRefusedError:
                _remove_dead(Path(path))
            except OSError:
                # Gone this moment, or so full of rings that one more would say nothing.
                return


def _folder_of(path: Path | None) -> Path | None:
    """Where the waiters of this store have their sockets; `None` where no other process can be."""
    if path is None:
        return None
    found = path.stat()
    name = hashlib.sha256(f"{found.st_dev}:{found.st_ino}".encode()).hexdigest()[:16]
    own = f"eventflow-{os.getuid()}"
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folders = [Path(tempfile.gettempdir()) / own / name, Path("/tmp") / own / name]  # noqa: S108
    if runtime and Path(runtime).is_dir():
        folders.insert(0, Path(runtime) / "eventflow" / name)
    # A socket's whole path has at most 104 bytes (macOS): a long folder would leave us deaf.
    return next((it for it in folders if len(os.fsencode(it)) <= _MAX_FOLDER), folders[-1])


def _bind(ear: socket.socket, folder: Path, name: str) -> None:
    """Give a socket its name in a folder of ours. Raises OSError where that cannot be."""
    for tries in range(1, _GONE_TRIES + 1):
        _own_folder(folder.parent)
        try:
            _own_folder(folder)
            ear.bind(str(folder / name))
        except (FileNotFoundError, FileExistsError):
            # Whoever left it last took it away, just before we asked or just after.
            if tries == _GONE_TRIES:
                raise
        else:
            return


def _own_folder(path: Path) -> None:
    """Make a folder of the user's own. Raises OSError where someone else has put one."""
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{path} is not a folder of this user's own")


def _remove_dead(path: Path) -> None:
    """Take away the socket of a process that died without doing so.

    Nothing else is ever removed: in a temporary folder someone could have put a link in the way.
    """
    with contextlib.suppress(OSError):
        _own_folder(path.parent.parent)
        _own_folder(path.parent)
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
