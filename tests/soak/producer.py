"""`python -m tests.soak.producer FOLDER NAME SEED RATE`: emits events until there is `FOLDER/over`.

What it is about to send it writes down first. It sends each again, by the same id, until it is
acknowledged, also after it was killed and started again; then it writes that down. Some it sends
again on purpose, and some all producers send, as one event. It reads `EVENTFLOW_STORE`.
"""

import random
import sys
import threading
import time
from pathlib import Path

from eventflow import emit
from eventflow.errors import DuplicateEventError, EventflowError
from tests.soak.journal import (
    OVER,
    SENT,
    Acknowledged,
    Sent,
    acknowledged_line,
    append,
    open_to_append,
    read_sent,
    sent_line,
    whole_lines,
)
from tests.soak.shapes import RESTART, STARTS

BATCH = 20
# In so many of a thousand events.
STARTING, RESTARTING, SHARED, AGAIN = 8, 1, 20, 20
NOISES = 50
EVERYONE = "everyone"
AGAIN_S = 0.05


class Producer:
    """One process that sends.

    Args:
        rate: Events per second that it does not go beyond.
    """

    def __init__(self, folder: Path, name: str, seed: int, rate: float) -> None:
        self._name = name
        self._rate = rate
        self._dice = random.Random(f"{seed} {name}")
        path = folder / SENT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sent, acknowledged = read_sent(whole_lines(path)[0])
        known = {(one.sender, one.id) for one in acknowledged}
        self._open = [one for one in sent if (one.sender, one.id) not in known]
        self._count = len(sent)
        self._shared = sum(one.sender == EVERYONE for one in sent)
        self._journal = open_to_append(path)
        self._over = folder / OVER
        self._tick = threading.Event()

    def run(self) -> None:
        """Returns when it is over, and all that is written down is acknowledged."""
        begin, done = time.monotonic(), 0
        for event in self._open:
            self._send(event)
        while not self._over.exists():
            batch = [self._draw() for _ in range(BATCH)]
            append(self._journal, *map(sent_line, batch))
            for event in batch:
                self._send(event)
                if self._dice.randrange(1000) < AGAIN:
                    self._send(event)
            done += len(batch)
            self._tick.wait(max(begin + done / self._rate - time.monotonic(), 0))

    def _draw(self) -> Sent:
        self._count += 1
        chance = self._dice.randrange(1000)
        if chance < SHARED:
            self._shared += 1
            number = self._shared
            return Sent(EVERYONE, f"{number}", f"noise.{number % NOISES}", {"n": number})
        key = f"noise.{self._dice.randrange(NOISES)}"
        value = {"n": self._count}
        if chance < SHARED + STARTING:
            key = self._dice.choice(list(STARTS.values()))
            value["seconds"] = self._dice.choice([0.02, 0.05, 0.1, 0.1, 0.3, 2.0])
        elif chance < SHARED + STARTING + RESTARTING:
            key = RESTART
        return Sent(self._name, f"{self._count}", key, value)

    def _send(self, event: Sent) -> None:
        while True:
            try:
                told = emit(event.key, event.value, sender=event.sender, id=event.id)
            except DuplicateEventError:
                raise
            except EventflowError as error:
                print(f"{event.sender} {event.id}: {error}", file=sys.stderr, flush=True)
                self._tick.wait(AGAIN_S)
            else:
                line = acknowledged_line(Acknowledged(event.sender, event.id, told.offset))
                append(self._journal, line)
                return


def main() -> None:
    folder, name, seed, rate = sys.argv[1:]
    Producer(Path(folder), name, int(seed), float(rate)).run()


if __name__ == "__main__":
    main()
