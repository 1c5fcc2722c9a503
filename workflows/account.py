"""The life of a connected Gmail account.

connecting → active ⇄ recovering, paused, reauthorization required → disconnected. Lives as long as the connection.
Signals say what happened outside; every step is one activity that does its work, writes the account's row and
answers with a `Report`. A step that fails never ends the account: it waits, longer each time, and a hint wakes it.
A quiet account has one timer, for the daily upkeep of its watch.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import Priority, SearchAttributeUpdate
from temporalio.exceptions import ActivityError

from workflows import policies
from workflows.values import AccountInput, AccountMemory, GapInput, ProofInput, Report, SyncInput

COLLECTING = frozenset({"active", "recovering"})
RECHECKS_S = (1.5, 3.0, 6.0)
"""How often and when to look again where a push came before Gmail's history shows what it was about."""
TRAILING_LOOK = timedelta(seconds=1.2)
BURST = timedelta(seconds=1.5)
"""Gmail tells at most once a second: pushes this close together may hide another."""


@workflow.defn
class AccountWorkflow:
    """One account; id `account/<id>`."""

    @workflow.init
    def __init__(self, value: AccountInput) -> None:
        self._account_id = value.account_id
        self._memory = value.memory or AccountMemory()
        carried = value.memory
        self._shown = (carried.state, carried.reason) if carried else None
        self._alarms: dict[datetime, asyncio.Task[None]] = {}

    @workflow.run
    async def run(self, value: AccountInput) -> None:
        """Wake, take the next step, show where the account stands; ends with the connection."""
        if not self._memory.known:
            await self._load()
        while not self._ended():
            self._show()
            self._set_alarm()
            await workflow.wait_condition(self._something_to_do)
            await self._next_step()
            if workflow.info().is_continue_as_new_suggested() or (
                workflow.info().get_current_history_length() > policies.DETAILS_EVENTS
            ):
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(AccountInput(account_id=self._account_id, memory=self._memory))
        self._show()
        await workflow.wait_condition(workflow.all_handlers_finished)

    # What the outside says

    @workflow.signal
    def consented(self) -> None:
        """A grant was stored: connect, revive, or go on after a reauthorisation."""
        self._memory.consented = True
        self._stop_waiting()

    @workflow.signal
    def gmail_changed(self, history_id: int | None = None) -> None:
        """The mailbox has changed; hints coalesce."""
        memory, now = self._memory, workflow.now()
        if history_id and memory.cursor and history_id <= memory.cursor:
            return  # that far we have read; Gmail also tells of each watch that is renewed
        memory.hinted = True
        memory.rechecks = 0
        memory.hint_history_id = max(history_id or 0, memory.hint_history_id or 0) or None
        if history_id and memory.last_hint_at and now - memory.last_hint_at < BURST:
            memory.look_at = now + TRAILING_LOOK
        memory.last_hint_at = now
        if not memory.obeying:
            self._stop_waiting()

    @workflow.signal
    def sync_now(self) -> None:
        """Somebody wants it looked at now, and proven complete."""
        self._memory.asked = True
        if not self._memory.obeying:
            self._stop_waiting()

    @workflow.signal
    def disconnect(self) -> None:
        """Stop sync both ways and forget the grant (S5)."""
        self._memory.disconnect = True

    @workflow.signal
    def changed(self) -> None:
        """The account's row was changed, by a switch (S4): act on what it says now."""
        self._memory.changed = True
        self._stop_waiting()

    # What comes next

    def _ended(self) -> bool:
        memory = self._memory
        return memory.state == "disconnected" and not (
            memory.consented or memory.disconnect or memory.changed
        )

    def _something_to_do(self) -> bool:
        memory = self._memory
        if memory.disconnect:
            return True
        if memory.not_before and workflow.now() < memory.not_before:
            return False
        if not memory.known or memory.consented or memory.changed or memory.asked:
            return True
        return memory.state in COLLECTING and (
            memory.hinted
            or memory.more
            or memory.proof_wanted
            or memory.gap is not None
            or any(_due(at) for at in (memory.look_at, memory.retry_at, memory.upkeep_at))
        )

    async def _next_step(self) -> None:
        memory = self._memory
        memory.not_before, memory.obeying = None, False
        if memory.disconnect:
            await self._disconnect()
        elif not memory.known:
            await self._load()
        elif memory.consented:
            await self._connect()
        elif memory.changed:
            await self._settle()
        elif memory.asked or memory.hinted or memory.more or _due(memory.look_at) or _due(memory.retry_at):
            await self._sync()
        elif memory.gap is not None:
            await self._fill_gap()
        elif memory.proof_wanted:
            await self._prove()
        else:
            await self._keep_up()

    # The steps

    async def _load(self) -> None:
        report = await self._step("load_account", "Read the account", self._value(), policies.user_waits)
        if report:
            self._memory.known = True
            self._memory.hinted = self._memory.hinted or report.state in COLLECTING

    async def _connect(self) -> None:
        self._memory.consented = False
        report = await self._step("connect_account", "Connect to Gmail", self._value(), policies.user_waits)
        if report is None or report.failed_step:
            self._memory.consented = True
        elif report.state in COLLECTING:
            self._memory.gap = report.gap
            self._memory.seen_history_id = report.history_id
            self._memory.hinted = True
            await self._tell("wake_ledger", "Count what was sent today")
            await self._tell("wake_messages", "Waiting mail goes on")
            await self._tell("wake_contacts", "Read Google contacts")

    async def _settle(self) -> None:
        self._memory.changed = False
        report = await self._step("settle_account", "Follow a switch", self._value(), policies.user_waits)
        if report is None or report.failed_step:
            self._memory.changed = True
        elif report.state in COLLECTING:
            self._memory.gap = report.gap
            self._memory.hinted = True
            await self._tell("wake_ledger", "Count what was sent today")

    async def _sync(self) -> None:
        memory = self._memory
        asked, hinted, more = memory.asked, memory.hinted, memory.more
        memory.asked = memory.hinted = memory.more = False
        if _due(memory.look_at):
            memory.look_at = None
        value = SyncInput(
            account_id=self._account_id,
            cursor=memory.gap.cursor if memory.gap else None,
            hint_history_id=memory.hint_history_id,
            catching_up=more and not hinted,
        )
        first = (
            policies.user_waits if asked else policies.catch_up if value.catching_up else policies.new_mail
        )
        report = await self._step("sync_account", "Sync new mail", value, first, policies.PAGE_TIMEOUT)
        if report is None or report.failed_step:
            memory.asked, memory.hinted, memory.more = memory.asked or asked, memory.hinted or hinted, more
            return
        memory.more = report.more
        memory.proof_wanted = memory.proof_wanted or asked
        if report.gap:
            memory.gap = report.gap
        elif memory.gap and report.cursor:
            memory.gap.cursor = report.cursor
        else:
            memory.cursor = report.cursor
        self._look_again(report)

    def _look_again(self, report: Report) -> None:
        """Another look, shortly, where Gmail's history may not show everything yet."""
        memory, now = self._memory, workflow.now()
        told, seen = memory.hint_history_id or 0, memory.seen_history_id or 0
        if report.records:
            memory.seen_history_id = max(seen, report.history_id or 0)
            if report.look_again:
                memory.look_at = now + TRAILING_LOOK
        elif told > seen and memory.rechecks < len(RECHECKS_S):
            memory.look_at = now + timedelta(seconds=RECHECKS_S[memory.rechecks])
            memory.rechecks += 1
        else:
            memory.seen_history_id = max(told, seen) or None

    async def _fill_gap(self) -> None:
        gap = self._memory.gap
        assert gap is not None
        value = GapInput(account_id=self._account_id, gap=gap)
        report = await self._step("fill_gap", "Fill a gap", value, policies.catch_up, policies.PAGE_TIMEOUT)
        if report and not report.failed_step:
            self._memory.gap = report.gap

    async def _prove(self) -> None:
        self._memory.proof_wanted = False
        value = ProofInput(account_id=self._account_id)
        report = await self._step(
            "prove_account", "Prove completeness", value, policies.upkeep, policies.PAGE_TIMEOUT
        )
        self._memory.proof_wanted = report is None or report.failed_step or report.more

    async def _keep_up(self) -> None:
        value = self._value()
        await self._step("keep_up_account", "Renew the watch", value, policies.upkeep, policies.PAGE_TIMEOUT)

    async def _disconnect(self) -> None:
        report = await self._step("disconnect_account", "Disconnect", self._value(), policies.user_waits)
        if report:
            self._memory = AccountMemory(
                known=True, state=report.state, location_id=self._memory.location_id, reason=report.reason
            )
            await self._tell("wake_messages", "Waiting mail is held")

    # How a step is taken

    def _value(self) -> AccountInput:
        return AccountInput(account_id=self._account_id)

    async def _step(
        self,
        activity: str,
        summary: str,
        value: AccountInput | SyncInput | GapInput | ProofInput,
        first: policies.Priorities,
        timeout: timedelta = policies.STEP_TIMEOUT,
    ) -> Report | None:
        """One activity; None where it failed without an answer of its own."""
        priority: Priority = first(self._memory.location_id)
        try:
            report: Report = await workflow.execute_activity(
                activity,
                value,
                result_type=Report,
                summary=summary,
                priority=priority,
                start_to_close_timeout=timeout,
                heartbeat_timeout=policies.HEARTBEAT if timeout > policies.STEP_TIMEOUT else None,
                retry_policy=policies.STEP_RETRY,
            )
        except ActivityError as error:
            workflow.logger.warning("account_step_failed", extra={"step": activity, "cause": _cause(error)})
            self._wait(None, False, f"'{summary}' did not get through ({_cause(error)}).")
            return None
        self._note(report)
        if report.failed_step:
            self._wait(report.wait_s, report.obey, report.reason)
        else:
            self._memory.failures = 0
        return report

    async def _tell(self, activity: str, summary: str) -> None:
        """Tell other workflows; those that miss it find out by themselves, later."""
        try:
            await workflow.execute_activity(
                activity,
                self._value(),
                summary=summary,
                priority=policies.upkeep(self._memory.location_id),
                start_to_close_timeout=policies.STEP_TIMEOUT,
                retry_policy=policies.STEP_RETRY,
            )
        except ActivityError as error:
            workflow.logger.warning(
                "account_telling_failed", extra={"step": activity, "cause": _cause(error)}
            )

    def _note(self, report: Report) -> None:
        memory = self._memory
        memory.state, memory.reason = report.state, report.reason
        memory.location_id = report.location_id or memory.location_id
        memory.next_action, memory.next_action_at = report.next_action, report.next_action_at
        memory.retry_at = report.retry_at
        memory.upkeep_at = report.upkeep_at or memory.upkeep_at
        if report.state not in COLLECTING:
            memory.hinted = memory.asked = memory.more = memory.proof_wanted = False
            memory.gap = memory.look_at = None

    def _wait(self, told_s: float | None, obey: bool, reason: str | None) -> None:
        memory = self._memory
        memory.failures += 1
        memory.obeying = obey
        delay = timedelta(seconds=told_s) if told_s is not None else policies.growing_delay(memory.failures)
        memory.not_before = workflow.now() + delay
        memory.reason = reason

    def _stop_waiting(self) -> None:
        self._memory.not_before, self._memory.obeying = None, False

    def _set_alarm(self) -> None:
        """A timer for what is due next, unless one rings before it; none is taken back: each costs an action."""
        memory = self._memory
        due = policies.earlier_of(memory.look_at, memory.retry_at, memory.upkeep_at)
        wake = memory.not_before or (due if memory.state in COLLECTING else None)
        if wake is None or wake <= workflow.now() or any(at <= wake for at in self._alarms):
            return
        self._alarms[wake] = asyncio.create_task(self._ring(wake))

    async def _ring(self, wake: datetime) -> None:
        delay = wake - workflow.now() + timedelta(milliseconds=1)
        await workflow.sleep(delay, summary=f"Wake at {wake:%Y-%m-%d %H:%M:%S} UTC")
        del self._alarms[wake]
        self._set_alarm()  # what this one was for may have been put off meanwhile

    def _show(self) -> None:
        """Where the account stands, in Temporal's own UI."""
        memory = self._memory
        wake = memory.not_before or memory.next_action_at
        lines = [
            f"**{memory.state.replace('_', ' ')}**" + (f": {memory.reason}" if memory.reason else ""),
            f"Next: {memory.next_action or 'wait for Gmail'}"
            + (f", {wake:%Y-%m-%d %H:%M:%S} UTC" if wake else ""),
        ]
        if memory.failures:
            lines.append(f"Steps that failed in a row: {memory.failures}")
        if memory.gap:
            lines.append(
                f"Filling a gap since {memory.gap.since:%Y-%m-%d %H:%M:%S} UTC, round {memory.gap.rounds + 1}"
            )
        workflow.set_current_details("\n\n".join(lines))
        if self._shown != (memory.state, memory.reason):
            self._shown = (memory.state, memory.reason)
            workflow.upsert_search_attributes(self._attributes())

    def _attributes(self) -> list[SearchAttributeUpdate[str] | SearchAttributeUpdate[datetime]]:
        memory = self._memory
        changes: list[SearchAttributeUpdate[str] | SearchAttributeUpdate[datetime]] = [
            policies.ACCOUNT_STATE.value_set(memory.state),
            policies.LOCATION_ID.value_set(memory.location_id or ""),
            policies.STATE_REASON.value_set((memory.reason or "")[:200]),
            policies.NEXT_ACTION.value_set((memory.next_action or "")[:200]),
        ]
        if memory.next_action_at:
            changes.append(policies.NEXT_ACTION_AT.value_set(memory.next_action_at))
        return changes


def _due(moment: datetime | None) -> bool:
    return moment is not None and moment <= workflow.now()


def _cause(error: ActivityError) -> str:
    """The kind of failure, bounded, without what it said."""
    cause = error.cause
    return str(getattr(cause, "type", None) or type(cause or error).__name__)[:80]
