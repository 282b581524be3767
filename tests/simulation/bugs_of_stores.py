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
        "            deciding.change(\n"
        "                Fired(timer.key, skipped.until, skipped.after, skipped.reason, "
        "timer.workflow)\n            )\n"
        "        for number",
        "        for number",
    ),
    Bug(
        "doubt-forgets-orders",
        "orders of a batch that nobody knew of are not handed over",
        "runtime/engine.py",
        "self._load_again(anew=True)",
        "self._load_again()",
    ),
    Bug(
        "doubt-done-twice",
        "a batch whose commit failed is written again without a look",
        "store/writer.py",
        "if job.done is not None and job.done(self._connection, job.answer):",
        "if False:",
    ),
    Bug(
        "doubt-taken-for-done",
        "a batch whose commit failed is taken for written without a look",
        "store/writer.py",
        "if job.done is not None and job.done(self._connection, job.answer):",
        "if job.done is not None:",
    ),
    Bug(
        "absent-not-paused",
        "a workflow whose code comes back is not paused any more",
        "core/changes.py",
        "known.paused, known.state = absent.paused, dict(absent.state)",
        "known.state = dict(absent.state)",
    ),
    Bug(
        "accounted",
        "a schedule that was taken away and comes back forgets what was fired",
        "core/commands.py",
        "max(deciding.now, deciding.world.accounted.get(name, deciding.now))",
        "deciding.now",
    ),
    Bug(
        "pruned-newest",
        "retention takes the newest due time of a schedule",
        "store/sweeping.py",
        "        stay |= {(schedule, at) for schedule, at in "
        "connection.exec_driver_sql(_NEWEST)}\n",
        "",
    ),
    Bug(
        "pruned-firing",
        "retention takes the due time of an execution that stays",
        "store/sweeping.py",
        "if one not in doomed\n        }\n        stay |=",
        "if one in doomed\n        }\n        stay |=",
    ),
    Bug(
        "absent-forgets-schedule",
        "the schedule of a workflow whose code comes back begins anew",
        "core/commands.py",
        "if absent is not None and earlier is not None and _is_unchanged(absent, plan, earlier):",
        "if False:",
    ),
    Bug(
        "waits-for-ever",
        "who was parked while those before it ended is not begun",
        "core/idle.py",
        "if known.waiting and _room(known) > 0",
        "if False",
    ),
    Bug(
        "doubt-begins-again",
        "an attempt whose end is known begins once more when a commit was in doubt",
        "runtime/engine.py",
        "handed = reported if anew else reported | taken",
        "handed = set[AttemptKey]() if anew else reported | taken",
    ),
)
