"""A task whose work is done by a remote service: started there, watched, its log relayed.

    python examples/remote_service.py                            (in a shell of its own)
    export APP_SERVICE_URL=http://127.0.0.1:8765 APP_SERVICE_TOKEN=any
    eventflow run examples/remote_run.py

`draw` decides what is to be run: input, options and name. `sort` has the service run its
application `sorting` with that, and relays its log; its result is the run's output. A stop of
`sort` cancels the remote run. Prints, in the tasks' logs:

    remote run run-1: started
    1 of 3 in place
    2 of 3 in place
    3 of 3 in place
    sorted: [9, 5, 2]
"""

from typing import Any

from eventflow import AppConnection, AppOperator, AppPolling, AppRun, PythonOperator, Workflow


def draw() -> dict[str, Any]:
    return AppRun(input=[5, 2, 9], options={"order": "falling"}, name="the draw").to_json()


def show(numbers: list[int]) -> None:
    print(f"sorted: {numbers}")


with Workflow("remote_run") as workflow:
    drawn = PythonOperator("draw", draw)
    sort = AppOperator(
        "sort",
        "sorting",
        input=drawn.output,
        # In the clear, since it stays on this machine; a service elsewhere is https.
        connection=AppConnection(allow_http=True),
        polling=AppPolling(first=0.1, ceiling=1, log_wait=0.1),
        emit_logs=True,
        retries=2,
        timeout=60,
    )
    PythonOperator("show", show, [sort.output])
