"""CampaignWorkflow: batch after batch, waits that a change ends, and no run while it is paused."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from worker import workflow_runner
from workflows.campaign import CampaignWorkflow
from workflows.policies import bulk_queue
from workflows.values import CampaignInput, CampaignStep

pytestmark = pytest.mark.servers

Answer = Callable[[], CampaignStep]


class Batches:
    """A fake `mail_batch`: the next answer, and what it was asked with and when."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[CampaignInput] = []
        self.asked_at: list[datetime] = []

    @activity.defn
    async def mail_batch(self, value: CampaignInput) -> CampaignStep:
        self.asked.append(value)
        self.asked_at.append(activity.info().scheduled_time)
        return self.answers.pop(0)()


def more() -> CampaignStep:
    return CampaignStep(kind="more", sent=10)


def done() -> CampaignStep:
    return CampaignStep(kind="done")


def broken() -> CampaignStep:
    raise ApplicationError("the database is away", non_retryable=True)


def waiting(until: datetime, *, provider_failed: bool = False) -> Answer:
    return lambda: CampaignStep(kind="wait", until=until, why="the provider", provider_failed=provider_failed)


async def run(environment: WorkflowEnvironment, batches: Batches, *, then: str | None = None) -> None:
    queue = str(uuid.uuid4())
    async with (
        Worker(
            environment.client,
            task_queue=queue,
            workflows=[CampaignWorkflow],
            workflow_runner=workflow_runner(),
            workflow_failure_exception_types=[Exception],
        ),
        Worker(environment.client, task_queue=bulk_queue(queue), activities=[batches.mail_batch]),
    ):
        handle = await environment.client.start_workflow(
            CampaignWorkflow.run,
            CampaignInput(campaign_id="cmp_1"),
            id=f"campaign/{queue}",
            task_queue=queue,
            execution_timeout=timedelta(days=30),
        )
        if then:
            await handle.signal(then)
        await handle.result()
        assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED


async def test_batches_follow_each_other_until_all_are_mailed(temporal_env: WorkflowEnvironment) -> None:
    batches = Batches(more, more, done)
    await run(temporal_env, batches)
    assert len(batches.asked) == 3


async def test_those_refused_for_now_are_tried_at_their_time(temporal_env: WorkflowEnvironment) -> None:
    start = await temporal_env.get_current_time()
    batches = Batches(waiting(start + timedelta(minutes=20)), done)
    await run(temporal_env, batches)
    assert batches.asked_at[1] >= start + timedelta(minutes=20)


async def test_a_change_ends_a_wait(temporal_env: WorkflowEnvironment) -> None:
    start = await temporal_env.get_current_time()
    batches = Batches(waiting(start + timedelta(minutes=50)), done)
    await run(temporal_env, batches, then="changed")
    assert batches.asked_at[1] < start + timedelta(minutes=5)


async def test_a_change_during_the_last_batch_is_looked_at(temporal_env: WorkflowEnvironment) -> None:
    batches = Batches(done, done)
    await run(temporal_env, batches, then="changed")
    assert 1 <= len(batches.asked) <= 2


async def test_failures_of_the_provider_are_counted_and_forgotten_after_a_success(
    temporal_env: WorkflowEnvironment,
) -> None:
    soon = await temporal_env.get_current_time() + timedelta(seconds=1)
    failing = waiting(soon, provider_failed=True)
    batches = Batches(failing, failing, more, failing, done)
    await run(temporal_env, batches)
    assert [value.failures for value in batches.asked] == [0, 1, 2, 0, 1]


async def test_a_batch_that_fails_never_ends_the_campaign(temporal_env: WorkflowEnvironment) -> None:
    batches = Batches(broken, more, done)
    await run(temporal_env, batches)
    assert len(batches.asked) == 3


async def test_a_long_campaign_goes_on_as_new(temporal_env: WorkflowEnvironment) -> None:
    batches = Batches(*[more] * 90, done)
    await run(temporal_env, batches)
    assert len(batches.asked) == 91
