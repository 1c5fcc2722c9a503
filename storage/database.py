"""Database engines and sessions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, create_engine
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
            pool_pre_ping=True,
            pool_timeout=30,
            connect_args={"connect_timeout": 5, "options": "-c timezone=UTC"},
        )

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction: committed at the end of the block, rolled back on any exception."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close the pool's connections."""
        self.engine.dispose()
