"""eventflow: an event-driven, rule-based scheduler.

Every public name stands here and is loaded when it is first touched (PEP 562), so that
`import eventflow` costs next to nothing and a script that only defines workflows never loads the
store or the timers.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_NAMES = {
    "eventflow.errors": ("TaskSkipped",),
    "eventflow.model.condition": (
        "AllOf",
        "AnyOf",
        "Condition",
        "EventCondition",
        "Not",
        "TaskStatusCondition",
    ),
    "eventflow.model.context": (
        "Context",
        "CounterState",
        "CounterStateDescriptor",
        "ListState",
        "ListStateDescriptor",
        "MapState",
        "MapStateDescriptor",
        "RuleContext",
        "State",
        "StateDescriptor",
        "TaskContext",
        "ValueState",
        "ValueStateDescriptor",
        "current_context",
    ),
    "eventflow.model.event": ("Event",),
    "eventflow.model.operator": ("Operator",),
    "eventflow.model.records": (
        "EventCount",
        "ItemCounts",
        "ParentLink",
        "TaskExecution",
        "TaskExecutionKey",
        "WorkflowExecution",
    ),
    "eventflow.model.rule": ("TaskRule", "WorkflowRule"),
    "eventflow.model.schedule": ("Catchup", "Cron", "Every"),
    "eventflow.model.settings": ("OperatorConfigItem",),
    "eventflow.model.status": ("ExecutionType", "TaskAction", "TaskStatus", "WorkflowStatus"),
    "eventflow.model.workflow": ("Workflow",),
    "eventflow.operators.app": ("AppOperator",),
    "eventflow.operators.appvalues": ("AppConnection", "AppPolling", "AppRun"),
    "eventflow.operators.bash": ("BashOperator",),
    "eventflow.operators.python": ("PythonOperator", "task"),
    "eventflow.operators.workflow": ("WorkflowOperator",),
    "eventflow.runtime.anywhere": ("aemit", "emit", "listen"),
    "eventflow.runtime.scheduler": ("Scheduler",),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module 'eventflow' has no attribute {name!r}")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
