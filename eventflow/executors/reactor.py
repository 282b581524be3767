"""One thread that waits for sockets, pipes, instants and work, and framed lines over sockets.

Whatever belongs to a reactor is touched by its thread only, so nothing in it needs a lock; other
threads `post` work to it. Work is done before what has arrived since it was posted is read, and
that is read before alarms ring: who was heard of is not silent.
"""

import functools
import logging
import os
import select
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from eventflow.clock import Clock
from eventflow.executors.alarms import Alarms
from eventflow.executors.codec import MessageError
from eventflow.executors.messages import FrameReader, Message, to_frame

_LOG = logging.getLogger("eventflow")

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_CHUNK = 256 * 1024


class _HasFileno(Protocol):
    def fileno(self) -> int: ...


class Reactor:
    """The thread and what it waits for."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._alarms = Alarms()
        self._posted: deque[Callable[[], None]] = deque()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._selector.register(self._wake_read, READ, self._woken)
        self._closed = False
        # Held while waking: a late post must not write into what has taken the pipe's number.
        self._pipe = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def turn(self) -> None:
        """Wait for something, and do it, on this thread: for as long as there is no other."""
        arrived = self._selector.select(self._patience())
        # First: a stop is heeded before the end that came after it was asked for.
        for _ in range(len(self._posted)):
            self._do(self._posted.popleft())
        for key, events in arrived:
            self._do(functools.partial(key.data, events))
        for ring in self._alarms.due(self._clock.monotonic()):
            self._do(ring)

    def post(self, work: Callable[[], None]) -> None:
        """Do `work` on the reactor's thread, soon. From any thread."""
        self._posted.append(work)
        self._wake()

    def close(self) -> None:
        """End the thread, after what was posted before. From any thread but its own."""
        self.post(self._close)
        self._thread.join()
        self._selector.close()
        with self._pipe:
            os.close(self._wake_read)
            os.close(self._wake_write)
            self._wake_write = -1

    def after(self, seconds: float, ring: Callable[[], None]) -> None:
        self._alarms.add(self._clock.monotonic() + seconds, ring)

    def watch(self, file: int | _HasFileno, events: int, ready: Callable[[int], None]) -> None:
        """Call `ready` with the events that came; watching again changes what is waited for."""
        if file in self._selector.get_map():
            self._selector.modify(file, events, ready)
        else:
            self._selector.register(file, events, ready)

    def unwatch(self, file: int | _HasFileno) -> None:
        if file in self._selector.get_map():
            self._selector.unregister(file)

    def _close(self) -> None:
        self._closed = True

    def _wake(self) -> None:
        with self._pipe:
            if self._wake_write < 0:
                return
            try:
                os.write(self._wake_write, b".")
            except BlockingIOError:
                return  # the pipe is full of wakes

    def _woken(self, _: int) -> None:
        os.read(self._wake_read, 4096)

    def _run(self) -> None:
        while not self._closed:
            self.turn()

    def _patience(self) -> float | None:
        if self._posted:
            return 0.0
        next_at = self._alarms.next_at
        return None if next_at is None else max(next_at - self._clock.monotonic(), 0.0)

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # the end of a thread on which all attempts depend
            _LOG.exception("reactor.work_raised")


class Line:
    """Messages over a stream socket, without waiting. Belongs to its reactor's thread.

    Args:
        take: Gets each message.
        ended: Called once, when the peer is gone or does not keep to the form; not after `close`.
    """

    def __init__(
        self,
        sock: socket.socket,
        reactor: Reactor,
        take: Callable[[Message], None],
        ended: Callable[[], None],
    ) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._reactor = reactor
        self._take = take
        self._ended = ended
        self._frames = FrameReader()
        self._unsent = bytearray()
        self._paused = False
        self._over = False
        self._watch()

    @property
    def congested(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._unsent)

    @property
    def hung_up(self) -> bool:
        """Whether the peer is gone, however much of what it has said is not read yet."""
        if self._over:
            return True
        poll = select.poll()
        poll.register(self._socket, 0)
        return bool(poll.poll(0))

    def send(self, message: Message) -> None:
        self.send_frame(to_frame(message))

    def send_frame(self, frame: bytes) -> None:
        if not self._over:
            self._unsent += frame
            self._flush()

    def send_with_files(self, message: Message, files: list[int]) -> bool:
        """Send with copies of open files, at once or not at all; returns whether it was sent."""
        if self._over or self._unsent:
            return False
        frame = to_frame(message)
        try:
            sent = socket.send_fds(self._socket, [frame], files)
        except BlockingIOError:
            return False
        except OSError:
            self._end()
            return False
        self._unsent += frame[sent:]
        self._watch()
        return True

    def send_last(self, frame: bytes) -> None:
        """Send, and wait until all is sent. Nothing goes over the line any more."""
        self._reactor.unwatch(self._socket)
        self._over = True
        self._socket.setblocking(True)
        self._socket.sendall(bytes(self._unsent) + frame)

    def pause(self, paused: bool) -> None:
        """Read no more for now, or go on; the peer will wait."""
        self._paused = paused
        self._watch()

    def drain(self) -> None:
        """Read all that has arrived."""
        while not self._over and self._read():
            pass

    def close(self) -> None:
        if not self._over:
            self._over = True
            self._reactor.unwatch(self._socket)
        self._socket.close()

    def _watch(self) -> None:
        if self._over:
            return
        events = (0 if self._paused else READ) | (WRITE if self._unsent else 0)
        if events:
            self._reactor.watch(self._socket, events, self._ready)
        else:
            self._reactor.unwatch(self._socket)

    def _ready(self, events: int) -> None:
        if self._over:
            return
        if events & WRITE:
            self._flush()
        if events & READ and not self._over:
            self._read()

    def _flush(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            # What the peer has said before it went is still to be read.
            self._unsent.clear()
        self._watch()

    def _read(self) -> bool:
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._end()
            return False
        try:
            for message in self._frames.feed(data):
                self._take(message)
                if self._over:
                    return False
        except MessageError:
            _LOG.exception("line.broken")
            self._end()
            return False
        return True

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._reactor.unwatch(self._socket)
            self._ended()
