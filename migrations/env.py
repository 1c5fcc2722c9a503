"""Alembic's entry: applies the versions to the database that `storage.migrate` names."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, pool, text
from sqlmodel import SQLModel

import models

LOCK = 7_130_412
"""Two processes that migrate at once take turns."""


def run() -> None:
    assert models.Account.metadata is SQLModel.metadata
    url = context.config.attributes["url"]
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=SQLModel.metadata, compare_type=True)
        with context.begin_transaction():
            connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
            context.run_migrations()
    engine.dispose()


run()
