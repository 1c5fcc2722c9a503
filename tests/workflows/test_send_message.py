"""SendMessageWorkflow: it waits for its moment, asks again when told, and survives whatever a step does."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from temporalio import activity, workflow
from temporalio.client import WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from workflows.commands import Commands
from workflows.send_message import SendMessageWorkflow
from workflows.values import MessageInput, SendStep

pytestmark = pytest.mark.servers

Answer = Callable[[], SendStep]


class Steps:
    """Fake activities: the next answer of each list, and what was asked."""

    def __init__(self, prepare: list[Answer], leave: list[Answer]) -> None:
        self.answers = {"prepare": prepare, "leave": leave}
        self.asked: list[str] = []
        self.asked_at: list[datetime] = []

    def _answer(self, step: str) -> SendStep:
        self.asked.append(step)
        self.asked_at.append(activity.info().scheduled_time)
        return self.answers[step].pop(0)()

    @activity.defn
    async def prepare_to_leave(self, message_id: str) -> SendStep:
        return self._answer("prepare")

    @activity.defn
    async def leave(self, message_id: str) -> SendStep:
        return self._answer("leave")


def leave() -> SendStep:
    return SendStep(kind="leave")


def done() -> SendStep:
    return SendStep(kind="done")


def broken() -> SendStep:
    raise ApplicationError("the database is away", non_retryable=True)


async def run(environment: WorkflowEnvironment, steps: Steps, *, then: str | None = None) -> None:
    queue = str(uuid.uuid4())
    async with Worker(
        environment.client,
        task_queue=queue,
        workflows=[SendMessageWorkflow],
        activities=[steps.prepare_to_leave, steps.leave],
        workflow_failure_exception_types=[Exception],
    ):
        handle = await environment.client.start_workflow(
            SendMessageWorkflow.run,
            MessageInput(message_id="msg_1"),
            id=f"message/{queue}",
            task_queue=queue,
            execution_timeout=timedelta(days=30),
        )
        if then:
            await handle.signal(then)
        await handle.result()
        assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED


async def test_a_message_leaves_at_once(temporal_env: WorkflowEnvironment) -> None:
    steps = Steps([leave], [done])
    await run(temporal_env, steps)
    assert steps.asked == ["prepare", "leave"]


async def test_s26_a_message_over_the_limit_leaves_by_itself_at_its_time(
    temporal_env: WorkflowEnvironment,
) -> None:
    start = await temporal_env.get_current_time()
    at = start + timedelta(hours=9)

    def wait() -> SendStep:
        return SendStep(kind="wait", until=at, why="a place within Gmail's daily limit")

    steps = Steps([wait] * 9 + [leave], [done])
    await run(temporal_env, steps)
    assert steps.asked_at[-2] >= at
    assert steps.asked[-2:] == ["prepare", "leave"]


async def test_a_changed_row_wakes_a_message_that_waits_for_a_person(
    temporal_env: WorkflowEnvironment,
) -> None:
    steps = Steps([lambda: SendStep(kind="wait", why="held"), done], [])
    await run(temporal_env, steps, then="changed")
    assert steps.asked == ["prepare", "prepare"]
    assert steps.asked_at[1] - steps.asked_at[0] < timedelta(minutes=1)


async def test_s27_a_step_that_fails_never_ends_the_message(temporal_env: WorkflowEnvironment) -> None:
    steps = Steps([broken, leave, leave], [broken, done])
    await run(temporal_env, steps)
    assert steps.asked == ["prepare", "prepare", "leave", "prepare", "leave"]


async def test_those_whose_place_moved_forward_are_told(temporal_env: WorkflowEnvironment) -> None:
    steps = Steps([lambda: SendStep(kind="done", wake=["msg_that_has_ended"])], [])
    await run(temporal_env, steps)
    assert steps.asked == ["prepare"]


async def test_s6_an_account_whose_grant_was_refused_is_told_at_once(
    temporal_env: WorkflowEnvironment,
) -> None:
    account_id, queue = str(uuid.uuid4()), str(uuid.uuid4())

    def refused() -> SendStep:
        return SendStep(kind="wait", why="Gmail refuses us", refused_account=account_id)

    async with Worker(temporal_env.client, task_queue=queue, workflows=[ToldAccount]):
        account = await temporal_env.client.start_workflow(
            ToldAccount.run, id=f"account/{account_id}", task_queue=queue
        )
        await run(temporal_env, Steps([refused, done], []))
        await asyncio.wait_for(account.result(), 40)


@workflow.defn(sandboxed=False)
class ToldAccount:
    """Stands for the account's workflow."""

    def __init__(self) -> None:
        self.told = False

    @workflow.signal
    def gmail_changed(self, history_id: int | None = None) -> None:
        self.told = history_id is None

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.told)


async def test_a_message_whose_workflow_was_lost_is_started_by_whatever_wakes_it(
    temporal_env: WorkflowEnvironment,
) -> None:
    queue = str(uuid.uuid4())
    steps = Steps([done], [])
    async with Worker(
        temporal_env.client,
        task_queue=queue,
        workflows=[SendMessageWorkflow],
        activities=[steps.prepare_to_leave, steps.leave],
    ):
        await Commands(temporal_env.client, queue).message_changed(queue)
        await temporal_env.client.get_workflow_handle(f"message/{queue}").result()
    assert steps.asked == ["prepare"]
