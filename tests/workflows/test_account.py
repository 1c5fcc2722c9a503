"""The life of an account: each signal in each state, failures that never end it, quiet that costs nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from activities.outcomes import SHORT_WAITS_S
from tests.workflows.acting import Actors, active, on_stage
from workflows.account import AccountWorkflow
from workflows.values import AccountMemory, Gap, Report, SyncInput

pytestmark = pytest.mark.servers

READ_TIMEOUT = timedelta(seconds=60)
"""How long one call waits for Google's answer."""

STATES = ("connecting", "active", "recovering", "paused", "reauthorization_required")


@pytest.fixture
def actors() -> Actors:
    return Actors()


def in_state(state: str, **more: object) -> AccountMemory:
    return AccountMemory.model_validate({"known": True, "state": state, "location_id": "loc_1", **more})


async def test_s1_a_consent_connects_syncs_and_tells_waiting_mail(
    temporal_env: WorkflowEnvironment, actors: Actors
) -> None:
    actors.will("load_account", Report(state="connecting"))
    async with on_stage(temporal_env, actors) as stage:
        await stage.handle.signal(AccountWorkflow.consented)
        await stage.played("sync_account")
        await stage.settled()
        names = [name for name, _ in actors.played]
        assert names[:2] == ["load_account", "connect_account"]
        assert {"wake_ledger", "wake_messages", "wake_contacts", "sync_account"} <= set(names)
        assert "active" in await stage.details()


async def test_a_push_costs_one_signal_and_one_activity(
    temporal_env: WorkflowEnvironment, actors: Actors
) -> None:
    actors.will("sync_account", active(cursor=20, history_id=20, records=3, synced=1))
    async with on_stage(temporal_env, actors, in_state("active")) as stage:
        await stage.handle.signal(AccountWorkflow.gmail_changed, 20)
        await stage.played("sync_account")
        await stage.settled()
        kinds = [event.event_type async for event in stage.handle.fetch_history_events()]
        billed = {10: "activity", 26: "signal", 17: "timer", 36: "search attributes"}
        assert sorted(billed[kind] for kind in kinds if kind in billed) == ["activity", "signal"]


async def test_hints_during_a_sync_coalesce_into_one_more(
    temporal_env: WorkflowEnvironment, actors: Actors
) -> None:
    actors.held["sync_account"] = asyncio.Event()
    actors.will("sync_account", active(cursor=10, history_id=30, records=1))
    async with on_stage(temporal_env, actors, in_state("active")) as stage:
        await stage.handle.signal(AccountWorkflow.gmail_changed, 11)
        await stage.played("sync_account")
        for number in range(12, 22):
            await stage.handle.signal(AccountWorkflow.gmail_changed, number)
        actors.held["sync_account"].set()
        await stage.played("sync_account", 2)
        await stage.settled()
        assert actors.times("sync_account") == 2


async def test_a_push_before_its_history_is_looked_for_again_but_not_for_ever(
    temporal_env: WorkflowEnvironment, actors: Actors
) -> None:
    actors.will("sync_account", active(cursor=10, history_id=10, records=0))
    async with on_stage(temporal_env, actors, in_state("active", seen_history_id=10)) as stage:
        await stage.handle.signal(AccountWorkflow.gmail_changed, 15)
        await stage.played("sync_account")
        await stage.settled()
        await temporal_env.sleep(timedelta(minutes=5))
        await stage.settled()
        assert actors.times("sync_account") == 4, "the look itself and three more"


async def test_a_doubled_push_is_not_looked_for_again(
    temporal_env: WorkflowEnvironment, actors: Actors
) -> None:
    actors.will(
        "sync_account",
        active(cursor=15, history_id=16, records=1),
        active(cursor=15, history_id=16, records=0),
    )
    async with on_stage(temporal_env, actors, in_state("active")) as stage:
        await stage.handle.signal(AccountWorkflow.gmail_changed, 16)
        await stage.played("sync_account")
        await stage.settled()
        await temporal_env.sleep(timedelta(minutes=1))
        await stage.handle.signal(AccountWorkflow.gmail_changed, 16)
        await stage.played("sync_account", 2)
        await stage.settled()
        await temporal_env.sleep(timedelta(minutes=1))
        await stage.settled()
        assert actors.times("sync_account") == 2


