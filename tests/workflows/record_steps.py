"""Recordings of the workflows that ask a row what is next: mail, campaigns, webhooks; and of single steps."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from tests.workflows.acting import Actors, on_stage
from worker import WORKFLOWS, workflow_runner
from workflows import policies
from workflows.values import (
    AccountInput,
    CampaignInput,
    CampaignStep,
    ContactsInput,
    ContactsReport,
    InboundInput,
    MessageInput,
    Report,
    ReviewInput,
    ReviewLook,
    ReviewLooked,
    ReviewPlan,
    ReviewReady,
    SendStep,
    WebhookInput,
    WebhookStep,
)

Save = Callable[[str, WorkflowHandle[Any, Any]], Awaitable[None]]
AWAY = ApplicationError("the database is away")
BAD = ApplicationError("it cannot be", non_retryable=True)


def answering(name: str, kind: type, result: type, *answers: Any) -> Callable[..., Any]:
    """An activity that gives these answers in turn; the last one stays."""
    left = list(answers)

    async def act(value: Any) -> Any:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    act.__annotations__ = {"value": kind, "return": result}
    return activity.defn(name=name)(act)


@asynccontextmanager
async def workers(env: WorkflowEnvironment, *activities: Callable[..., Any]) -> AsyncIterator[str]:
    """Workers on the queues of a process; yields the name of the first."""
    queue = f"record-{uuid.uuid4()}"
    runner = workflow_runner()
    async with (
        Worker(
            env.client,
            task_queue=queue,
            workflows=WORKFLOWS,
            activities=activities,
            workflow_runner=runner,
        ),
        Worker(env.client, task_queue=policies.bulk_queue(queue), activities=activities),
        Worker(env.client, task_queue=policies.webhook_queue(queue), activities=activities),
    ):
        yield queue


async def _start(
    env: WorkflowEnvironment, queue: str, workflow: str, value: Any, signal: str | None = None
) -> WorkflowHandle[Any, Any]:
    args = [] if value is None else [value]
    handle: WorkflowHandle[Any, Any] = await env.client.start_workflow(
        workflow, args=args, id=f"record/{uuid.uuid4()}", task_queue=queue, start_signal=signal
    )
    return handle


async def a_message(env: WorkflowEnvironment, name: str, save: Save) -> None:
    """It waits for its moment, a step fails, it is changed while it waits for a consent, and it leaves."""
    later = await env.get_current_time() + timedelta(minutes=5)
    prepare = answering(
        "prepare_to_leave",
        str,
        SendStep,
        SendStep(kind="wait", until=later, why="its time to leave"),
        BAD,
        SendStep(kind="wait", why="the mailbox needs a new consent"),
        SendStep(kind="leave"),
    )
    leave = answering("leave", str, SendStep, SendStep(kind="done", wake=["msg_2"]))
    async with workers(env, prepare, leave) as queue:
        handle = await _start(env, queue, "SendMessageWorkflow", MessageInput(message_id="msg_1"))
        await env.sleep(timedelta(minutes=10))
        await handle.signal("changed")
        await handle.result()
        await save(name, handle)


async def a_campaign(env: WorkflowEnvironment, name: str, save: Save) -> None:
    """Two batches, a provider that asks for time, a batch that fails, and the end."""
    later = await env.get_current_time() + timedelta(minutes=2)
    batch = answering(
        "mail_batch",
        CampaignInput,
        CampaignStep,
        CampaignStep(kind="more", sent=100),
        CampaignStep(kind="wait", until=later, why="the provider is busy", provider_failed=True),
        BAD,
        CampaignStep(kind="done", sent=20),
    )
    async with workers(env, batch) as queue:
        handle = await _start(
            env, queue, "CampaignWorkflow", CampaignInput(campaign_id="cmp_1"), signal="changed"
        )
        await handle.result()
        await save(name, handle)


async def a_webhook(env: WorkflowEnvironment, name: str, save: Save) -> None:
    """Deliveries, a consumer that is away, a step that fails, and the end."""
    later = await env.get_current_time() + timedelta(minutes=2)
    deliver = answering(
        "deliver_events",
        WebhookInput,
        WebhookStep,
        WebhookStep(kind="more", delivered=50),
        WebhookStep(kind="wait", until=later, why="it answered 503"),
        BAD,
        WebhookStep(kind="done", delivered=1),
    )
    async with workers(env, deliver) as queue:
        handle = await _start(
            env, queue, "WebhookWorkflow", WebhookInput(endpoint_id="whe_1"), signal="events_wait"
        )
        await handle.result()
        await save(name, handle)


async def a_review(env: WorkflowEnvironment, name: str, save: Save) -> None:
    """Two mailboxes: one is read in two rounds with a throttle between, the other refuses."""
    rounds = [
        ReviewLooked(after="t1", more=True),
        ReviewLooked(after="t1", failed_step=True, wait_s=5),
        ReviewLooked(after="t2"),
    ]

    @activity.defn(name="look_for_review")
    async def look_for_review(value: ReviewLook) -> ReviewLooked:
        if value.account_id == "acc_2":
            return ReviewLooked(refused="the mailbox is disconnected")
        return rounds.pop(0)

    plan = answering(
        "plan_review",
        ReviewInput,
        ReviewPlan,
        ReviewPlan(location_id="loc_1", account_ids=["acc_1", "acc_2"]),
    )
    finish = answering("finish_review", ReviewReady, type(None), None)
    async with workers(env, plan, look_for_review, finish) as queue:
        handle = await _start(env, queue, "ReviewWorkflow", ReviewInput(review_id="rev_1"))
        await handle.result()
        await save(name, handle)


def one_step(workflow: str, act: Callable[[], Callable[..., Any]], value: Any) -> Any:
    """A recording of a workflow of one step, which fails once."""

    async def recording(env: WorkflowEnvironment, name: str, save: Save) -> None:
        async with workers(env, act()) as queue:
            handle = await _start(env, queue, workflow, value)
            await handle.result()
            await save(name, handle)

    return recording


async def a_sweep(env: WorkflowEnvironment, name: str, save: Save) -> None:
    """One look for what lost its workflow; `sweep.json` is of the time before expired rows were removed."""

    @activity.defn(name="restart_lost")
    async def restart_lost() -> int:
        return 2

    @activity.defn(name="forget_expired")
    async def forget_expired() -> int:
        return 5

    async with workers(env, restart_lost, forget_expired) as queue:
        handle = await _start(env, queue, "SweepWorkflow", None)
        await handle.result()
        await save(name, handle)


async def a_read_mark(env: WorkflowEnvironment, name: str, save: Save) -> None:
    """Marked, and marked again while the first mark is on its way."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    @activity.defn(name="mark_in_gmail")
    async def mark_in_gmail(message_id: str) -> None:
        begun.set()
        await go_on.wait()

    async with workers(env, mark_in_gmail) as queue:
        handle = await _start(
            env, queue, "ReadStateWorkflow", MessageInput(message_id="msg_1"), signal="changed"
        )
        await begun.wait()
        await handle.signal("changed")
        go_on.set()
        await handle.result()
        await save(name, handle)


