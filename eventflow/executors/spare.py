"""A child ahead of its attempt: forked when the one before has ended, it waits for some seconds.

It makes one attempt, as any child, so nothing is shared but what a fork shares. What it saves is
the wait for the fork and for all that a child does before it can read.
"""

import os
import socket

_FILES = 2  # the channel, and the writing end of the output


class Spare:
    """The nursery's end of one such child."""

    def __init__(self, pid: int, hand: socket.socket) -> None:
        self.pid = pid
        self._hand = hand

    def hand_over(self, channel: int, output: int) -> bool:
        """Give it its attempt; False when it is not there any more. Once at most."""
        try:
            socket.send_fds(self._hand, [b"."], [channel, output])
        except OSError:
            return False
        finally:
            self.close()
        return True

    def close(self) -> None:
        """It will get no attempt, and ends."""
        self._hand.close()


def wait_for_files(hand: socket.socket) -> tuple[int, int]:
    """The child's end: its channel and output, when they come. Ends the process when none come."""
    told, files, _, _ = socket.recv_fds(hand, 1, _FILES)
    if not told:
        os._exit(0)
    hand.close()
    channel, output = files
    for file in files:
        os.set_inheritable(file, False)
    return channel, output
