"""Tables and colours, by rich: apart from `printing`, so that `emit` need not load it."""

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eventflow.cli.printing import clean, forget_reader, when

_PIPED_WIDTH = 240
_GAP = 2
# Columns whose text may be folded, and how narrow they may get.
_PROSE = frozenset({"note", "value", "for", "started by", "came to", "next due"})
_FOLDED = 16
# Columns that are left out of a table which is too wide for the terminal.
_LEAST_FIRST = (
    "snapshot",
    "namespace",
    "sender",
    "registered",
    "type",
    "zone",
    "attempts",
    "attempt",
    "duration",
    "last fired",
    "execution",
    "began",
    "came to",
    "started by",
    "for",
    "note",
)
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


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], width: int | None = None
) -> Table:
    """A plain table. A cell that is a status gets its colour; text is shown as it is.

    Where it is too wide, columns that matter least are left out, and prose is folded: ids, names
    and statuses stay whole.

    Args:
        width: In characters; that of the screen by default.
    """
    cells = [[cell(value) for value in row] for row in rows]
    widths = [
        max(len(column), *(_width(row[number]) for row in cells)) if cells else len(column)
        for number, column in enumerate(columns)
    ]
    kept = _fitting(columns, widths, screen().width if width is None else width)
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    for number in kept:
        prose = columns[number] in _PROSE
        made.add_column(columns[number], overflow="fold", no_wrap=not prose)
    for row in cells:
        made.add_row(*[row[number] for number in kept])
    return made


def _fitting(columns: Sequence[str], widths: Sequence[int], width: int) -> list[int]:
    """The places of the columns that fit, when prose is folded as far as it can be read."""
    kept = list(range(len(columns)))

    def needs() -> int:
        return sum(
            min(widths[number], _FOLDED) if columns[number] in _PROSE else widths[number]
            for number in kept
        ) + _GAP * (len(kept) - 1)

    for name in _LEAST_FIRST:
        if needs() <= width:
            break
        # The first column says what the row is about.
        kept = [number for number in kept if number == 0 or columns[number] != name]
    return kept


def _width(text: Text) -> int:
    return max((cell_len(line) for line in text.plain.split("\n")), default=0)


def cell(value: object) -> Text:
    """One value as a table shows it; control characters are made visible."""
    if isinstance(value, Text):
        return value
    text = when(value) if isinstance(value, datetime) else str(value if value is not None else "")
    return Text(clean(text), style=STYLES.get(text, ""))
