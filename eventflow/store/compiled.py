"""Statements compiled once, from the tables, into text for the driver itself.

Building a statement costs more than running it, so none is built while the loop waits.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Delete, Insert, Select, Update, bindparam, func, insert, update
from sqlalchemy import Table as SqlTable
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ColumnElement

from eventflow.store import data_tables, tables
from eventflow.store.columns import Instant, Table, micros_of

# The modules that fill the collection of tables.
TABLES = (tables, data_tables)

DIALECT = sqlite.dialect()


class Write(NamedTuple):
    """A compiled INSERT or UPDATE, and which of its parameters are instants."""

    text: str
    instants: tuple[int, ...]

    def bind(self, rows: Iterable[Sequence[Any]]) -> list[Sequence[Any]]:
        """The rows as the driver takes them."""
        if not self.instants or not rows:
            return list(rows)
        bound: list[Sequence[Any]] = []
        for row in rows:
            values = list(row)
            for place in self.instants:
                values[place] = micros_of(values[place])
            bound.append(values)
        return bound


def table(name: str) -> SqlTable:
    return Table.metadata.tables[name]


def text_of(statement: Select[Any] | Update | Delete) -> str:
    """The text of a statement; its parameters are bound in the order in which they stand."""
    return str(statement.compile(dialect=DIALECT))


def bound(statement: Select[Any]) -> tuple[str, list[Any]]:
    """The text of a statement made for one question, and its parameters in order."""
    compiled = statement.compile(dialect=DIALECT)
    names = compiled.positiontup if isinstance(compiled, SQLCompiler) else None
    return str(compiled), [compiled.params[name] for name in names or ()]


def insert_into(name: str, fields: Sequence[str], *, on_repeat: str = "") -> Write:
    """An INSERT of rows with these fields.

    Args:
        on_repeat: `IGNORE` or `REPLACE` a row whose key is there; without it that is an error.
    """
    into = table(name)
    statement = insert(into).values({field: bindparam(field) for field in fields})
    if on_repeat:
        statement = statement.prefix_with(f"OR {on_repeat}")
    return _write(statement, into, fields)


def update_by_id(
    name: str, fields: Sequence[str], *, keep: Sequence[str] = (), first: Sequence[str] = ()
) -> Write:
    """An UPDATE of the row whose id is the last field.

    Args:
        keep: Columns that a NULL leaves as they are.
        first: Columns that keep what they have once they have something.
    """
    of = table(name)
    values: list[tuple[ColumnElement[Any], ColumnElement[Any]]] = []
    for field in fields[:-1]:
        new: ColumnElement[Any] = bindparam(f"new_{field}")
        if field in keep:
            new = func.coalesce(new, of.c[field])
        elif field in first:
            new = func.coalesce(of.c[field], new)
        values.append((of.c[field], new))
    statement = update(of).where(of.c.id == bindparam("new_id")).ordered_values(*values)
    return _write(statement, of, fields)


def _write(statement: Insert | Update, of: SqlTable, fields: Sequence[str]) -> Write:
    """Compile a statement whose parameters are to be `fields`, in their order."""
    compiled = statement.compile(dialect=DIALECT)
    told = compiled.positiontup if isinstance(compiled, SQLCompiler) else None
    names = [name.removeprefix("new_") for name in told or ()]
    if names != list(fields):
        raise TypeError(f"table {of.name!r} takes {names}, the row has {list(fields)}")
    instants = [place for place, name in enumerate(names) if isinstance(of.c[name].type, Instant)]
    return Write(str(compiled), tuple(instants))
