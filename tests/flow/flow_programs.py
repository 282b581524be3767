"""Flows that child processes run, and are killed in."""

import os
import sys
from pathlib import Path

from eventflow import current_context
from eventflow.errors import FlowFailedError
from eventflow.flow import FlowSpec, foreach, join, needs, step

ITEMS = 8


class Resumed(FlowSpec):
    """Writes down what runs; the first time it dies in the middle of the items."""

    @foreach
    @step
    def fan(self, folder: str) -> list[dict[str, object]]:
        note(folder, "fan")
        return [{"number": number, "folder": folder} for number in range(ITEMS)]

    @needs([fan])
    @step
    def work(self, item: dict[str, object]) -> int:
        folder, number = str(item["folder"]), int(str(item["number"]))
        note(folder, f"work-{number}")
        died = Path(folder) / "died"
        deaths = len(died.read_text()) if died.exists() else -1
        if number == 5 and deaths < ("--often" in sys.argv and 5):
            died.write_text("x" * (deaths + 1))
            os.kill(os.getpid(), 9)
        if number > 5 and "--first" in sys.argv:
            current_context().wait(60)
        return 10 * number

    @join
    @needs([work])
    @step
    def end(self, numbers: list[int]) -> int:
        return sum(numbers)


class Renamed(Resumed):
    """The same with one step more."""

    @needs([Resumed.end])
    @step
    def more(self, total: int) -> int:
        return total


def note(folder: str, text: str) -> None:
    """One line, whole also when the process dies right after."""
    with (Path(folder) / "journal").open("a") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())


def main() -> None:
    folder = sys.argv[1]
    flow = (Renamed if "--renamed" in sys.argv else Resumed)(
        name="Resumed",
        input=folder,
        store=str(Path(folder) / "flow.db"),
        threads=1,
        resume="--anew" not in sys.argv,
    )
    try:
        run = flow.run()
    except FlowFailedError as error:
        raise SystemExit(str(error)) from error
    sys.stdout.write(f"{run.id} {run.get_result('end')}\n")
