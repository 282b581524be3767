"""Mapped tasks of every kind: over given items, over a result, side by side, nested, joined."""

from eventflow import BashOperator, PythonOperator, TaskAction, TaskStatus, Workflow


def work(*given: object) -> object:
    return given


DONE = {TaskStatus.SUCCESS, TaskStatus.SKIPPED}

with Workflow("fleet") as fleet:
    find = PythonOperator("find", work)
    load = BashOperator(
        "load", bash_command="true", max_active_items=2, retries=1, retry_delay=30, timeout=120
    ).map(find.output)
    drive = BashOperator("drive", bash_command="true", pool="road", priority=2).map(load.output)
    parcels = BashOperator("parcels", bash_command="true", on_item_failure="stop").map(
        load.output, nested=True
    )
    empty = BashOperator("empty", bash_command="true").map([])
    wash = BashOperator(
        "wash", bash_command="true", max_active_items=1, on_item_failure="stop", allow_failure=True
    ).map(["red", "green", "blue"])
    report = PythonOperator("report", work, op_args=[drive.output, parcels.output.or_none])
    few = BashOperator("few", bash_command="true", max_items=2, allow_failure=True).map(find.output)
    find >> load >> drive
    find >> few
    parcels.start_after(load)
    report.action_on_task_status(TaskAction.START, {drive: DONE, parcels: DONE})
    wash.action_on_event_received(TaskAction.START, "wash.wanted")
    drive.action_on_event_received(TaskAction.RESTART, "road.changed")
    drive.action_on_event_received(TaskAction.STOP, "road.closed")
