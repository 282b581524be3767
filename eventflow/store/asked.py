"""Which verdicts were asked again in a later turn (S13), as SQL."""

from sqlalchemy import ColumnElement, case, exists, literal_column
from sqlalchemy.orm import aliased
from sqlmodel import col

from eventflow.store.tables import VerdictTable

# In the words of its index, or SQLite would not use it.
IS_AGAIN = col(VerdictTable.of_turn) > literal_column("0")


def asked_again() -> ColumnElement[bool]:
    """Whether the same rule was asked again about the same event in a later turn."""
    later = aliased(VerdictTable)
    first = case(
        (col(VerdictTable.of_turn) > 0, col(VerdictTable.of_turn)), else_=col(VerdictTable.turn)
    )
    same = (
        col(later.workflow_execution_id).is_not_distinct_from(VerdictTable.workflow_execution_id),
        *(
            getattr(later, name) == getattr(VerdictTable, name)
            for name in ("namespace", "workflow", "task", "rule")
        ),
    )
    return exists().where(
        col(later.of_turn) > literal_column("0"),
        col(later.of_turn) == first,
        col(later.turn) > col(VerdictTable.turn),
        *same,
    )
