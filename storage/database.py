"""Database engines and sessions."""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError
from sqlmodel import Session


def dialect_url(url: str) -> str:
    """`postgresql://...` as people write it, with the driver that we use."""
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


class Database:
    """One pool of connections for a process; every unit of work is one `session()`."""

    def __init__(self, url: str, *, pool_size: int = 20) -> None:
        self.engine: Engine = create_engine(
            dialect_url(url),
            pool_size=pool_size,
            max_overflow=4,
            pool_timeout=30,
            connect_args={"connect_timeout": 5, "options": "-c timezone=UTC"},
        )
        event.listen(self.engine, "checkout", must_be_alive)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction: committed at the end of the block, rolled back on any exception."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

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
