"""Bugs that are planted where things are kept, let go of and woken; see `bugs`."""

from tests.simulation.bugs import Bug

BUGS = (
    Bug(
        "half-a-batch",
        "what a batch has written before a statement of it failed is kept",
        "store/writer.py",
        'self._connection.execute("ROLLBACK")',
        'self._connection.execute("COMMIT")',
    ),
    Bug(
        "two-transactions",
        "the cursor is moved in a transaction of its own",
        "store/ledger.py",
        "            for order in orders:\n                connection.executemany(*order)",
        '            connection.execute("COMMIT")\n'
        '            connection.execute("BEGIN IMMEDIATE")\n'
        "            for order in orders:\n                connection.executemany(*order)",
    ),
    Bug(
        "ids-apart",
        "an event is committed before its id is remembered",
        "store/log.py",
        "            if not drawn:\n                connection.executemany(",
        '            connection.execute("COMMIT")\n'
        '            connection.execute("BEGIN IMMEDIATE")\n'
        "            if not drawn:\n                connection.executemany(",
    ),
    Bug(
        "pruned-cause",
        "retention deletes an event that a decision about what stays is due to",
        "store/sweeping.py",
        "if scope not in stand and turn not in wanted",
        "if scope not in stand",
    ),
    Bug(
        "pruned-family",
        "retention deletes an execution for the age of one that hangs together with it",
        "store/doomed.py",
        "and all(may_go for",
        "and any(may_go for",
    ),
    Bug(
        "pruned-decision",
        "retention leaves the decisions of events that are gone",
        "store/erasing.py",
        '    "DELETE FROM decision WHERE turn = ?",\n',
        "",
    ),
    Bug(
        "id-too-early",
        "retention forgets ids within their window",
        "store/sweeping.py",
        '" AND at < ? AND (? IS NULL OR namespace = ?)"\n    " AND NOT',
        '" AND at < ? + 60000000 AND (? IS NULL OR namespace = ?)"\n    " AND NOT',
    ),
    Bug(
        "id-before-event",
        "retention forgets the id of an event that stays",
        "store/sweeping.py",
        '    " AND NOT EXISTS (SELECT 1 FROM event WHERE event.offset = dedup.offset)"\n',
        "",
    ),
    Bug(
        "offset-again",
        "the offset of an event that is gone is given again",
        "store/log.py",
        "    row = connection.execute(NEWEST_OFFSET).fetchone()",
        '    row = connection.execute("SELECT MAX(offset) FROM event").fetchone()',
    ),
    Bug(
        "memory-order",
        "the memory store tells the oldest executions first",
        "store/memory_reads.py",
        "for row in reversed(self._shelves.executions.values())",
        "for row in self._shelves.executions.values()",
    ),
    Bug(
        "memory-reason",
        "the memory store forgets why a run ended",
        "store/shelves.py",
        '"reason": row.reason if update.reason is None else update.reason,',
        '"reason": row.reason,',
    ),
    Bug(
        "fold-twice",
        "a fixed hour fires twice when clocks go back",
        "core/firetimes.py",
        "return self.begin + self.offset if every_hour else self.shown",
        "return self.begin + self.offset",
    ),
    Bug(
        "gap-lost",
        "a fixed hour that clocks leave out does not fire",
        "core/firetimes.py",
        "return self.begin + self.offset if every_hour else self.shown",
        "return max(self.begin + self.offset, self.shown)",
    ),
    Bug(
        "skipped-unsaid",
        "due times that are skipped are not accounted for",
        "core/alarms.py",
        "        for skipped in due.skipped:\n"
        "            deciding.change("
        "Fired(timer.key, skipped.until, skipped.after, skipped.reason))\n"
        "        for number",
        "        for number",
    ),
    Bug(
        "quiet-overtakes",
        "the end of a sub-execution overtakes facts of its parent that wait in the log",
        "runtime/loop.py",
        "whose facts may wait.\n            waits = self._facts_wait(batch)",
        "whose facts may wait.\n            waits = False",
    ),
    Bug(
        "told-too-early",
        "rules know of a restart before its fact when the successor is dropped",
        "core/actions.py",
        "if told is not None and told[0] == run.sequence_number:",
        "if True:",
    ),
)
