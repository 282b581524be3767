"""A file whose import leaves a thread: what it holds would be copied by a fork, for ever locked."""

import os
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


with Workflow("threaded", namespace="tests") as threaded:
    PythonOperator("give", give)
