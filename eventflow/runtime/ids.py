"""Ids of events: UUIDv7 (RFC 9562, 5.7), so that they sort by time of drawing."""

import os

from eventflow.clock import Clock


def draw_id(clock: Clock) -> str:
    """A new UUIDv7 as text: 48 bits of milliseconds, then chance."""
    milliseconds = int(clock.now().timestamp() * 1000)
    number = (milliseconds & ((1 << 48) - 1)) << 80 | int.from_bytes(os.urandom(10))
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
