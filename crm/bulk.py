"""Rows of many tables written in one statement, so that a page costs one round trip and not one for each row."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic_core import to_json
from sqlalchemy import TextClause
from sqlalchemy import text as sql
from sqlmodel import Session, SQLModel

from models import (
    Attachment,
    Decision,
    GmailMessage,
    GmailThread,
    MatchKey,
    Message,
    Participant,
    Thread,
)
from models.states import Outcome

_TABLES: tuple[type[SQLModel], ...] = (
    Thread,
    Message,
    Participant,
    Attachment,
    MatchKey,
    GmailMessage,
    GmailThread,
    Decision,
)
_DECISION_COLUMNS = tuple(name for name in Decision.model_fields if name not in ("account_id", "gmail_id"))
_CONFLICT: Mapping[type[SQLModel], str] = {
    MatchKey: "ON CONFLICT DO NOTHING",
    GmailMessage: "ON CONFLICT DO NOTHING",
    GmailThread: "ON CONFLICT DO NOTHING",
    # One decision for each Gmail id (I1): another one replaces it, except that what synced stays.
    Decision: (
        "ON CONFLICT (account_id, gmail_id) DO UPDATE SET "
        + ", ".join(f"{name} = excluded.{name}" for name in _DECISION_COLUMNS)
        + f" WHERE decisions.outcome <> '{Outcome.SYNCED}'"
        " AND (decisions.outcome <> excluded.outcome OR decisions.rule <> excluded.rule)"
    ),
}


class Rows:
    """Rows to insert; every row of a table names the same columns. Those that exist stay as they are."""

    def __init__(self) -> None:
        self._rows: dict[type[SQLModel], list[dict[str, Any]]] = {}
        self._more = ""
        self._values: dict[str, Any] = {}

    def add(self, table: type[SQLModel], *rows: dict[str, Any]) -> None:
        """Add rows as column values; moments are aware, JSON columns plain values."""
        if rows:
            self._rows.setdefault(table, []).extend(rows)

    def with_(self, queries: str, **values: Any) -> None:
        """Add WITH queries to the statement; values are passed as JSON text. They do not see the rows inserted."""
        self._more, self._values = queries, values

    def write(self, session: Session) -> None:
        """Insert all of them at once; foreign keys among them hold, since they are checked at the statement's end."""
        tables = tuple(table for table in _TABLES if self._rows.get(table))
        if not tables:
            return
        columns = tuple(tuple(self._rows[table][0]) for table in tables)
        session.execute(
            _statement(tables, columns, self._more),
            {
                **{_name(table): to_json(self._rows[table]).decode() for table in tables},
                **{name: to_json(value).decode() for name, value in self._values.items()},
            },
        )
        self._rows.clear()
        self._more, self._values = "", {}


def _name(table: type[SQLModel]) -> str:
    return str(table.__tablename__)


@lru_cache(maxsize=64)
def _statement(
    tables: tuple[type[SQLModel], ...], columns: tuple[tuple[str, ...], ...], more: str
) -> TextClause:
    parts = [more] if more else []
    for table, names in zip(tables, columns, strict=True):
        listed = ", ".join(f'"{name}"' for name in names)
        name = _name(table)
        insert = ("INSERT INTO", name, f"({listed})", "SELECT", listed, "FROM json_populate_recordset")
        source = f"(CAST(NULL AS {name}), CAST(:{name} AS json))"
        parts.append(f"in_{name} AS ({' '.join(insert)}{source} {_CONFLICT.get(table, '')})")
    return sql(f"WITH {', '.join(parts)} SELECT 1")
