"""`python -m tests.bench.emitter STORE KEY`: a process that emits one event for each line it reads.

It says when, just before the emission, by the clock that all processes of the machine share.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from eventflow.runtime.remote import RemoteClient


def main() -> None:
    store, key = sys.argv[1:]
    with RemoteClient(store) as remote:
        print("ready", flush=True)
        for number, _ in enumerate(sys.stdin):
            begin = time.monotonic()
            remote.client.emit(key, number)
            print(begin, flush=True)


@contextmanager
def emitter(store: str, key: str) -> Iterator[Callable[[], float]]:
    """A process that emits, and a call that makes it: returns the instant just before."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.emitter", store, key],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    asked, told = process.stdin, process.stdout
    assert told.readline() == "ready\n"

    def emit() -> float:
        asked.write("\n")
        return float(told.readline())

    try:
        yield emit
    finally:
        asked.close()
        process.wait(30)
        told.close()


if __name__ == "__main__":
    main()
