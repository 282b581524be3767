"""What the tables are made of: the type of instants, and constraints made from the enums."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Dialect, MetaData, TypeDecorator
from sqlmodel import SQLModel

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros_of(instant: datetime | None) -> int | None:
    """Microseconds since 1970, UTC: how every instant is stored.

    Raises:
        ValueError: If the instant is naive.
    """
    if instant is None:
        return None
    if instant.tzinfo is None:
        raise ValueError(f"an instant must be aware, got naive {instant.isoformat()}")
    passed = instant - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def instant_of(micros: int | None) -> datetime | None:
    """The instant that was stored, in UTC."""
    return _EPOCH + timedelta(microseconds=micros) if micros is not None else None


class Instant(TypeDecorator[datetime]):
    """An aware datetime as microseconds UTC. SQLite itself would drop the zone without a word."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return micros_of(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return instant_of(value)


class Table(SQLModel):
    """What all tables of a store share: one collection, apart from any of a user's program."""

    metadata = MetaData()


def one_of(column: str, values: Iterable[StrEnum]) -> str:
    """SQL for: the column holds one of these."""
    names = ", ".join(f"'{value.value}'" for value in sorted(values))
    return f"{column} IN ({names})"