async def test_an_idle_account_costs_at_most_three_actions_a_day(
    temporal_env: WorkflowEnvironment, actors: Actors
) -> None:
    day = timedelta(days=1)
    start = await temporal_env.get_current_time()
    moments = iter(start + day * number for number in range(1, 50))
    actors.will("keep_up_account", lambda _: active(upkeep_at=next(moments)))
    async with on_stage(temporal_env, actors, in_state("active", upkeep_at=start)) as stage:
        await stage.played("keep_up_account")
        await stage.settled()
        before = [event.event_type async for event in stage.handle.fetch_history_events()]
        await temporal_env.sleep(day * 10 + timedelta(hours=1))
        await stage.played("keep_up_account", 11)
        await stage.settled()
        after = [event.event_type async for event in stage.handle.fetch_history_events()]
        actions = sum(1 for kind in after[len(before) :] if kind in (10, 17, 26, 36))
        assert actions <= 3 * 10


@pytest.mark.parametrize("state", STATES)
async def test_s5_disconnect_ends_it_in_every_state(
    temporal_env: WorkflowEnvironment, actors: Actors, state: str
) -> None:
    actors.will("disconnect_account", Report(state="disconnected"))
    async with on_stage(temporal_env, actors, in_state(state)) as stage:
        await stage.handle.signal(AccountWorkflow.disconnect)
        await asyncio.wait_for(stage.handle.result(), 40)
        assert actors.times("disconnect_account") == 1
        assert actors.times("wake_messages") == 1
        assert (await stage.handle.describe()).status is WorkflowExecutionStatus.COMPLETED


async def test_s5_a_disconnect_outlasts_a_google_that_answers_nothing(
    temporal_env: WorkflowEnvironment, actors: Actors
) -> None:
    actors.will("disconnect_account", Report(state="disconnected"))
    async with on_stage(temporal_env, actors, in_state("active")) as stage:
        await stage.handle.signal(AccountWorkflow.disconnect)
        await asyncio.wait_for(stage.handle.result(), 40)
        (step,) = [
            event.activity_task_scheduled_event_attributes
            async for event in stage.handle.fetch_history_events()
            if event.activity_task_scheduled_event_attributes.activity_type.name == "disconnect_account"
        ]
    calls_of_a_step = 2 * (1 + len(SHORT_WAITS_S))
    assert step.start_to_close_timeout.ToTimedelta() > READ_TIMEOUT * calls_of_a_step


async def test_s5_a_consent_while_it_is_being_disconnected_is_a_new_connection(
    temporal_env: WorkflowEnvironment, actors: Actors
) -> None:
    actors.will("disconnect_account", Report(state="disconnected"))
    actors.held["disconnect_account"] = asyncio.Event()
    async with on_stage(temporal_env, actors, in_state("active")) as stage:
        await stage.handle.signal(AccountWorkflow.disconnect)
        await stage.played("disconnect_account")
        await stage.handle.signal(AccountWorkflow.consented)
        actors.held["disconnect_account"].set()
        await stage.played("connect_account")
        await stage.played("sync_account")


@pytest.mark.parametrize("state", ["connecting", "paused", "reauthorization_required"])
async def test_a_push_moves_nothing_where_nothing_is_collected(
    temporal_env: WorkflowEnvironment, actors: Actors, state: str
) -> None:
    async with on_stage(temporal_env, actors, in_state(state)) as stage:
        await stage.handle.signal(AccountWorkflow.gmail_changed, 99)
        await stage.settled()
        await temporal_env.sleep(timedelta(days=2))
        await stage.settled()
        assert actors.played == []


@pytest.mark.parametrize("state", STATES)
async def test_s6_a_consent_goes_on_from_every_state(
    temporal_env: WorkflowEnvironment, actors: Actors, state: str
) -> None:
    async with on_stage(temporal_env, actors, in_state(state)) as stage:
        await stage.handle.signal(AccountWorkflow.consented)
        await stage.played("connect_account")
        await stage.played("sync_account")


@pytest.mark.parametrize("state", STATES)
async def test_s4_a_changed_row_is_followed_in_every_state(
    temporal_env: WorkflowEnvironment, actors: Actors, state: str
) -> None:
    actors.will("settle_account", Report(state="paused"))
    async with on_stage(temporal_env, actors, in_state(state)) as stage:
        await stage.handle.signal(AccountWorkflow.changed)
        await stage.played("settle_account")
        await stage.settled()
        assert "paused" in await stage.details()
        assert actors.times("sync_account") == 0


