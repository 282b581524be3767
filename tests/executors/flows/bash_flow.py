"""Tasks that run commands."""

from eventflow.model.workflow import Workflow
from eventflow.operators.bash import BashOperator
from eventflow.operators.python import PythonOperator

# Writes its own pid to the log and waits; a SIGTERM makes it say goodbye.
_POLITE = "trap 'echo bye; exit 0' TERM; echo pid $$; echo up >> $UP; while :; do sleep 0.05; done"
_RUDE = "trap '' TERM; sleep 600 & echo pid $! $$; echo up >> $UP; wait; wait; sleep 600"

with Workflow("bash", namespace="tests") as bash:
    value = PythonOperator("value", lambda: "x")
    BashOperator("hello", "echo hello; echo to stderr >&2; pwd")
    BashOperator("exit_3", "exit 3")
    BashOperator("killed", "kill -SEGV $$")
    BashOperator("inner_killed", "sh -c 'kill -KILL $$'; exit $?")
    BashOperator(
        "show",
        'printf "<%s>" "$VALUE" "$NUMBER" "$EVENTFLOW_TASK_EXECUTION" "$EVENTFLOW_STORE"; echo',
        env={"VALUE": value.output, "NUMBER": {"n": 1}},
    )
    BashOperator("nowhere", "true", cwd="/nowhere/at/all")
    BashOperator("polite", _POLITE, env={"UP": value.output})
    BashOperator("rude", _RUDE, env={"UP": value.output}, stop_grace=0.5)
    BashOperator("background", "sleep 600 & echo pid $!")
    BashOperator("in_tmp", "pwd", cwd="/tmp")
