"""Ctrl-C while somebody waits: it ends the wait, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, signal, threading
from eventflow import Scheduler

armed = False

def interrupt(number, frame):
    if armed:
        raise KeyboardInterrupt

def emit(scheduler):
    while not over.is_set():
        scheduler.emit("k")

def annoy():
    while not over.wait(0.0005):
        os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, interrupt)
over = threading.Event()
interrupted = 0
with Scheduler("sqlite://") as scheduler:
    others = [threading.Thread(target=emit, args=[scheduler]), threading.Thread(target=annoy)]
    for other in others:
        other.start()
    while interrupted < 1000:
        try:
            armed = True
            scheduler.client.until(lambda: None, 0.01)
        except KeyboardInterrupt:
            interrupted += 1
        finally:
            armed = False
    over.set()
    for other in others:
        other.join()
    last = scheduler.emit("last").offset
    scheduler.client.until(lambda: scheduler.store.decided_offset(last) or None, 30)
    print("decided", scheduler.store.decided_offset(last))
"""


def test_ctrl_c_in_a_wait_does_not_hold_up_the_loop() -> None:
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (told.stdout, told.stderr) == ("decided True\n", "")
