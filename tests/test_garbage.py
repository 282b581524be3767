"""Garbage collection is held, and goes on as it was."""

import gc

import pytest

from eventflow.garbage import no_collection


def test_collection_is_held_for_as_long_as_it_takes_and_then_goes_on() -> None:
    with no_collection():
        assert not gc.isenabled()
        with no_collection():
            pass
        assert not gc.isenabled()

    assert gc.isenabled()


def test_what_fails_lets_collection_go_on() -> None:
    with pytest.raises(ValueError, match="no"), no_collection():
        raise ValueError("no")

    assert gc.isenabled()


def test_who_has_turned_collection_off_finds_it_off() -> None:
    gc.disable()
    try:
        with no_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
