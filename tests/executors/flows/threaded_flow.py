"""A file whose import leaves a thread: what it holds would be copied by a fork, for ever locked."""

import os
import subprocess
import threading

from eventflow.model.workflow import Workflow
from eventflow.operators.python import PythonOperator

IMPORTED_BY = os.getpid()
LOCK = threading.Lock()
_held = threading.Event()


def _hold() -> None:
    with LOCK:
        _held.set()
        threading.Event().wait()


threading.Thread(target=_hold, daemon=True).start()
_held.wait()


def give() -> bool:
    return os.getpid() == IMPORTED_BY


def leave_grandchild() -> int:
    return subprocess.Popen(["sleep", "600"]).pid


with Workflow("threaded", namespace="tests") as threaded:
    PythonOperator("give", give)
    PythonOperator("leave_grandchild", leave_grandchild)
