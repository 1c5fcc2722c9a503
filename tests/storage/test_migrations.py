"""The schema: migrations go up and down, and give what the models say."""

from __future__ import annotations

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

from devstack.postgres import Postgres
from storage import migrate
from storage.database import dialect_url

pytestmark = pytest.mark.servers


def tables(url: str) -> set[str]:
    engine = create_engine(dialect_url(url))
    try:
        return set(inspect(engine).get_table_names()) - {"alembic_version"}
    finally:
        engine.dispose()


def test_migrations_go_up_and_down_again(postgres_server: Postgres) -> None:
    url = postgres_server.create_database("up_and_down")
    migrate.upgrade(url)
    assert {"accounts", "messages", "decisions", "match_keys"} <= tables(url)
    migrate.downgrade(url, "base")
    assert tables(url) == set()
    migrate.upgrade(url)
    assert {"accounts", "messages", "decisions", "match_keys"} <= tables(url)


def test_the_migrations_give_what_the_models_say(database: str) -> None:
    command.check(migrate._config(database))  # raises where they differ
    assert tables(database)


def test_there_is_one_line_of_migrations(database: str) -> None:
    heads = ScriptDirectory.from_config(migrate._config(database)).get_heads()
    assert len(heads) == 1
