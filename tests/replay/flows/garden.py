"""Workflows that run workflows, and tasks that share a hose."""

from eventflow import BashOperator, TaskAction, Workflow, WorkflowOperator

with Workflow("row", max_active=2) as row:
    dig = BashOperator("dig", bash_command="true")
    water = BashOperator("water", bash_command="true", pool="hose", priority=1)
    feed = BashOperator("feed", bash_command="true", pool="hose", priority=5)
    dig >> [water, feed]

with Workflow("garden") as garden:
    seeds = BashOperator("seeds", bash_command="true")
    beans = WorkflowOperator(
        "beans", row, params={"seeds": seeds.output}, retries=1, retry_delay=30
    )
    peas = WorkflowOperator("peas", "row", params={"deep": True})
    roses = WorkflowOperator("roses", row, autostart=False)
    roses.action_on_event_received(TaskAction.START, "roses.wanted")
    harvest = BashOperator("harvest", bash_command="true", pool="hose")
    harvest.start_after([beans, peas])
