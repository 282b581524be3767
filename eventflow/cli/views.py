"""How a watched execution is shown while it goes on: live on a terminal, line by line elsewhere."""

from collections import deque
from datetime import datetime
from types import TracebackType

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from eventflow.cli.overview import headline, tasks_table
from eventflow.cli.printing import clean, clock, forget_reader, note, say
from eventflow.cli.screens import screen
from eventflow.cli.watch import Sight
from eventflow.model.status import ALIVE
from eventflow.runtime.retrying import latest_runs

QUIET_S = 2.0
PROGRESS_S = 1.0
_LINES = 8
_WAITING = 6
# What the picture needs beside the tasks: a headline for each execution, and empty lines.
_AROUND = 4


class View:
    """Shows nothing. Open it around the watching, and hand it each sight."""

    def __enter__(self) -> "View":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return

    def show(self, sight: Sight) -> None:
        """Take in what one look has shown."""
        return

    def tell(self, line: str) -> None:
        """Say a remark of the command's own."""
        note(line)


class LineView(View):
    """Prints what happens when it happens, and what is being waited for when nothing does."""

    def __init__(self) -> None:
        self._moved_at: datetime | None = None
        self._said: list[str] = []
        self._told: list[str] = []
        self._told_at: datetime | None = None

    def show(self, sight: Sight) -> None:
        try:
            say(*sight.lines)
            self._say_progress(sight)
            self._say_waiting(sight)
        except BrokenPipeError:
            forget_reader()  # the work goes on

    def _say_progress(self, sight: Sight) -> None:
        """How far mapped tasks are: now and then, however fast their items end (S43)."""
        if not sight.progress:
            self._told_at = None
        elif self._told_at is None:
            self._told_at = sight.now
        elif (sight.now - self._told_at).total_seconds() >= PROGRESS_S:
            new = [line for line in sight.progress if line not in self._told]
            say(*[f"{clock(sight.now)}  {line}" for line in new])
            self._told, self._told_at = sight.progress, sight.now
            self._moved_at = sight.now if new else self._moved_at

    def _say_waiting(self, sight: Sight) -> None:
        if sight.lines or self._moved_at is None:
            self._moved_at = sight.now
        still = (sight.now - self._moved_at).total_seconds() >= QUIET_S
        if still and sight.waiting != self._said:
            self._said = sight.waiting
            say(*[f"waiting: {clean(line)}" for line in sight.waiting])


class LiveView(View):
    """A table of tasks that moves, with the newest lines under it."""

    def __init__(self) -> None:
        self._screen = screen()
        self._live = Live(console=self._screen, auto_refresh=False, transient=True)
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._moved_at: datetime | None = None

    def __enter__(self) -> "LiveView":
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, sight: Sight) -> None:
        if sight.lines or self._moved_at is None:
            self._moved_at = sight.now
        self._lines.extend(sight.lines)
        still = (sight.now - self._moved_at).total_seconds() >= QUIET_S
        self._live.update(self._picture(sight, still=still), refresh=True)

    def tell(self, line: str) -> None:
        self._screen.print(line)

    def _picture(self, sight: Sight, *, still: bool) -> Group:
        height = self._screen.height - _LINES - _WAITING - _AROUND
        active = [one for one in sight.executions if not one.ended] or sight.executions[-1:]
        room = max(height // max(len(active), 1), 4)
        parts: list[RenderableType] = []
        for execution in active:
            runs = list(latest_runs(execution).values())
            if len(runs) > room:
                alive = [run for run in runs if run.status in ALIVE]
                runs = (alive or runs)[-room:]
            parts += [Text(headline(execution, sight.now), style="bold")]
            parts += [tasks_table(runs, sight.now), Text("")]
        parts += [Text(clean(line), no_wrap=True, overflow="ellipsis") for line in self._lines]
        if still:
            shown = sight.waiting[:_WAITING]
            parts += [Text(f"waiting: {clean(line)}", style="dim") for line in shown]
        return Group(*parts)
