"""Rules that go round in a circle: a workflow by its own end, two tasks by each other's."""

from stateful import EveryNth

from eventflow import BashOperator, TaskAction, TaskStatus, Workflow

with Workflow("echo", max_hops=4) as echo:
    call = BashOperator("call", bash_command="true")
echo.trigger_on_condition(EveryNth("eventflow.workflow.echo.success", 1))

with Workflow("ring", max_hops=3, completion="manual") as ring:
    ding = BashOperator("ding", bash_command="true", autostart=False)
    dong = BashOperator("dong", bash_command="true", autostart=False)
    ding.action_on_event_received(TaskAction.START, "bell.pulled")
    ding.action_on_task_status(TaskAction.START, {dong: TaskStatus.SUCCESS})
    dong.action_on_task_status(TaskAction.START, {ding: TaskStatus.SUCCESS})