@pytest.mark.parametrize("state", STATES)
async def test_sync_now_looks_in_every_state_and_proves_where_mail_is_collected(
    temporal_env: WorkflowEnvironment, actors: Actors, state: str
) -> None:
    answer = active() if state in ("active", "recovering") else Report(state=state)
    actors.will("sync_account", answer)
    async with on_stage(temporal_env, actors, in_state(state)) as stage:
        await stage.handle.signal(AccountWorkflow.sync_now)
        await stage.played("sync_account")
        if answer.state == "active":
            await stage.played("prove_account")
        await stage.settled()
        assert actors.times("prove_account") == (1 if answer.state == "active" else 0)


@pytest.mark.parametrize(("before", "times"), [("paused", 1), ("connecting", 1), ("active", 0)])
async def test_s23_a_switch_to_a_mailbox_reads_its_google_contacts(
    temporal_env: WorkflowEnvironment, actors: Actors, before: str, times: int
) -> None:
    async with on_stage(temporal_env, actors, in_state(before)) as stage:
        await stage.handle.signal(AccountWorkflow.changed)
        await stage.played("sync_account")
        await stage.settled()
        assert actors.times("wake_contacts") == times, "a watch that is doubted says nothing of contacts"


STEPS = [("sync_account", "gmail_changed"), ("connect_account", "consented"), ("settle_account", "changed")]


@pytest.mark.parametrize(("step", "signal"), STEPS)
@pytest.mark.parametrize("retryable", [True, False])
async def test_a_step_that_fails_never_ends_the_account(
    temporal_env: WorkflowEnvironment, actors: Actors, step: str, signal: str, retryable: bool
) -> None:
    failure = ApplicationError("the database is away", non_retryable=not retryable)
    actors.will(step, failure, failure, failure, failure, active())
    async with on_stage(temporal_env, actors, in_state("active")) as stage:
        await stage.handle.signal(signal)
        await stage.played(step)
        await temporal_env.sleep(timedelta(hours=1))
        await stage.played(step, 5)
        await stage.settled()
        status = (await stage.handle.describe()).status
        assert status is WorkflowExecutionStatus.RUNNING
        assert "active" in await stage.details()


async def test_a_failing_step_waits_longer_each_time_and_a_hint_wakes_it(
    temporal_env: WorkflowEnvironment, actors: Actors
) -> None:
    actors.will("sync_account", active(failed_step=True, reason="Google does not answer at the moment"))
    async with on_stage(temporal_env, actors, in_state("active")) as stage:
        await stage.handle.signal(AccountWorkflow.gmail_changed, 5)
        await stage.played("sync_account")
        await stage.settled()
        await temporal_env.sleep(timedelta(hours=1))
        await stage.settled()
        tries = actors.times("sync_account")
        assert 8 <= tries <= 14, "5 s, doubled each time, at most ten minutes"
        actors.will("sync_account", active())
        await stage.handle.signal(AccountWorkflow.gmail_changed, 6)
        await stage.played("sync_account", tries + 1)


async def test_a_throttle_is_obeyed_also_against_hints(
    temporal_env: WorkflowEnvironment, actors: Actors
) -> None:
    actors.will("sync_account", active(failed_step=True, wait_s=900.0, obey=True), active())
    async with on_stage(temporal_env, actors, in_state("active")) as stage:
        await stage.handle.signal(AccountWorkflow.gmail_changed, 5)
        await stage.played("sync_account")
        await stage.settled()
        for number in range(3):
            await stage.handle.signal(AccountWorkflow.gmail_changed, 6 + number)
        await temporal_env.sleep(timedelta(seconds=890))
        await stage.settled()
        assert actors.times("sync_account") == 1
        await temporal_env.sleep(timedelta(seconds=20))
        await stage.played("sync_account", 2)


async def test_s6_a_gap_is_filled_in_rounds_while_new_mail_goes_first(
    temporal_env: WorkflowEnvironment, actors: Actors
) -> None:
    gap = Gap(since=datetime(2026, 1, 1, tzinfo=UTC), cursor=100)
    actors.will("sync_account", active(gap=gap, cursor=100), active(cursor=120, records=1, history_id=120))
    actors.will(
        "fill_gap",
        lambda value: active(gap=value.gap.model_copy(update={"rounds": 1})),
        lambda value: active(gap=value.gap.model_copy(update={"rounds": 2})),
        active(),
    )
    async with on_stage(temporal_env, actors, in_state("active")) as stage:
        await stage.handle.signal(AccountWorkflow.gmail_changed, 110)
        await stage.played("fill_gap", 3)
        await stage.handle.signal(AccountWorkflow.gmail_changed, 120)
        await stage.played("sync_account", 2)
        await stage.settled()
        assert actors.times("fill_gap") == 3
        assert actors.last("sync_account").cursor is None, "the gap is closed: the account's own cursor again"


