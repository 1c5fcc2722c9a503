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

    def story_of(self, account_id: str) -> list[str]:
        """Where an account stands and what it waits for, for whoever has to understand a failure."""
        told = [
            f"{account_id}: {state}, {reason}; next: {then} at {at}; cursor {cursor}, synced {synced}"
            for state, reason, then, at, cursor, synced in self.rows(
                "SELECT state, reason, next_action, next_action_at, history_id, last_synced_at "
                "FROM accounts WHERE id = %s",
                account_id,
            )
        ]
        told += [
            f"  {gmail_id} failed {attempts} times: {detail}; again at {at}"
            for gmail_id, attempts, detail, at in self.rows(
                "SELECT gmail_id, attempts, detail, next_try_at FROM decisions "
                "WHERE account_id = %s AND outcome = 'failed'",
                account_id,
            )
        ]
        told += [
            f"  {at:%H:%M:%S} {kind}: {detail}"
            for at, kind, detail in self.rows(
                "SELECT at, kind, detail FROM timeline WHERE account_id = %s ORDER BY seq DESC LIMIT 12",
                account_id,
            )
        ]
        return told

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
