"""Column types that more than one table uses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

MOMENT: Any = DateTime(timezone=True)
JSON: Any = JSONB(none_as_null=True)


def now() -> datetime:
    """The present, aware, UTC."""
    return datetime.now(UTC)


def created() -> Any:
    """A NOT NULL moment that defaults to now."""
    return Field(default_factory=now, sa_type=MOMENT)


def moment() -> Any:
    """A moment that may be unknown."""
    return Field(default=None, sa_type=MOMENT)


def json_list() -> Any:
    """A JSON list, empty by default."""
    return Field(default_factory=list, sa_type=JSON)


def json_object() -> Any:
    """A JSON object, empty by default."""
    return Field(default_factory=dict, sa_type=JSON)


def reference(
    target: str, *, on_delete: str = "CASCADE", index: bool = True, primary_key: bool = False
) -> Any:
    """A NOT NULL foreign key."""
    return Field(
        sa_type=String,
        sa_column_args=[ForeignKey(target, ondelete=on_delete)],
        index=index,
        primary_key=primary_key,
    )


def optional_reference(target: str, *, on_delete: str = "SET NULL", index: bool = True) -> Any:
    """A foreign key that may be empty."""
    return Field(
        default=None,
        sa_type=String,
        sa_column_args=[ForeignKey(target, ondelete=on_delete)],
        index=index,
        nullable=True,
    )


def one_of(column: str, values: type[Any], table: str) -> CheckConstraint:
    """A CHECK that `column` holds one of a StrEnum's values."""
    listed = ", ".join(f"'{value.value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"ck_{table}_{column}")
