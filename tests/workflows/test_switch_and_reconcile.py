"""Switching, reconciling and reading contacts, with steps that are told what to answer."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from worker import workflow_runner
from workflows.contacts import ContactsWorkflow
from workflows.reconcile import ReconcileWorkflow
from workflows.switch import SwitchWorkflow
from workflows.values import (
    BatchInput,
    BatchReport,
    ContactsInput,
    ContactsReport,
    ReconcileInput,
    SwitchInput,
    SwitchOutcome,
    SwitchReport,
    SwitchStep,
    SwitchWish,
    WakeInput,
)

pytestmark = pytest.mark.servers

DONE = SwitchReport(outcome=SwitchOutcome.DONE, tell=["acc_1", "acc_2"])
LATER = SwitchReport(outcome=SwitchOutcome.LATER)
REFUSED = SwitchReport(outcome=SwitchOutcome.REFUSED, reason="the password was changed")


class Steps:
    """Answers by step, in order; the last one stays. `asked`: the values, in order."""

    def __init__(self, **answers: list[Any]) -> None:
        self.answers = answers
        self.asked: dict[str, list[Any]] = {}

    def of(self, name: str, kind: type, answer: Any) -> Callable[..., Any]:
        async def act(value: Any) -> Any:
            self.asked.setdefault(name, []).append(value)
            queue = self.answers.get(name, [None])
            found = queue.pop(0) if len(queue) > 1 else queue[0]
            if isinstance(found, Exception):
                raise found
            return found

        act.__annotations__ = {"value": kind, "return": answer}
        return activity.defn(name=name)(act)


@asynccontextmanager
async def played(
    env: WorkflowEnvironment, workflow: type, value: Any, activities: list[Any], *signal: Any
) -> AsyncIterator[WorkflowHandle[Any, Any]]:
    queue = f"steps-{uuid.uuid4()}"
    async with Worker(
        env.client,
        task_queue=queue,
        workflows=[workflow],
        activities=activities,
        workflow_runner=workflow_runner(),
        workflow_failure_exception_types=[Exception],
    ):
        yield await env.client.start_workflow(
            workflow.__name__,
            value,
            id=f"steps/{uuid.uuid4()}",
            task_queue=queue,
            start_signal=signal[0] if signal else None,
            start_signal_args=signal[1:],
        )


def switching(steps: Steps) -> list[Any]:
    return [steps.of("switch_account", SwitchStep, SwitchReport), steps.of("tell_switched", WakeInput, None)]


async def test_s4_a_switch_changes_places_and_tells_both(temporal_env: WorkflowEnvironment) -> None:
    steps = Steps(switch_account=[DONE])
    value = SwitchInput(user_id="usr_1")
    async with played(temporal_env, SwitchWorkflow, value, switching(steps), "switch_to", "acc_2") as handle:
        assert await asyncio.wait_for(handle.result(), 40) == "done"
    assert [told.account_ids for told in steps.asked["tell_switched"]] == [["acc_1", "acc_2"]]


async def test_s4_a_refused_switch_tells_nobody(temporal_env: WorkflowEnvironment) -> None:
    steps = Steps(switch_account=[REFUSED])
    value = SwitchInput(user_id="usr_1")
    async with played(temporal_env, SwitchWorkflow, value, switching(steps), "switch_to", "acc_2") as handle:
        assert await asyncio.wait_for(handle.result(), 40) == "refused"
    assert "tell_switched" not in steps.asked


@pytest.mark.parametrize("trouble", [LATER, ApplicationError("the database is away")])
async def test_s4_a_switch_waits_for_google_but_not_for_ever(
    temporal_env: WorkflowEnvironment, trouble: Any
) -> None:
    steps = Steps(switch_account=[trouble])
    value = SwitchInput(user_id="usr_1")
    async with played(temporal_env, SwitchWorkflow, value, switching(steps), "switch_to", "acc_2") as handle:
        outcome = await asyncio.wait_for(handle.result(), 60)
    tries = steps.asked["switch_account"]
    assert outcome in ("later", "refused")
    assert 3 <= len(tries) <= 40
    assert tries[-1].last


async def test_s4_of_two_switches_the_last_one_counts(temporal_env: WorkflowEnvironment) -> None:
    steps = Steps(switch_account=[LATER, DONE])
    value = SwitchInput(user_id="usr_1")
    async with played(temporal_env, SwitchWorkflow, value, switching(steps), "switch_to", "acc_2") as handle:
        await handle.signal(SwitchWorkflow.switch_to, "acc_3")
        assert await asyncio.wait_for(handle.result(), 40) == "done"
    assert steps.asked["switch_account"][-1].account_id == "acc_3"


async def test_reconciliation_walks_all_batches_and_wakes_those_with_news(
    temporal_env: WorkflowEnvironment,
) -> None:
    steps = Steps(
        reconcile_batch=[
            BatchReport(looked_at=500, wake=["acc_1", "acc_2"], after="acc_500"),
            BatchReport(looked_at=500, wake=[], after="acc_999"),
            BatchReport(looked_at=3, wake=["acc_1001"]),
        ]
    )
    activities = [
        steps.of("reconcile_batch", BatchInput, BatchReport),
        steps.of("wake_accounts", WakeInput, None),
    ]
    async with played(temporal_env, ReconcileWorkflow, ReconcileInput(interval_s=5), activities) as handle:
        assert await asyncio.wait_for(handle.result(), 40) == 3
    assert [batch.after for batch in steps.asked["reconcile_batch"]] == [None, "acc_500", "acc_999"]
    woken = [account for value in steps.asked["wake_accounts"] for account in value.account_ids]
    assert woken == ["acc_1", "acc_2", "acc_1001"]


async def test_s4_reconciliation_passes_a_switch_on_that_nobody_was_told_of(
    temporal_env: WorkflowEnvironment,
) -> None:
    wish = SwitchWish(user_id="usr_1", account_id="acc_2")
    steps = Steps(reconcile_batch=[BatchReport(switches=[wish])])
    activities = [
        steps.of("reconcile_batch", BatchInput, BatchReport),
        steps.of("wake_accounts", WakeInput, None),
    ]
    async with played(temporal_env, ReconcileWorkflow, ReconcileInput(interval_s=5), activities) as handle:
        await asyncio.wait_for(handle.result(), 40)
    assert [value.switches for value in steps.asked["wake_accounts"]] == [[wish]]


async def test_s23_contacts_wait_for_google_and_are_read_again_when_asked(
    temporal_env: WorkflowEnvironment,
) -> None:
    steps = Steps(
        read_contacts=[
            ContactsReport(going=True, failed_step=True, wait_s=3600),
            ContactsReport(going=True, imported=2),
        ]
    )
    activities = [steps.of("read_contacts", ContactsInput, ContactsReport)]
    start = await temporal_env.get_current_time()
    async with played(
        temporal_env, ContactsWorkflow, ContactsInput(account_id="acc_1"), activities, "sync_now"
    ) as handle:
        assert await asyncio.wait_for(handle.result(), 40) == 2
    assert await temporal_env.get_current_time() - start >= timedelta(hours=1)


async def test_s23_an_address_book_that_is_not_wanted_ends_it(temporal_env: WorkflowEnvironment) -> None:
    steps = Steps(read_contacts=[ContactsReport(going=False)])
    activities = [steps.of("read_contacts", ContactsInput, ContactsReport)]
    async with played(
        temporal_env, ContactsWorkflow, ContactsInput(account_id="acc_1"), activities, "sync_now"
    ) as handle:
        assert await asyncio.wait_for(handle.result(), 40) == 0
    assert len(steps.asked["read_contacts"]) == 1
