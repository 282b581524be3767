"""How a chain of starts calms down: a whole minute gives one hop back (S45)."""

from datetime import datetime

_MINUTE_S = 60


def calmed(hops: int, since: datetime | None, now: datetime) -> int:
    """What is left of the hops of something that came to be at `since`; never below 0.

    A clock that was set back gives nothing back, and takes nothing.
    """
    if not hops or since is None:
        return hops
    minutes = int((now - since).total_seconds() // _MINUTE_S)
    return max(hops - max(minutes, 0), 0)
