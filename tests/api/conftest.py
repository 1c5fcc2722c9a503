"""One API for the tests of a module; each test takes a location of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.running import RunningApi, Tenant, serve


@pytest.fixture(scope="module")
def served(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApi]:
    """The API over a fresh database."""
    with serve(module_database, str(tmp_path_factory.mktemp("state"))) as running:
        yield running


@pytest.fixture
def running(served: RunningApi) -> RunningApi:
    """The API, with no commands recorded yet."""
    served.commands.given.clear()
    served.commands.away = False
    return served


@pytest.fixture
def tenant(running: RunningApi) -> Tenant:
    """A location and its key."""
    return running.tenant()
