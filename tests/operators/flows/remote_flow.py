"""Remote runs as a file, for children."""

from eventflow import AppConnection, AppOperator, AppPolling, Workflow

HERE = AppConnection(allow_http=True)
FAST = AppPolling(first=0.02, ceiling=0.1, log_wait=0.05, patience=20, request_timeout=5)
RARE = AppPolling(first=0.02, ceiling=600, patience=20, request_timeout=5)

with Workflow("lost") as lost:
    AppOperator("solve", "routing", input={"n": 1}, connection=HERE, polling=FAST)

with Workflow("killed") as killed:
    AppOperator("solve", "routing", input={"n": 1}, connection=HERE, polling=FAST, retries=1)

with Workflow("late") as late:
    AppOperator("solve", "routing", connection=HERE, polling=FAST, stop_grace=3)

with Workflow("told") as told:
    AppOperator("solve", "routing", connection=HERE, polling=RARE, told_by_event="remote.*.ended")
