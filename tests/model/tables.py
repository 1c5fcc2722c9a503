"""What the system has in its tables, asked again and again while a life waits: cheaper than the API, a tenth.

The end of a life is compared through the API as well; this is only for waiting.
"""

from __future__ import annotations

import threading
from typing import Any, LiteralString

import psycopg

Rows = list[tuple[Any, ...]]


class Away(Exception):
    """PostgreSQL is being started again."""


class Tables:
    """One connection, opened anew after the server was killed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._lock = threading.Lock()

    def rows(self, query: LiteralString, *args: object) -> Rows:
        """The rows of a query.

        Raises:
            Away: the server does not answer.
        """
        with self._lock:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = psycopg.connect(self._url, autocommit=True)
                return self._connection.execute(query, args).fetchall()
            except psycopg.OperationalError as error:
                self._connection = None
                raise Away from error

    def state(self, account_id: str) -> str:
        ((state,),) = self.rows("SELECT state FROM accounts WHERE id = %s", account_id)
        return str(state)

    def decided(self, account_id: str) -> set[str]:
        """Gmail ids that have a decision for good."""
        query = "SELECT gmail_id FROM decisions WHERE account_id = %s AND outcome <> 'failed'"
        return {gmail_id for (gmail_id,) in self.rows(query, account_id)}

    def proven(self, account_id: str) -> tuple[Any, int | None]:
        """When completeness was checked last, and what was missing."""
        query = "SELECT completeness_checked_at, completeness_missing FROM accounts WHERE id = %s"
        ((checked_at, missing),) = self.rows(query, account_id)
        return checked_at, missing

    def status(self, message_id: str) -> str:
        ((status,),) = self.rows("SELECT status FROM messages WHERE id = %s", message_id)
        return str(status)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
