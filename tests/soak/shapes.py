"""The workflows of a soak, as those who start and judge them know them. `flows.py` defines them.

A copy of this file lies beside the workflows that are served.
"""

ITEMS = 6
BEAT, BEAT_S = "beat", 5
INNER = "inner"

# Workflow -> the key of the event that starts it.
STARTS = {name: f"start.{name}" for name in ("chain", "fan", "service", "quick", "outer")}
RESTART = "service.restart"
STEP_DONE = "step.done"
PROBE = "probe"

# Workflow -> those of its tasks, and items of tasks, that have come to their end when it succeeds.
# A task that runs another workflow has no code of its own.
TASKS = {
    "chain": ("first", "flaky", "third", "last"),
    "fan": ("list", *(f"part.{number}" for number in range(ITEMS)), "total"),
    "service": ("server", "closing"),
    "quick": ("quick",),
    "outer": ("before", "after"),
    INNER: ("one", "two"),
    BEAT: ("beat",),
}
