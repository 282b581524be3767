"""The bugs that are planted: each a text of one module, and what stands in its place."""

from typing import NamedTuple


class Bug(NamedTuple):
    """One text of one module in the place of another."""

    name: str
    what: str
    path: str
    text: str
    instead: str


BUGS = (
    Bug(
        "cursor",
        "a batch is written wherever the cursor stands",
        "store/memory.py",
        "or at != (batch.read_from, batch.turns_from)",
        "",
    ),
    Bug(
        "turn-again",
        "a batch without log events is written though turns were given since",
        "store/memory.py",
        "at != (batch.read_from, batch.turns_from)",
        "at[0] != batch.read_from",
    ),
    Bug(
        "report-lost",
        "reports are taken out of the inbox before the log is read",
        "runtime/loop.py",
        "        arrived = self.inbox.arrived\n        limit",
        "        arrived = self.inbox.arrived\n        self.inbox.hold(arrived, None)\n"
        "        waiting = self.inbox.take(None)\n        arrived = 0\n"
        "        self._store.undecided(1)\n        self.inbox.put_back(waiting)\n        limit",
    ),
    Bug(
        "not-put-back",
        "the reports of a batch that was not written are forgotten",
        "runtime/loop.py",
        "            draft.rollback()\n            self.inbox.put_back(ready)",
        "            draft.rollback()",
    ),
    Bug(
        "no-rollback",
        "a batch that was not written stays in the live world",
        "runtime/loop.py",
        "            draft.rollback()\n            self.inbox.put_back(ready)",
        "            self.inbox.put_back(ready)",
    ),
    Bug(
        "dropped-order",
        "an order is dropped when the store is in the way",
        "runtime/dispatch.py",
        "return never or not isinstance(error, StoreError)",
        "return True",
    ),
    Bug(
        "fact-lost",
        "facts beyond the bound of a batch are not written",
        "runtime/loop.py",
        "                left_over=left_over,",
        "                left_over=left_over[:3],",
    ),
    Bug(
        "facts-overtake",
        "facts that wait in the log are overtaken by newer ones after a restart",
        "runtime/loop.py",
        "return batch.read_to < self._facts_to",
        "return False",
    ),
    Bug(
        "retry-count",
        "a task is retried once too often",
        "core/reports.py",
        "run.failures > settings.retries",
        "run.failures > settings.retries + 1",
    ),
    Bug(
        "slot-leaked",
        "an attempt that is to be retried keeps its slot",
        "core/reports.py",
        '    let_go(deciding, live, run)\n    deciding.change(TimerCleared(f"timeout',
        "    deciding.change(Withdrawn(run.id, run.attempt, ended=True))\n"
        '    deciding.change(TimerCleared(f"timeout',
    ),
    Bug(
        "slot-twice",
        "one slot more is given than there is",
        "core/pools.py",
        "max(self.slots - len(self.held), 0)",
        "max(self.slots - len(self.held) + (self.slots > 1), 0)",
    ),
    Bug(
        "timeout-kept",
        "the time-out of a run that has ended is not cleared",
        "core/reports.py",
        "    if live.plan.tasks[run.task].settings.timeout is not None:\n"
        '        deciding.change(TimerCleared(f"timeout:{run.id}"))\n',
        "",
    ),
    Bug(
        "retry-timer-kept",
        "the timer of a retry is not cleared when the run is stopped",
        "core/actions.py",
        '    deciding.change(TimerCleared(f"retry:{run.id}"))\n',
        "",
    ),
    Bug(
        "start-not-withdrawn",
        "the START of a run that is stopped stays in the outbox",
        "core/actions.py",
        "        deciding.change(Withdrawn(run.id, run.attempt, ended=False))\n"
        "        deciding.change(Commanded(live.id, run, TaskAction.STOP))",
        "        deciding.change(Commanded(live.id, run, TaskAction.STOP))",
    ),
    Bug(
        "begun-not-withdrawn",
        "the START of an attempt that runs stays in the outbox",
        "core/reports.py",
        "    deciding.change(Withdrawn(run.id, run.attempt, ended=False))\n    return moved",
        "    return moved",
    ),
    Bug(
        "item-window",
        "one item more is active than may be",
        "core/mapping.py",
        "settings.max_active_items - len(items.alive)",
        "settings.max_active_items - len(items.alive) + (items.next > 0)",
    ),
    Bug(
        "items-not-closed",
        "items that have not begun outlive the stop of their task",
        "core/mapping.py",
        "    if items.next < items.count:\n        waiting",
        "    if items.next < items.count and not items.alive:\n        waiting",
    ),
    Bug(
        "late-report",
        "a report about an earlier attempt moves the present one",
        "core/reports.py",
        'not run.alive or run.attempt != value["attempt"]',
        "not run.alive",
    ),
    Bug(
        "lost-forgotten",
        "attempts that ran when the process died are not looked after",
        "runtime/engine.py",
        "for report in [*found, *lost]:",
        "for report in found:",
    ),
    Bug(
        "outbox-forgotten",
        "what waits in the outbox is not handed over after a restart",
        "runtime/engine.py",
        "self._dispatch(redeliveries(loaded.world, loaded.commands, handed))",
        "self._dispatch([])",
    ),
    Bug(
        "begun-again",
        "an attempt that ended unheard is handed over again",
        "runtime/engine.py",
        "redeliveries(loaded.world, loaded.commands, handed)",
        "redeliveries(loaded.world, loaded.commands, set())",
    ),
    Bug(
        "counters-old",
        "the ids of runs are drawn anew after a restart",
        "store/loading.py",
        "    world.counters = kept.counters\n",
        "    world.counters = replace(kept.counters, run_id=max(kept.counters.run_id - 1, 0))\n",
    ),
    Bug(
        "id-forgotten",
        "an event whose id is known is written again",
        "store/memory.py",
        "                if key is not None and not drawn:",
        "                if key is not None and not drawn and event.offset % 7:",
    ),
    Bug(
        "line-forgotten",
        "who waits for a slot is forgotten by a restart",
        "store/loading.py",
        "            pool.line.append(live.place_of(run))",
        "            continue",
    ),
    Bug(
        "schedule-stuck",
        "a schedule whose workflow is paused is not set again",
        "core/alarms.py",
        '    if due.next is not None:\n        moved = Timer(\n            "schedule"',
        "    if due.next is not None and not known.paused:\n"
        '        moved = Timer(\n            "schedule"',
    ),
    Bug(
        "join-forgotten",
        "a run does not hear that its sub-execution ended while it was parked",
        "runtime/engine.py",
        "        join(loaded.world, self.client)\n",
        "",
    ),
    Bug(
        "deadline-kept",
        "the timers of an execution that has ended stay set",
        "core/executions.py",
        "    _clear_timers(deciding, live)\n    known",
        "    known",
    ),
    Bug(
        "waiting-forgotten",
        "an execution that waits for `max_active` is not begun when another ends",
        "core/executions.py",
        "known.plan.workflow.max_active - len(known.active) + 1)",
        "known.plan.workflow.max_active - len(known.active))",
    ),
    Bug(
        "stop-loses",
        "a task that ends well while it is being stopped is a success",
        "core/reports.py",
        "    if run.status in LEAVING:\n        # It ends",
        '    if run.status in LEAVING and kind != "success":\n        # It ends',
    ),
    Bug(
        "rollback-order",
        "what a batch changed is taken back in the order in which it was done",
        "core/draft.py",
        "in reversed(self._undo):",
        "in self._undo:",
    ),
    Bug(
        "pause-lost",
        "a new snapshot lets a paused workflow go on, in the store alone",
        "store/shelves.py",
        "paused = before.paused if before is not None else False",
        "paused = False",
    ),
    Bug(
        "file-timer",
        "a timer that was cleared stays in the file",
        "store/ledger.py",
        "[(key,) for key, timer in rows.timers.items() if timer is None]",
        "[]",
    ),
    Bug(
        "file-state",
        "what a condition keeps no more stays in the file",
        "store/ledger.py",
        "Order(sql.DELETE_STATE, forgotten)",
        "Order(sql.DELETE_STATE, [])",
    ),
    Bug(
        "failed-forgotten",
        "that items have failed is forgotten by a restart",
        "store/loading.py",
        "            items.failed += 1\n",
        "",
    ),
    Bug(
        "max-active",
        "one execution more is active than may be",
        "core/executions.py",
        "ahead < known.plan.workflow.max_active",
        "ahead <= known.plan.workflow.max_active",
    ),
)
