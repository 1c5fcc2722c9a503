"""WebhookWorkflow: it runs only while events wait, and leaves a consumer that failed in peace until its time."""

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
from workflows.policies import webhook_queue
from workflows.values import WebhookInput, WebhookStep
from workflows.webhook import WebhookWorkflow

pytestmark = pytest.mark.servers

Answer = Callable[[], WebhookStep]


class Rounds:
    """A fake `deliver_events`."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked_at: list[datetime] = []

    @activity.defn
    async def deliver_events(self, value: WebhookInput) -> WebhookStep:
        self.asked_at.append(activity.info().scheduled_time)
        return self.answers.pop(0)()


def more() -> WebhookStep:
    return WebhookStep(kind="more", delivered=50)


def done() -> WebhookStep:
    return WebhookStep(kind="done")


def broken() -> WebhookStep:
    raise ApplicationError("the database is away", non_retryable=True)


async def run(environment: WorkflowEnvironment, rounds: Rounds, *, signals: int = 1) -> None:
    queue = str(uuid.uuid4())
    async with (
        Worker(
            environment.client,
            task_queue=queue,
            workflows=[WebhookWorkflow],
            workflow_runner=workflow_runner(),
            workflow_failure_exception_types=[Exception],
        ),
        Worker(environment.client, task_queue=webhook_queue(queue), activities=[rounds.deliver_events]),
    ):
        handle = await environment.client.start_workflow(
            WebhookWorkflow.run,
            WebhookInput(endpoint_id="whe_1"),
            id=f"webhook/{queue}",
            task_queue=queue,
            start_signal="events_wait",
            execution_timeout=timedelta(days=30),
        )
        for _ in range(signals - 1):
            await handle.signal("events_wait")
        await handle.result()
        assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED


async def test_it_ends_once_all_is_told(temporal_env: WorkflowEnvironment) -> None:
    rounds = Rounds(more, more, done, done)
    await run(temporal_env, rounds)
    assert 3 <= len(rounds.asked_at) <= 4


async def test_no_signal_shortens_the_wait_of_a_consumer_that_failed(
    temporal_env: WorkflowEnvironment,
) -> None:
    start = await temporal_env.get_current_time()
    until = start + timedelta(hours=6)
    rounds = Rounds(lambda: WebhookStep(kind="wait", until=until, why="500"), done, done)
    await run(temporal_env, rounds, signals=20)
    assert rounds.asked_at[1] >= until


async def test_a_step_that_fails_never_ends_it(temporal_env: WorkflowEnvironment) -> None:
    rounds = Rounds(broken, done, done)
    await run(temporal_env, rounds)
    assert len(rounds.asked_at) >= 2
