"""Several processes on one SQLite file, and what a crash leaves (F10, F45, G1)."""

import os
import sqlite3

import pytest
from conftest import Opens
from processes import Other
from story import event

from eventflow.errors import StoreBusyError

HOLD = """
store.hold("eventflow serve")
say("held")
sys.stdin.readline()
store.release(clean=True)
say("released")
sys.stdin.readline()
"""

APPEND = """
import itertools
def emit(who):
    for number in itertools.count():
        (one,) = store.append([event("k", number, sender=who, id=str(number))], drawn=who == "a")
        say(one.offset, who, number)
for who in "abcd":
    threading.Thread(target=emit, args=(who,)).start()
"""

APPEND_SOME = """
say("ready")
sys.stdin.readline()
for number in range(100):
    (one,) = store.append([event("k", number, sender=sys.argv[1], id=str(number))])
    say(one.offset, number)
store.close()
"""


@pytest.mark.fault("F45")
def test_f45_a_second_scheduler_is_told_who_holds_the_store(opens: Opens, url: str) -> None:
    with Other(url, HOLD, dict(os.environ)) as other:
        assert other.hear() == "held"
        store = opens()
        held = store.holder()
        assert held is not None
        assert (held.pid, held.program) == (other.process.pid, "eventflow serve")

        with pytest.raises(
            StoreBusyError, match=rf"held by eventflow serve \(pid {other.process.pid} on "
        ):
            store.hold("eventflow run")

        assert store.append([event("k")])[0].offset == 1
        other.tell("release")
        assert other.hear() == "released"
        assert store.holder() is None
        store.hold("eventflow run")
        assert store.was_clean()


@pytest.mark.fault("F45")
def test_f45_a_crashed_holder_leaves_its_lock_to_the_next_at_once(opens: Opens, url: str) -> None:
    with Other(url, HOLD, dict(os.environ)) as other:
        assert other.hear() == "held"
        other.kill()

    store = opens()
    assert store.holder() is None
    store.hold("the next")
    assert not store.was_clean()


@pytest.mark.rule("S2")
def test_what_was_acknowledged_is_there_after_a_kill(opens: Opens, url: str) -> None:
    with Other(url, APPEND, dict(os.environ)) as other:
        journal = [other.hear() for _ in range(300)]
        other.kill()
        journal.extend(other.rest())

    store = opens()
    kept = {(one.offset, one.sender, one.value) for one in store.read(limit=1_000_000)}
    acknowledged = [line.split() for line in journal]
    assert len(acknowledged) >= 300
    for offset, who, number in acknowledged:
        assert (int(offset), who, int(number)) in kept
    ids = [(one.sender, one.id) for one in store.read(limit=1_000_000)]
    assert len(ids) == len(set(ids))
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


@pytest.mark.rule("S1", "S2")
def test_processes_that_append_at_once_get_offsets_of_their_own(opens: Opens, url: str) -> None:
    others = [Other(url, APPEND_SOME, dict(os.environ)) for _ in range(3)]
    try:
        # Three processes made one new file at the same time.
        assert [other.hear() for other in others] == ["ready"] * 3
        for other in others:
            other.tell("go")
        told = [[line.split() for line in other.rest()] for other in others]
    finally:
        for other in others:
            other.__exit__(None, None, None)

    # All three say the same events: each is one event, with one offset for whoever says it.
    assert told[0] == told[1] == told[2]
    offsets = [int(offset) for offset, _ in told[0]]
    assert offsets == sorted(set(offsets))
    assert len(opens().read()) == 100
