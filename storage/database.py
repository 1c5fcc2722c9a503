"""Database engines and sessions.

What fails says what went wrong, never with which values: those may be somebody's mail, and errors go to logs and
into Temporal's history.
"""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Engine, ExceptionContext, NullPool, create_engine, event, text
from sqlalchemy.exc import DisconnectionError
from sqlmodel import Session

_NO_LONGER_THAN = text("SELECT set_config('lock_timeout', :ms, false)")
_ALONE = text("SELECT pg_advisory_lock(hashtextextended(:name, 0))")


def dialect_url(url: str) -> str:
    """`postgresql://...` as people write it, with the driver that we use."""
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


_CONNECT_ARGS = {"connect_timeout": 5, "options": "-c timezone=UTC"}


class Database:
    """One pool of connections for a process; every unit of work is one `session()`."""

    def __init__(self, url: str, *, pool_size: int = 20) -> None:
        self.engine: Engine = create_engine(
            dialect_url(url),
            pool_size=pool_size,
            max_overflow=4,
            pool_timeout=30,
            hide_parameters=True,
            # The connection used last has the statements prepared.
            pool_use_lifo=True,
            connect_args=_CONNECT_ARGS,
        )
        event.listen(self.engine, "checkout", must_be_alive)
        event.listen(self.engine, "handle_error", leave_values_out)
        self._unpooled: Engine = create_engine(
            dialect_url(url),
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
            connect_args=_CONNECT_ARGS,
        )

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction: committed at the end of the block, rolled back on any exception."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def alone(self, name: str, *, wait_s: float = 20.0) -> Iterator[None]:
        """Hold a lock by name, over all processes, for calls that are too slow for a transaction.

        A connection of its own holds it, outside the pool and of any transaction: PostgreSQL lets go of it as soon
        as the process that holds it has died.

        Raises:
            OperationalError: others hold it for longer than `wait_s` seconds.
        """
        with self._unpooled.connect() as connection:
            connection.execute(_NO_LONGER_THAN, {"ms": f"{wait_s * 1000:.0f}"})
            connection.execute(_ALONE, {"name": name})
            yield

    def close(self) -> None:
        """Close the pool's connections."""
        self.engine.dispose()


def must_be_alive(connection: Any, _record: Any, _proxy: Any) -> None:
    """Turn away a pooled connection whose server is gone: its socket has something to read, an end or an error.

    Asks the socket and not the server, which would cost a round trip for each transaction.
    """
    if connection.closed:
        raise DisconnectionError
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    if waiting.poll(0):
        raise DisconnectionError


def leave_values_out(context: ExceptionContext) -> None:
    """Take the server's DETAIL and CONTEXT out of an error: they quote the row that it is about."""
    original = context.original_exception
    if not isinstance(original, psycopg.Error) or original.diag.message_primary is None:
        return
    # Class 22, wrong data, quotes the value in its first line too.
    is_about_a_value = (original.sqlstate or "").startswith("22")
    what = type(original).__name__ if is_about_a_value else original.diag.message_primary
    whole, short = str(original), f"{what} ({original.sqlstate})"
    original.args = (short,)
    if context.sqlalchemy_exception is not None:
        context.sqlalchemy_exception.args = tuple(
            part.replace(whole, short) if isinstance(part, str) else part
            for part in context.sqlalchemy_exception.args
        )
