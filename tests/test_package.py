"""The package as a newcomer's `import` meets it."""

import subprocess
import sys

import eventflow


def test_importing_eventflow_loads_neither_the_store_nor_the_timers() -> None:
    code = (
        "import sys, eventflow\n"
        "with eventflow.Workflow('w'):\n"
        "    eventflow.PythonOperator('t', print)\n"
        "print(sorted({name.split('.')[0] for name in sys.modules}))\n"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    for heavy in ("sqlalchemy", "sqlmodel", "pydantic", "apscheduler", "blinker", "typer", "rich"):
        assert f"'{heavy}'" not in loaded.stdout


def test_every_public_name_is_there() -> None:
    for name in eventflow.__all__:
        assert getattr(eventflow, name) is not None
    assert set(eventflow.__all__) <= set(dir(eventflow))
