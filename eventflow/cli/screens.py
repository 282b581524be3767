"""Tables and colours, by rich: apart from `printing`, so that `emit` need not load it."""

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from eventflow.cli.printing import clean, forget_reader, when

_PIPED_WIDTH = 240
STYLES = {
    "SUCCESS": "green",
    "FAILED": "bold red",
    "RUNNING": "cyan",
    "STOPPED": "yellow",
    "STOPPING": "yellow",
    "RESTARTING": "yellow",
    "RETRYING": "magenta",
}


class _Screen(Console):
    """A console whose reader may go away: then nothing is shown, and the work goes on."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        forget_reader()


def screen() -> Console:
    """Standard output, for people: as wide as the terminal, or wide enough for what is piped."""
    width = None if sys.stdout.isatty() else _PIPED_WIDTH
    return _Screen(highlight=False, markup=False, emoji=False, width=width, soft_wrap=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A plain table. A cell that is a status gets its colour; text is shown as it is."""
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*[cell(value) for value in row])
    return made


def cell(value: object) -> Text:
    """One value as a table shows it; control characters are made visible."""
    if isinstance(value, Text):
        return value
    text = when(value) if isinstance(value, datetime) else str(value if value is not None else "")
    return Text(clean(text), style=STYLES.get(text, ""))
