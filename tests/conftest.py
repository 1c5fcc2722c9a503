"""Servers for tests: each started once per test process, when first asked for, and gone at its end.

`database` is a fresh, migrated PostgreSQL database; `temporal_env` the time-skipping Temporal server;
`stack` the whole running system, shared by the session; `fresh_stack` starts one of your own, to kill parts
of.

What a fixture needs is imported in it: tests that need no server do not wait for the imports of those that
do.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from temporalio.testing import WorkflowEnvironment

    from devstack.postgres import Postgres
    from devstack.stack import Stack

TEMPLATE = "crm"
"""The migrated database of the server, copied for each test and never used itself."""


@pytest.fixture(scope="session")
def watched() -> Iterator[str]:
    """Marks every process that this test process starts; whatever is left at the end is a failure.

    A process of its own ends them, and removes their files, also where the test process is killed.
    """
    from devstack import reaper
    from devstack.process import THROWAWAY_VARIABLE, Watch, new_mark, throwaway_dir

    mark = new_mark()
    folder = throwaway_dir("tests-")
    watch = Watch(mark, remove=[folder])
    os.environ[reaper.MARK_VARIABLE] = mark
    os.environ[THROWAWAY_VARIABLE] = str(folder)
    yield mark
    del os.environ[reaper.MARK_VARIABLE], os.environ[THROWAWAY_VARIABLE]
    deadline = time.monotonic() + 5
    while (left := list(reaper.marked(mark))) and time.monotonic() < deadline:
        time.sleep(0.05)
    watch.close()
    assert not left, f"processes outlived the tests that started them: {left}"


@pytest.fixture(scope="session")
def postgres_server(watched: str) -> Iterator[Postgres]:
    """One PostgreSQL server per test process, with a migrated database to copy."""
    from devstack import packed_cluster
    from devstack.postgres import Postgres
    from devstack.process import throwaway_dir
    from storage import migrate

    data_dir = throwaway_dir("pg-") / "data"
    password = packed_cluster.unpack(data_dir)
    with Postgres.start(data_dir, password=password or "") as server:
        if password is None:
            migrate.upgrade(server.create_database(TEMPLATE))
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: Postgres) -> str:
    """The server's maintenance database, for tests that create their own."""
    return postgres_server.url()


@pytest.fixture
def database(postgres_server: Postgres) -> str:
    """The URL of a fresh, empty database with the newest schema, for one test; 15 ms."""
    return postgres_server.copy_database(TEMPLATE)


@pytest.fixture(scope="module")
def module_database(postgres_server: Postgres) -> str:
    """The URL of a fresh database with the newest schema, shared by the tests of a module."""
    return postgres_server.copy_database(TEMPLATE)


@pytest.fixture
async def temporal_env(watched: str) -> AsyncIterator[WorkflowEnvironment]:
    """A Temporal server that skips time, with our search attributes; 0.1 s per test."""
    from temporalio.testing import WorkflowEnvironment

    from devstack import temporal
    from workflows.registration import register_search_attributes
    from workflows.temporal import DATA_CONVERTER

    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(temporal.binary("temporal-test-server")),
        data_converter=DATA_CONVERTER,
    )
    async with environment:
        await register_search_attributes(environment.client)
        yield environment


@pytest.fixture(scope="session")
def stack(watched: str) -> Iterator[Stack]:
    """The whole system, shared by the tests of a process: each takes a location and mailboxes of its own."""
    from devstack.stack import Stack

    with Stack.start() as running:
        yield running


@pytest.fixture
def fresh_stack(watched: str) -> Iterator[Callable[..., Stack]]:
    """Starts stacks of one's own, with `Stack.start`'s arguments, for tests that kill parts."""
    from devstack.stack import Stack

    with ExitStack() as started:
        yield lambda **arguments: started.enter_context(Stack.start(**arguments))
