"""Who is told: the graph and the states of executions, to a platform.

The names are loaded when first touched (PEP 562): a program that reports nothing loads no TLS.
"""

import importlib
from typing import Any

_HOME = {"UplinkConfig": "config", "UplinkClient": "uplink"}

__all__ = ["UplinkClient", "UplinkConfig"]


def __getattr__(name: str) -> Any:
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module 'eventflow.reporters' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"eventflow.reporters.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
