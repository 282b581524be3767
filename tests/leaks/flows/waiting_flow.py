"""Tasks that are in the middle of something when their scheduler stops."""

import os

from eventflow import PythonOperator, Workflow, current_context


def wait() -> None:
    current_context().emit("waits", os.getpid())
    current_context().wait(600)


def wait_with_a_child() -> None:
    """Its child is in a session of its own, as a daemon is."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.read(read, 1)
        os._exit(0)
    current_context().emit("waits", pid)
    current_context().wait(600)
    os.close(write)


with Workflow("waiting") as workflow:
    PythonOperator("alone", wait)
    PythonOperator("with_a_child", wait_with_a_child)
