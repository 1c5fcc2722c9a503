"""What Temporal and the tables keep. I3: the words of mail that does not sync are nowhere in them."""

from __future__ import annotations

import asyncio

import psycopg
from psycopg import sql
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from devstack.stack import Stack
from workflows import temporal

SECRET = "kumquat"
"""In the address, subject and text of mail that must leave no trace but its ids (S9, S12, I3)."""


async def has_ended(stack: Stack, workflow_id: str) -> bool:
    """Whether no run of a workflow is under way; False also while Temporal does not answer."""
    try:
        client = await temporal.connect(stack.settings)
        description = await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        return error.status is RPCStatusCode.NOT_FOUND
    except RuntimeError:
        return False
    return description.status is not WorkflowExecutionStatus.RUNNING


def assert_no_secret(stack: Stack) -> None:
    """Looks at every row of every table, and at every event of every workflow."""
    with psycopg.connect(stack.database_url) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
        assert tables
        for (table,) in tables:
            query = sql.SQL("SELECT count(*) FROM {} t WHERE t::text LIKE %s").format(sql.Identifier(table))
            assert connection.execute(query, [f"%{SECRET}%"]).fetchone() == (0,), f"{SECRET} is in {table}"
    asyncio.run(_no_secret_in_temporal(stack))


async def _no_secret_in_temporal(stack: Stack) -> None:
    client = await temporal.connect(stack.settings)
    looked_at = 0
    async for execution in client.list_workflows():
        handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
        async for event in handle.fetch_history_events():
            looked_at += 1
            # As Temporal keeps it: payloads lie as plain bytes in it.
            assert SECRET.encode() not in event.SerializeToString(), f"{SECRET} is in {execution.id}"
    assert looked_at
