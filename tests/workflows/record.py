"""Records the histories that `test_replay.py` replays: `python -m tests.workflows.record [NAME...]`.

Recorded once for each shape of a workflow and kept: a change that breaks replay breaks accounts that are alive (I6).
Record anew only together with a patch (`workflow.patched`), under another name; old ones stay as long as such runs
live.
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from devstack import temporal
from tests.workflows import record_steps
from tests.workflows.acting import Actors, active, on_stage
from worker import workflow_runner
from workflows.account import AccountWorkflow
from workflows.contacts import ContactsWorkflow
from workflows.reconcile import ReconcileWorkflow
from workflows.registration import register_search_attributes
from workflows.switch import SwitchWorkflow
from workflows.values import (
    AccountMemory,
    BatchInput,
    BatchReport,
    ContactsInput,
    ContactsReport,
    Gap,
    ReconcileInput,
    Report,
    SwitchInput,
    SwitchOutcome,
    SwitchReport,
    SwitchStep,
    WakeInput,
)

HISTORIES = Path(__file__).parent / "histories"
ACTIVE = AccountMemory(known=True, state="active", location_id="loc_1")


async def _save(name: str, handle: WorkflowHandle[Any, Any]) -> None:
    HISTORIES.mkdir(exist_ok=True)
    history = scrubbed(json.loads((await handle.fetch_history()).to_json()))
    (HISTORIES / f"{name}.json").write_text(json.dumps(history, separators=(",", ":")) + "\n")


def scrubbed(value: Any) -> Any:
    """Without what tells of the machine it was recorded on: paths in stack traces, names of processes."""
    if isinstance(value, list):
        return [scrubbed(one) for one in value]
    if isinstance(value, dict):
        return {
            key: "recorder" if key == "identity" else scrubbed(one)
            for key, one in value.items()
            if key != "stackTrace"
        }
    return value


async def a_whole_life(env: WorkflowEnvironment, name: str) -> None:
    """Connect, two pushes, a password change, consent again, a gap, a switch away, disconnect."""
    actors = Actors()
    actors.will("load_account", Report(state="connecting"))
    start = await env.get_current_time()
    actors.will("connect_account", active(upkeep_at=start + timedelta(days=1), history_id=10))
    actors.will("sync_account", active(cursor=12, history_id=12, records=2, synced=1))
    async with on_stage(env, actors) as stage:
        await stage.handle.signal(AccountWorkflow.consented)
        await stage.played("sync_account")
        await stage.handle.signal(AccountWorkflow.gmail_changed, 20)
        await stage.played("sync_account", 2)
        actors.will(
            "sync_account", Report(state="reauthorization_required", reason="the password was changed")
        )
        await stage.handle.signal(AccountWorkflow.gmail_changed, 30)
        await stage.played("sync_account", 3)
        await stage.settled()
        gap = Gap(since=datetime(2026, 1, 1, tzinfo=UTC), cursor=100)
        actors.will(
            "sync_account", active(gap=gap, cursor=100), active(cursor=120, records=1, history_id=120)
        )
        actors.will(
            "fill_gap", lambda value: active(gap=value.gap.model_copy(update={"rounds": 1})), active()
        )
        await stage.handle.signal(AccountWorkflow.consented)
        await stage.played("fill_gap", 2)
        actors.will("settle_account", Report(state="paused"))
        await stage.handle.signal(AccountWorkflow.changed)
        await stage.played("settle_account")
        actors.will("disconnect_account", Report(state="disconnected"))
        await stage.handle.signal(AccountWorkflow.disconnect)
        await stage.handle.result()
        await _save(name, stage.handle)


async def quiet_days(env: WorkflowEnvironment, name: str) -> None:
    """Nothing but the daily upkeep, and a proof that somebody asked for."""
    actors = Actors()
    start = await env.get_current_time()
    moments = iter(start + timedelta(days=number) for number in range(1, 20))
    actors.will("keep_up_account", lambda _: active(upkeep_at=next(moments)))
    async with on_stage(env, actors, ACTIVE.model_copy(update={"upkeep_at": start})) as stage:
        await stage.played("keep_up_account")
        await env.sleep(timedelta(days=3, hours=1))
        await stage.played("keep_up_account", 4)
        await stage.handle.signal(AccountWorkflow.sync_now)
        await stage.played("prove_account")
        await stage.settled()
        await _save(name, stage.handle)


async def unfinished_work(env: WorkflowEnvironment, name: str) -> None:
    """Upkeep whose proof goes on, a proof that is asked for in a gap, a switch away with mail from before it."""
    actors = Actors()
    start = await env.get_current_time()
    gap = Gap(since=datetime(2026, 1, 1, tzinfo=UTC), cursor=100, rounds=1)
    actors.will("keep_up_account", active(upkeep_at=start + timedelta(days=1), failed_step=True, more=True))
    actors.will("prove_account", active(more=True, repaired=3), active())
    async with on_stage(env, actors, ACTIVE.model_copy(update={"upkeep_at": start})) as stage:
        await env.sleep(timedelta(minutes=1))
        await stage.played("prove_account", 2)
        actors.held["fill_gap"] = asyncio.Event()
        actors.will("sync_account", active(gap=gap, cursor=100), active(cursor=120))
        actors.will("fill_gap", active(gap=gap), active())
        await stage.handle.signal(AccountWorkflow.gmail_changed, 120)
        await stage.played("fill_gap")
        await stage.handle.signal(AccountWorkflow.sync_now)
        actors.held["fill_gap"].set()
        await stage.played("prove_account", 3)
        await stage.settled()
        paused = Report(state="paused", finishing=True, retry_at=start + timedelta(minutes=5))
        actors.will("settle_account", paused)
        actors.will("sync_account", paused, Report(state="paused"))
        await stage.handle.signal(AccountWorkflow.changed)
        await env.sleep(timedelta(minutes=10))
        await stage.settled()
        await _save(name, stage.handle)


async def a_long_life(env: WorkflowEnvironment, name: str) -> None:
    """Pushes in bursts, while a sync is under way, until the account continues as new; the last run is kept."""
    actors = Actors()
    async with on_stage(env, actors, ACTIVE) as stage:
        first = (await stage.handle.describe()).run_id
        syncs = 0
        while (await stage.handle.describe()).run_id == first:
            held = actors.held["sync_account"] = asyncio.Event()
            syncs = actors.times("sync_account")
            for history_id in range(1, 4):
                await stage.handle.signal(AccountWorkflow.gmail_changed, 10 * syncs + history_id)
            await stage.played("sync_account", syncs + 1)
            for history_id in range(4, 20):
                await stage.handle.signal(AccountWorkflow.gmail_changed, 10 * syncs + history_id)
            del actors.held["sync_account"]
            held.set()
            await stage.played("sync_account", syncs + 2)
        await stage.handle.signal(AccountWorkflow.sync_now)
        await stage.played("prove_account")
        await stage.settled()
        carried = env.client.get_workflow_handle(stage.handle.id, run_id=first)
        await _save(f"{name}_before", carried)
        await _save(name, stage.handle)


async def trouble(env: WorkflowEnvironment, name: str) -> None:
    """The database away, a throttle, an early push, ids that are tried again."""
    actors = Actors()
    away = ApplicationError("the database is away")
    actors.will(
        "sync_account",
        *[away] * 4,
        active(failed_step=True, wait_s=60.0, obey=True),
        active(cursor=1, history_id=1, records=0),
    )
    async with on_stage(env, actors, ACTIVE) as stage:
        await stage.handle.signal(AccountWorkflow.gmail_changed, 9)
        await stage.played("sync_account")
        await env.sleep(timedelta(minutes=10))
        await stage.settled()
        due = await env.get_current_time() + timedelta(minutes=1)
        actors.will("sync_account", active(records=1, failed=1, retry_at=due, history_id=11), active())
        await stage.handle.signal(AccountWorkflow.gmail_changed, 11)
        await env.sleep(timedelta(minutes=2))
        await stage.settled()
        await _save(name, stage.handle)


async def _alone(
    env: WorkflowEnvironment,
    workflow: type,
    value: Any,
    activities: list[Any],
    signal: tuple[str, Any] | None,
) -> WorkflowHandle[Any, Any]:
    queue = f"record-{uuid.uuid4()}"
    async with Worker(
        env.client,
        task_queue=queue,
        workflows=[workflow],
        activities=activities,
        workflow_runner=workflow_runner(),
    ):
        handle: WorkflowHandle[Any, Any] = await env.client.start_workflow(
            workflow.__name__,
            value,
            id=f"record/{uuid.uuid4()}",
            task_queue=queue,
            start_signal=signal[0] if signal else None,
            start_signal_args=[signal[1]] if signal and signal[1] is not None else [],
        )
        await handle.result()
        return handle


async def a_switch(env: WorkflowEnvironment, name: str) -> None:
    """Google away at first, then done."""
    answers = [
        SwitchReport(outcome=SwitchOutcome.LATER),
        SwitchReport(outcome=SwitchOutcome.DONE, tell=["acc_1", "acc_2"]),
    ]

    @activity.defn(name="switch_account")
    async def switch_account(value: SwitchStep) -> SwitchReport:
        return answers.pop(0)

    @activity.defn(name="tell_switched")
    async def tell_switched(value: WakeInput) -> None:
        return None

    value = SwitchInput(user_id="usr_1")
    steps = [switch_account, tell_switched]
    await _save(name, await _alone(env, SwitchWorkflow, value, steps, ("switch_to", "acc_2")))


async def a_walk(env: WorkflowEnvironment, name: str) -> None:
    """Two batches, one with news."""
    answers = [BatchReport(looked_at=500, wake=["acc_1"], after="acc_5"), BatchReport(looked_at=3)]

    @activity.defn(name="reconcile_batch")
    async def reconcile_batch(value: BatchInput) -> BatchReport:
        return answers.pop(0)

    @activity.defn(name="wake_accounts")
    async def wake_accounts(value: WakeInput) -> int:
        return 1

    steps = [reconcile_batch, wake_accounts]
    await _save(name, await _alone(env, ReconcileWorkflow, ReconcileInput(), steps, None))


async def an_address_book(env: WorkflowEnvironment, name: str) -> None:
    """Google away at first, then read."""
    answers = [
        ContactsReport(going=True, failed_step=True, wait_s=5.0),
        ContactsReport(going=True, imported=3),
    ]

    @activity.defn(name="read_contacts")
    async def read_contacts(value: ContactsInput) -> ContactsReport:
        return answers.pop(0)

    value = ContactsInput(account_id="acc_1")
    await _save(name, await _alone(env, ContactsWorkflow, value, [read_contacts], ("sync_now", None)))


RECORDINGS: dict[str, Callable[[WorkflowEnvironment, str], Awaitable[None]]] = {
    "account_whole_life": a_whole_life,
    "account_quiet_days": quiet_days,
    "account_trouble": trouble,
    "account_unfinished": unfinished_work,
    "account_continued": a_long_life,
    "switch": a_switch,
    "reconcile": a_walk,
    "contacts": an_address_book,
}


async def record(names: list[str]) -> None:
    """Record the named histories, or those that are missing."""
    every = (*RECORDINGS, *record_steps.RECORDINGS)
    for name in names or [name for name in every if not (HISTORIES / f"{name}.json").exists()]:
        env = await WorkflowEnvironment.start_time_skipping(
            test_server_existing_path=str(temporal.binary("temporal-test-server")),
            data_converter=pydantic_data_converter,
        )
        async with env:
            await register_search_attributes(env.client)
            if name in RECORDINGS:
                await RECORDINGS[name](env, name)
            else:
                await record_steps.RECORDINGS[name](env, name, _save)


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:]))
