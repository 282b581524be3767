"""A workflow that runs another for each of its stages, one after the other.

    eventflow run examples/stages.py

`night` has a task for each stage of the night's work. None of them has code: each runs the
workflow `stage`, which does the work and then checks what came of it. What a stage is to do, and
where, are its params; the folder is the result of an earlier task. A stage whose check fails is
tried once more, as a new execution of `stage`. `eventflow execution list` shows all four; stop
`night`, and the stage that is running is stopped with it. Prints, in the tasks' logs:

    fetch: 5 rows
    clean: 3 rows
    bill: 2 rows
    ada 42, bob 7
"""

import tempfile
from pathlib import Path

from eventflow import PythonOperator, Workflow, WorkflowOperator, current_context

ORDERS = ["ada,12", "bob,7", "bob,7", "eve,oops", "ada,30"]


def fetch(_: list[str]) -> list[str]:
    return ORDERS


def clean(orders: list[str]) -> list[str]:
    """Each order once, and only those with an amount."""
    return [one for one in dict.fromkeys(orders) if one.partition(",")[2].isdecimal()]


def bill(orders: list[str]) -> list[str]:
    sums: dict[str, int] = {}
    for name, _, amount in (one.partition(",") for one in orders):
        sums[name] = sums.get(name, 0) + int(amount)
    return [f"{name} {total}" for name, total in sums.items()]


STEPS = {"fetch": fetch, "clean": clean, "bill": bill}


def work() -> str:
    params = current_context().params
    path = Path(params["folder"], "rows.txt")
    before = path.read_text().splitlines() if path.exists() else []
    path.write_text("\n".join(STEPS[params["step"]](before)))
    return str(path)


def check(path: str) -> None:
    rows = Path(path).read_text().splitlines()
    print(f"{current_context().params['step']}: {len(rows)} rows")
    if not rows:
        raise ValueError("nothing came of it")


def send(folder: str) -> None:
    print(", ".join(Path(folder, "rows.txt").read_text().splitlines()))


with Workflow("stage") as stage:
    worked = PythonOperator("work", work)
    PythonOperator("check", check, [worked.output])

with Workflow("night") as night:
    folder = PythonOperator("folder", tempfile.mkdtemp)
    fetched, cleaned, billed = (
        WorkflowOperator(step, stage, {"step": step, "folder": folder.output}, retries=1)
        for step in STEPS
    )
    sent = PythonOperator("send", send, [folder.output])
    fetched.start_after(folder)
    fetched >> cleaned >> billed >> sent
