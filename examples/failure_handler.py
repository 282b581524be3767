"""What becomes of failures: retries for those that pass, a handler task for those that stay.

    eventflow run examples/failure_handler.py

`download` meets a ConnectionError twice and gets through at its third attempt. `parse` then fails
for good: a ValueError is not in its `retry_on`, so it is not tried again. Its failure starts
`quarantine`, and `load`, which waits for its success, never starts. Since `parse` is allowed to
fail and the failure is dealt with, the workflow ends SUCCESS. Prints, in the tasks' logs:

    attempt 1: no answer
    attempt 2: no answer
    attempt 3: downloaded 3 rows
    row 2 is put aside: 'oops' is no number
"""

from eventflow import PythonOperator, TaskAction, TaskStatus, Workflow, current_context


def download() -> list[str]:
    attempt = current_context().task_execution.attempt
    if attempt < 3:
        print(f"attempt {attempt}: no answer")
        raise ConnectionError("the server does not answer")
    rows = ["12", "oops", "30"]
    print(f"attempt {attempt}: downloaded {len(rows)} rows")
    return rows


def parse(rows: list[str]) -> list[int]:
    return [int(row) for row in rows]


def put_aside(rows: list[str]) -> None:
    for number, row in enumerate(rows, 1):
        if not row.isdecimal():
            print(f"row {number} is put aside: {row!r} is no number")


def load(numbers: list[int]) -> None:
    print(f"loaded {sum(numbers)}")


with Workflow("failure_handler") as workflow:
    flaky = PythonOperator(
        "download",
        download,
        retries=3,
        retry_delay=0.2,
        retry_backoff=2,
        retry_on=ConnectionError,
    )
    broken = PythonOperator(
        "parse", parse, [flaky.output], retries=3, retry_on=ConnectionError, allow_failure=True
    )
    PythonOperator("load", load, [broken.output])
    handler = PythonOperator("quarantine", put_aside, [flaky.output])

    handler.action_on_task_status(TaskAction.START, {broken: TaskStatus.FAILED})