@pytest.mark.parametrize("signal", ["changed", "consented"])
async def test_s6_a_gap_that_is_being_filled_is_not_forgotten(
    temporal_env: WorkflowEnvironment, actors: Actors, signal: str
) -> None:
    gap = Gap(since=await temporal_env.get_current_time(), cursor=7)
    actors.will("sync_account", active(gap=gap, cursor=7), active())
    actors.will("fill_gap", active(gap=gap), active())
    actors.held["fill_gap"] = asyncio.Event()
    async with on_stage(temporal_env, actors, in_state("active")) as stage:
        await stage.handle.signal(AccountWorkflow.gmail_changed, 9)
        await stage.played("fill_gap")
        await stage.handle.signal(signal)
        actors.held["fill_gap"].set()
        await stage.played("fill_gap", 2)


async def test_a_watch_that_told_of_nothing_is_set_anew_once_it_was_silent_for_long(
    temporal_env: WorkflowEnvironment, actors: Actors
) -> None:
    async with on_stage(temporal_env, actors, in_state("active")) as stage:
        await stage.handle.signal(AccountWorkflow.gmail_changed, 9)
        await stage.handle.signal(AccountWorkflow.unannounced, 300.0)
        await stage.settled()
        assert actors.times("settle_account") == 0, "a push came just now"
        await temporal_env.sleep(timedelta(minutes=6))
        await stage.handle.signal(AccountWorkflow.unannounced, 300.0)
        await stage.played("settle_account")


async def test_s6_in_a_gap_new_mail_is_read_from_where_the_gap_ends(
    temporal_env: WorkflowEnvironment, actors: Actors
) -> None:
    gap = Gap(since=datetime(2026, 1, 1, tzinfo=UTC), cursor=100)
    actors.will("fill_gap", active(failed_step=True, wait_s=3600.0, gap=gap))
    actors.will("sync_account", active(cursor=130, records=1, history_id=130))
    async with on_stage(temporal_env, actors, in_state("recovering", gap=gap)) as stage:
        await stage.played("fill_gap")
        await stage.settled()
        await stage.handle.signal(AccountWorkflow.gmail_changed, 130)
        await temporal_env.sleep(timedelta(hours=2))
        await stage.played("fill_gap", 2)
        await stage.settled()
        assert actors.last("sync_account").cursor == 100
        assert actors.last("fill_gap").gap.cursor == 130


async def test_what_failed_is_tried_again_when_it_is_due(
    temporal_env: WorkflowEnvironment, actors: Actors
) -> None:
    due = await temporal_env.get_current_time() + timedelta(minutes=3)
    actors.will("sync_account", active(failed=1, records=1, retry_at=due), active())
    async with on_stage(temporal_env, actors, in_state("active")) as stage:
        await stage.handle.signal(AccountWorkflow.gmail_changed, 5)
        await stage.played("sync_account")
        await stage.settled()
        await temporal_env.sleep(timedelta(minutes=4))
        await stage.played("sync_account", 2)


async def test_s4_what_came_before_a_switch_is_read_until_nothing_of_it_is_left(
    temporal_env: WorkflowEnvironment, actors: Actors
) -> None:
    start = await temporal_env.get_current_time()
    due = start + timedelta(seconds=10)
    gap = Gap(since=start, cursor=7)
    paused = partial(Report, state="paused", finishing=True)
    actors.will("settle_account", paused())
    actors.will(
        "sync_account",
        paused(more=True),
        paused(gap=gap),
        paused(failed=1, retry_at=due),
        Report(state="paused"),
    )
    actors.will("fill_gap", paused(gap=gap, failed_step=True), paused(retry_at=due))
    memory = in_state("active", upkeep_at=start + timedelta(hours=1))
    async with on_stage(temporal_env, actors, memory) as stage:
        await stage.handle.signal(AccountWorkflow.changed)
        await stage.played("sync_account", 2)
        await temporal_env.sleep(timedelta(days=2))
        await stage.settled()
        assert actors.times("fill_gap") == 2
        syncs = actors.times("sync_account")
        assert syncs == 4
        await stage.handle.signal(AccountWorkflow.gmail_changed, 99)
        await temporal_env.sleep(timedelta(days=2))
        await stage.settled()
        assert actors.times("sync_account") == syncs
        assert actors.times("keep_up_account") == 0, "a paused account has no watch"


