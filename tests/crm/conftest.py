"""A location per test, in one database per module: tests never share rows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from storage.database import Database
from tests.crm.builders import Crm


@pytest.fixture(scope="module")
def crm_database(module_database: str) -> Iterator[Database]:
    """One pool over the module's database."""
    database = Database(module_database, pool_size=6)
    yield database
    database.close()


@pytest.fixture
def crm(crm_database: Database) -> Crm:
    """A fresh location with nobody in it."""
    return Crm.create(crm_database)
