"""Workflows that start by the clock, for a scheduler that is always on.

    eventflow serve examples/periodic_workflow.py
    eventflow schedule list          (in another shell: when each is due next)
    eventflow execution list

`heartbeat` is started every two seconds. `report` is started on working days at half past six by
the clocks of Berlin, in summer and in winter; were the scheduler down at that time, it would be
started once when it is back (`catchup`). Prints, in the logs:

    the heartbeat that was due at 12:00:02
    the report of 2026-01-05
"""

from zoneinfo import ZoneInfo

from eventflow import Cron, Every, PythonOperator, Workflow, current_context

BERLIN = "Europe/Berlin"


def beat() -> None:
    due = current_context().workflow_execution.scheduled_time
    print(f"the heartbeat that was due at {due:%H:%M:%S}")


def report() -> str:
    # The time that it stands for, not the time at which it happens to run.
    due = current_context().workflow_execution.scheduled_time
    day = f"{due.astimezone(ZoneInfo(BERLIN)):%Y-%m-%d}"
    print(f"the report of {day}")
    return day


with Workflow("heartbeat", schedule=Every(seconds=2), catchup="none") as heartbeat:
    PythonOperator("beat", beat)

with Workflow("report", schedule=Cron("30 6 * * mon-fri", tz=BERLIN), catchup="latest") as daily:
    PythonOperator("report", report)
