"""S23: the reading of Google contacts, when the setting changes while it reads."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from temporalio import activity
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from worker import workflow_runner
from workflows.contacts import ContactsWorkflow
from workflows.values import ContactsInput, ContactsReport

pytestmark = pytest.mark.servers


async def test_s23_switched_on_while_it_finds_it_switched_off_it_reads_once_more(
    temporal_env: WorkflowEnvironment,
) -> None:
    reports = [ContactsReport(going=False), ContactsReport(going=True, imported=3)]

    @activity.defn(name="read_contacts")
    async def read_contacts(value: ContactsInput) -> ContactsReport:
        if len(reports) == 2:
            own_id = activity.info().workflow_id
            assert own_id is not None
            await temporal_env.client.get_workflow_handle(own_id).signal(ContactsWorkflow.sync_now)
        return reports.pop(0)

    queue = f"contacts-{uuid.uuid4()}"
    async with Worker(
        temporal_env.client,
        task_queue=queue,
        workflows=[ContactsWorkflow],
        activities=[read_contacts],
        workflow_runner=workflow_runner(),
        workflow_failure_exception_types=[Exception],
    ):
        handle = await temporal_env.client.start_workflow(
            ContactsWorkflow.run, ContactsInput(account_id="acc_1"), id=f"contacts/{queue}", task_queue=queue
        )
        assert await asyncio.wait_for(handle.result(), 40) == 3
    assert reports == []
