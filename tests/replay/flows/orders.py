"""Orders: rules of every kind, retries, time-outs, outputs, a periodic task."""

from stateful import EveryNth, Rising

from eventflow import (
    AllOf,
    AnyOf,
    EventCondition,
    Every,
    PythonOperator,
    TaskAction,
    TaskStatus,
    TaskStatusCondition,
    Workflow,
)


def work(*given: object) -> object:
    return given


with Workflow("orders", max_active=2, timeout=7200, tags={"shop", "daily"}) as orders:
    pick = PythonOperator("pick", work, retries=2, retry_delay=30, retry_jitter=0.2)
    pack = PythonOperator("pack", work, op_args=[pick.output], timeout=45, retries=1)
    bill = PythonOperator("bill", work, op_args=[pick.output], autostart=False)
    ship = PythonOperator("ship", work, allow_failure=True)
    watch = PythonOperator("watch", work, autostart=False, max_lost=1)
    once = PythonOperator("once", work, autostart=False, on_lost="fail", allow_failure=True)
    audit = PythonOperator("audit", work)
    count = PythonOperator("count", work, periodic_expression=Every(1200), overlap="restart")
    ship.action_on_condition(
        TaskAction.START,
        AllOf(EventCondition("ship.ready"), TaskStatusCondition(pack, TaskStatus.SUCCESS)),
    )
    ship.action_on_condition(
        TaskAction.RESTART, AllOf(EventCondition("ship.ready"), EveryNth("ship.again", 2))
    )
    bill.action_on_event_received(TaskAction.START, "bill.wanted")
    watch.action_on_event_received(TaskAction.RESTART, "stock.changed")
    watch.action_on_event_received(TaskAction.STOP, "stock.closed")
    once.action_on_event_received(TaskAction.START, "stock.*")
    audit.action_on_condition(TaskAction.START, EveryNth("audit.asked", 2))
    audit.action_on_condition(
        TaskAction.STOP, AnyOf(Rising("audit.level"), EventCondition("audit.off"))
    )
    audit.action_on_task_status(
        TaskAction.RESTART, {pack: {TaskStatus.FAILED, TaskStatus.STOPPED}, pick: "SUCCESS"}
    )
orders.trigger_on_event("orders.paid")
orders.trigger_on_condition(EveryNth("orders.asked", 3))