async def test_s30_upkeep_that_fails_is_tried_again_until_it_is_done(
    temporal_env: WorkflowEnvironment, actors: Actors
) -> None:
    start = await temporal_env.get_current_time()
    away = active(failed_step=True, reason="Google does not answer at the moment")
    actors.will("keep_up_account", away, away, away, active(upkeep_at=start + timedelta(days=1)))
    async with on_stage(temporal_env, actors, in_state("active", upkeep_at=start)) as stage:
        await temporal_env.sleep(timedelta(minutes=5))
        await stage.played("keep_up_account", 4)
        await temporal_env.sleep(timedelta(hours=20))
        await stage.settled()
        assert actors.times("keep_up_account") == 4
        assert actors.times("prove_account") == 0


@pytest.mark.parametrize("unfinished", [{"failed_step": True, "more": True}, {"more": True}])
async def test_s30_a_proof_that_the_upkeep_could_not_end_goes_on_at_once(
    temporal_env: WorkflowEnvironment, actors: Actors, unfinished: dict[str, bool]
) -> None:
    start = await temporal_env.get_current_time()
    actors.will("keep_up_account", active(upkeep_at=start + timedelta(days=1), repaired=500, **unfinished))
    actors.will("prove_account", active(repaired=700, more=True), active(repaired=900))
    async with on_stage(temporal_env, actors, in_state("active", upkeep_at=start)) as stage:
        await temporal_env.sleep(timedelta(minutes=1))
        await stage.played("prove_account", 2)
        await stage.settled()
        assert actors.times("keep_up_account") == 1
        rounds = [value for name, value in actors.played if name == "prove_account"]
        assert [(one.full, one.repaired) for one in rounds] == [(True, 500), (True, 700)]


@pytest.mark.parametrize("busy_with", ["a gap", "a catch-up"])
async def test_s30_a_proof_that_is_asked_for_waits_for_no_catch_up(
    temporal_env: WorkflowEnvironment, actors: Actors, busy_with: str
) -> None:
    gap = Gap(since=datetime(2026, 1, 1, tzinfo=UTC), cursor=100, rounds=1)
    step = "fill_gap" if busy_with == "a gap" else "sync_account"
    actors.will(step, active(more=True, gap=gap if step == "fill_gap" else None))
    actors.will("prove_account", active(more=True), active())
    actors.held[step] = asyncio.Event()
    memory = in_state("active", **({"gap": gap} if step == "fill_gap" else {"more": True}))
    async with on_stage(temporal_env, actors, memory) as stage:
        await stage.played(step)
        await stage.handle.signal(AccountWorkflow.sync_now)
        actors.held[step].set()
        await stage.played("prove_account")
        steps = [name for name, _ in actors.played]
        assert steps[:2] == [step, "prove_account"]
        assert actors.last("prove_account").look_only
        actors.will(step, active())
        await stage.played("prove_account", 2)
        last = actors.last("prove_account")
        assert (last.look_only, last.full) == (False, True)


async def _accepted(current: WorkflowHandle[Any, Any], hint: int) -> None:
    """The time-skipping server refuses a signal in the instant between two runs; one that it takes is never lost."""
    while True:
        try:
            return await current.signal(AccountWorkflow.gmail_changed, hint)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise


async def test_continue_as_new_loses_no_signal(temporal_env: WorkflowEnvironment, actors: Actors) -> None:
    seen: list[int] = []

    def sync(value: SyncInput) -> Report:
        seen.append(value.hint_history_id or 0)
        return active(cursor=seen[-1], history_id=seen[-1], records=1)

    actors.will("sync_account", sync)
    async with on_stage(temporal_env, actors, in_state("active")) as stage:
        current = stage.env.client.get_workflow_handle(stage.handle.id)
        first = (await current.describe()).run_id
        number = 0
        while (await current.describe()).run_id == first:
            number += 1
            assert number < 500, "it never continued as new"
            for hint in (2 * number, 2 * number + 1):
                await _accepted(current, hint)
            await stage.until(lambda hint=hint: seen[-1:] == [hint], f"hint {hint} is answered")  # type: ignore[misc]
        await current.signal(AccountWorkflow.sync_now)
        await stage.played("prove_account")
        await current.terminate()
