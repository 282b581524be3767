"""Holding the cyclic garbage collector while much is made and none of it is garbage yet."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Hold it for something that keeps all that it makes until it is done.

    Each collection on the way would walk all of it and free nothing, and the cost of one thing
    would grow with the number of things.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
