"""The faults that eventflow survives, and which tests show it; `make rules` writes docs/faults.md.

Read from the `@pytest.mark.fault("F21")` of every test; such a test is named after its fault, as
`test_f21_...`. `test_faultrows.py` fails while the page is not what this would write.
"""

from typing import NamedTuple

from tests.marks import ROOT, proofs

PAGE = ROOT / "docs" / "faults.md"


class Row(NamedTuple):
    """One fault, and what is promised when it happens."""

    fault: str
    promise: str


ROWS = {
    "F01": Row(
        "The process is killed before an emitted event is committed.",
        "Whoever emitted has no answer and may emit again with the same id: one event.",
    ),
    "F02": Row(
        "The process is killed after the commit of an event, before the answer.",
        "Emitting again with the same id answers with the first event; there is one.",
    ),
    "F03": Row(
        "The scheduler is killed while a condition is asked.",
        "Nothing of that event is half decided; the next scheduler asks again and decides it.",
    ),
    "F04": Row(
        "The scheduler is killed after a decision is committed, before its tasks are handed over.",
        "The next scheduler hands them over: each starts, once.",
    ),
    "F05": Row(
        "The scheduler is killed when a child has started and nothing says so yet.",
        "The child dies with its scheduler; two attempts of one run never overlap.",
    ),
    "F06": Row(
        "The scheduler is killed after a task has ended, before its end is committed.",
        "The end is read from the spool by the next one, or the attempt counts as lost.",
    ),
    "F07": Row(
        "A kill in the middle of a shutdown, the making of tables, pruning or a backup.",
        "Whatever was going on can be done again, and the store is whole.",
    ),
    "F08": Row(
        "SIGTERM while tasks run.",
        "They get the grace, then they are killed and count as lost; exit status 0, within the "
        "grace and two seconds.",
    ),
    "F09": Row(
        "A commit that succeeds is reported as failed.",
        "It is unknown, and is found out by reading, never by doing it again.",
    ),
    "F10": Row(
        "Another process keeps the store locked.",
        "A writer waits, then says so by an error of its own kind; what was acknowledged stays, "
        "and the scheduler goes on when the lock is gone.",
    ),
    "F13": Row(
        "The file is damaged, cut off, or stands beside a WAL that is not its own.",
        "It is refused with what to do, and is byte for byte what it was.",
    ),
    "F14": Row(
        "The file is replaced or deleted under a running scheduler, has a second name, or lies on "
        "a network disk.",
        "It is refused or noticed within a minute, and nothing is acknowledged that only the old "
        "file holds.",
    ),
    "F20": Row(
        "The newest row is deleted.",
        "Its number is not given again.",
    ),
    "F21": Row(
        "The process of a task is killed from outside.",
        "The attempt is known to be over within a second, and the task goes on by what it is "
        "defined to do: same run, next attempt.",
    ),
    "F22": Row(
        "A task hangs: it is stopped by a signal, waits for itself, or never ends.",
        "Its time-out ends it with all of its process group.",
    ),
    "F23": Row(
        "An attempt that was given up ends after all.",
        "Its end is refused and noted; the run has one end, that of the newest attempt.",
    ),
    "F24": Row(
        "A task is killed before its first sign of life.",
        "Silence is counted from the start; nothing stays QUEUED or RUNNING for ever.",
    ),
    "F25": Row(
        "The same event is emitted many times at once, by many processes.",
        "It is one event, and every answer is the same.",
    ),
    "F26": Row(
        "Events come late or in another order than they happened.",
        "They are decided in the order of the log; the sender's time is data.",
    ),
    "F27": Row(
        "The wall clock jumps by an hour or a day, in either direction.",
        "No attempt is lost or timed out by it, and no due time fires twice.",
    ),
    "F29": Row(
        "A schedule that never comes, has random fields, or is made to be slow.",
        "It is refused when it is defined, in less than 50 ms.",
    ),
    "F30": Row(
        "A schedule was not looked at for a long time.",
        "Each due time is fired or accounted for as skipped; starting takes less than five "
        "seconds.",
    ),
    "F34": Row(
        "A task raises what cannot be raised, printed, pickled or kept.",
        "Its attempt is FAILED with type, text and traceback, cut to size; no other is touched.",
    ),
    "F35": Row(
        "A task ignores SIGTERM, forks, leaves its process group, or keeps its output open.",
        "It is killed after the grace with all that descends from it, where the system allows.",
    ),
    "F36": Row(
        "A task ends by a signal, by os._exit or by sys.exit.",
        "Its exit status decides, as S27 says; exactly that attempt has failed.",
    ),
    "F38": Row(
        "A result is not JSON, or too large.",
        "The task is FAILED for good with what to do instead; its code does not run again.",
    ),
    "F39": Row(
        "A condition raises.",
        "It is a failed verdict of that one rule with its traceback; all other rules act.",
    ),
    "F41": Row(
        "Rules trigger each other in a circle.",
        "The storm goes on in bounded steps, others are served meanwhile, and it can be ended.",
    ),
    "F42": Row(
        "Code is changed, renamed or taken away between a crash and the next start.",
        "Executions go on with the code that they began with, or are parked with the reason.",
    ),
    "F43": Row(
        "A rule is changed while events wait.",
        "Each event is judged by the version in force when its turn comes, and says which.",
    ),
    "F44": Row(
        "The making of tables is killed, or done by many at once, or by another version.",
        "The tables are there whole or not at all; another version is refused.",
    ),
    "F45": Row(
        "A second scheduler is started on the same file.",
        "It is refused, and told who holds the store; nothing is decided twice.",
    ),
    "F48": Row(
        "Many threads emit, read and start while schedulers come, go and are interrupted.",
        "Nothing is lost, and no thread or open file is left.",
    ),
    "F49": Row(
        "Pruning meets what is still needed.",
        "Nothing is taken away that something refers to, and a duplicate stays one for the whole "
        "of its window.",
    ),
}

_HEAD = """# Faults and their tests

What eventflow survives, and the tests that show it. Made by `make rules` from the list in
tests/faultrows.py and the `@pytest.mark.fault(...)` of the tests: change those, not this page.
"""


def page() -> str:
    """The text of docs/faults.md."""
    found = proofs("fault")
    parts = [_HEAD]
    for number, row in ROWS.items():
        parts.append(f"\n## {number}\n\n{row.fault} {row.promise}\n\n")
        tests = [proof for proof in found if number in proof.named]
        parts += [f"- [{proof.sentence}](../{proof.path})\n" for proof in tests]
        if not tests:
            parts.append("No test shows it.\n")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