async def an_address_book_that_is_wanted_again(env: WorkflowEnvironment, name: str, save: Save) -> None:
    """Switched on while it was found switched off."""
    reports = [ContactsReport(going=False), ContactsReport(going=True, imported=3)]

    @activity.defn(name="read_contacts")
    async def read_contacts(value: ContactsInput) -> ContactsReport:
        if len(reports) == 2:
            own_id = activity.info().workflow_id
            assert own_id is not None
            await env.client.get_workflow_handle(own_id).signal("sync_now")
        return reports.pop(0)

    async with workers(env, read_contacts) as queue:
        handle = await _start(env, queue, "ContactsWorkflow", ContactsInput(account_id="acc_1"))
        await handle.result()
        await save(name, handle)


async def a_switched_account(env: WorkflowEnvironment, name: str, save: Save) -> None:
    """A new mailbox that a switch makes the active one."""
    actors = Actors()
    actors.will("load_account", Report(state="connecting"))
    async with on_stage(env, actors) as stage:
        await stage.handle.signal("changed")
        await stage.played("wake_contacts")
        await stage.played("sync_account")
        await stage.settled()
        await save(name, stage.handle)


RECORDINGS: dict[str, Callable[[WorkflowEnvironment, str, Save], Awaitable[None]]] = {
    "message": a_message,
    "campaign": a_campaign,
    "webhook": a_webhook,
    "sweep_forgets": a_sweep,
    "review": a_review,
    "read_state": a_read_mark,
    "contacts_wanted_again": an_address_book_that_is_wanted_again,
    "account_switched": a_switched_account,
    "file_inbound": one_step(
        "FileInboundWorkflow",
        lambda: answering("file_inbound", str, type(None), AWAY, None),
        InboundInput(inbound_id="inb_1"),
    ),
    "count_sent": one_step(
        "CountSentWorkflow",
        lambda: answering("seed_send_ledger", str, int, AWAY, 7),
        AccountInput(account_id="acc_1"),
    ),
}
