"""PostgreSQL and Temporal alone, as tests of other rooms use them."""

from __future__ import annotations

import asyncio
import stat
import time
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from devstack import packed_cluster, ports, postgres, temporal
from devstack.postgres import Postgres
from devstack.process import NotReady, PartError, Process

pytestmark = pytest.mark.servers


def test_each_test_gets_an_empty_migrated_database(database: str) -> None:
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert len(tables) > 10


def test_what_one_test_writes_another_does_not_see(postgres_server: Postgres) -> None:
    first, second = (postgres_server.copy_database("crm") for _ in range(2))
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE left_behind (id int)")
    with psycopg.connect(second) as connection:
        assert connection.execute("SELECT to_regclass('left_behind')").fetchone() == (None,)


def test_a_kept_server_wants_its_password_and_keeps_its_data(tmp_path: Path) -> None:
    data, log, port = tmp_path / "data", tmp_path / "pg.log", ports.take_free()
    for expected in ([], [("crm",)]):
        postgres.prepare(data, "s3cret-and-long")
        process = Process(postgres.command(data, port, log, durable=True))
        try:
            url = postgres.url(port, "postgres", "s3cret-and-long")
            _until_it_answers(url)
            with psycopg.connect(url) as connection:
                rows = connection.execute("SELECT datname FROM pg_database WHERE datname = 'crm'").fetchall()
            assert rows == expected
            with pytest.raises(psycopg.OperationalError, match="password"):
                postgres.check(postgres.url(port))
            postgres.ensure_database(url, "crm")
            process.kill()  # a crash: the next start has to clear its lock
        finally:
            process.stop()
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_a_server_on_a_taken_port_says_who_has_it(postgres_server: Postgres) -> None:
    with pytest.raises(PartError, match=f"port {postgres_server.port} is in use") as error:
        Postgres.start(port=postgres_server.port)
    assert f"process {postgres_server.process.pid} (postgres)" in str(error.value)


def test_a_server_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert packed_cluster.unpack(data)
    (data / "postgresql.conf").write_text("no_such_setting = 1")
    with pytest.raises(PartError, match="unrecognized configuration parameter"):
        Postgres.start(data_dir=data)


def test_the_servers_identity_is_not_root(postgres_server: Postgres) -> None:
    assert Path(f"/proc/{postgres_server.process.pid}").stat().st_uid != 0


async def test_temporal_knows_our_search_attributes(tmp_path: Path) -> None:
    port, ui_port = ports.take_free(), ports.take_free()
    env = {"TEMPORAL_ADDRESS": f"127.0.0.1:{port}"}
    process = Process(
        temporal.command(port, ui_port, tmp_path / "temporal.log", db_file=tmp_path / "temporal.db")
    )
    try:
        async with asyncio.timeout(60):
            while True:
                try:
                    await temporal.check(env)
                    break
                except NotReady:
                    assert process.running, process.log_tail()
        assert await temporal.pollers(env, "nobody-polls-this") == {}
    finally:
        process.stop()
    assert not process.running


STATE = SearchAttributeKey.for_keyword("AccountState")


@workflow.defn
class Sleeper:
    @workflow.run
    async def run(self) -> str:
        workflow.upsert_search_attributes([STATE.value_set("active")])
        await workflow.sleep(timedelta(days=30))
        return "awake"


async def test_thirty_days_pass_at_once(temporal_env: WorkflowEnvironment) -> None:
    began = time.monotonic()
    async with Worker(
        temporal_env.client,
        task_queue="sleepers",
        workflows=[Sleeper],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        result = await temporal_env.client.execute_workflow(Sleeper.run, id="sleeper", task_queue="sleepers")
    assert result == "awake"
    assert time.monotonic() - began < 60


def _until_it_answers(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            return postgres.check(url)
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
