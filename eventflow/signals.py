"""Signals: in-process news of what was committed, through blinker. Never truth, never in a commit.

Receivers run on the news thread, after the commit; one that raises is logged and harms nobody.
Connect with `signal.connect(fn)` or `scheduler.on(signal, fn)`; the latter holds a strong
reference, so that a function made inside another is not forgotten.
"""

from blinker import Namespace

_namespace = Namespace()

event_emitted = _namespace.signal("event-emitted")
"""An event was decided. Arguments: the scheduler, `event: Event`."""

decision_made = _namespace.signal("decision-made")
"""A rule or command came to something. Arguments: the scheduler, `outcome: Outcome`, `event`."""

task_status_changed = _namespace.signal("task-status-changed")
"""A run moved. Arguments: the scheduler, `event: Event` (the fact), `status: TaskStatus`."""

workflow_status_changed = _namespace.signal("workflow-status-changed")
"""An execution moved. Arguments: the scheduler, `event: Event`, `status: WorkflowStatus`."""

executions_changed = _namespace.signal("executions-changed")
"""Executions, or runs in them, moved: at once, and then for all that a tenth of a second brings, so
the cheapest news that there is. Arguments: the scheduler, `execution_ids: frozenset[int]`."""

scheduler_started = _namespace.signal("scheduler-started")
"""The loop is running. Argument: the scheduler."""

scheduler_stopped = _namespace.signal("scheduler-stopped")
"""The loop has ended. Argument: the scheduler."""

ALL = (
    event_emitted,
    decision_made,
    task_status_changed,
    workflow_status_changed,
    executions_changed,
    scheduler_started,
    scheduler_stopped,
)
