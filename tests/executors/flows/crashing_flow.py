"""A file whose import takes the process with it, unless it is asked not to."""

import os
from pathlib import Path

from eventflow.model.workflow import Workflow
from eventflow.operators.python import PythonOperator

if not Path(os.environ["EVENTFLOW_TEST_CALM"]).exists():
    os.abort()

with Workflow("crashing", namespace="tests") as crashing:
    PythonOperator("give", lambda: 1)
