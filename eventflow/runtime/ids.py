"""Ids of events: UUIDv7 (RFC 9562, 5.7), so that they sort by time of drawing."""

import secrets
import uuid

from eventflow.clock import Clock


def draw_id(clock: Clock) -> str:
    """A new UUIDv7 as text: 48 bits of milliseconds, then chance."""
    milliseconds = int(clock.now().timestamp() * 1000)
    chance = secrets.randbits(80)
    number = (milliseconds & ((1 << 48) - 1)) << 80 | chance
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=number))
