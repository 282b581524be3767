"""Schedules of every kind, and workflows that watch others."""

from eventflow import BashOperator, Cron, Every, TaskAction, Workflow

with Workflow("nightly", schedule=Cron("30 2 * * *", tz="Europe/Berlin"), catchup="all") as nightly:
    extract = BashOperator("extract", bash_command="true", retries=1)
    load = BashOperator("load", bash_command="true")
    extract >> load

with Workflow("pulse", schedule=Every(hours=6), catchup="latest", max_active=1) as pulse:
    BashOperator("beat", bash_command="true")

with Workflow("strict", schedule=Cron("0 */8 * * *"), catchup="none", misfire_grace=60) as strict:
    BashOperator("beat", bash_command="true")

with Workflow("after") as after:
    BashOperator("tidy", bash_command="true")
after.trigger_on_event("eventflow.workflow.orders.*")

with Workflow("elsewhere", namespace="other") as elsewhere:
    BashOperator("beat", bash_command="true", autostart=False).action_on_event_received(
        TaskAction.START, "stock.changed"
    )
elsewhere.trigger_on_event("orders.**")
