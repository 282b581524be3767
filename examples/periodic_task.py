"""Tasks that are started again and again within one execution, and tasks that follow them.

    eventflow run examples/periodic_task.py

`measure` runs every second and `clean_up` at every fifth second of the minute (cron, with seconds
as the sixth field). `average` follows each `measure`. An execution with a periodic task goes on
until it is stopped: press Ctrl-C. Prints, in the log of `average`:

    1 measurements, 20.4 degrees on average
    2 measurements, 19.8 degrees on average
    ...
"""

import random

from eventflow import (
    Cron,
    Every,
    PythonOperator,
    ValueStateDescriptor,
    Workflow,
    current_context,
)


def measure() -> float:
    return round(random.gauss(20, 2), 1)


def average(temperature: float) -> float:
    # State of the task: each run goes on from where the last one left it.
    kept = current_context().get_state(ValueStateDescriptor("measured", default=[]))
    kept.update([*kept.value(), temperature])
    mean = sum(kept.value()) / len(kept.value())
    print(f"{len(kept.value())} measurements, {mean:.1f} degrees on average")
    return mean


def clean_up() -> None:
    print("cleaned up")


with Workflow("periodic_task") as workflow:
    measuring = PythonOperator("measure", measure, periodic_expression=Every(seconds=1))
    PythonOperator("average", average, [measuring.output])
    PythonOperator("clean_up", clean_up, periodic_expression=Cron("* * * * * */5"))
