"""The steps of an account: each is one activity, and what its report means for what comes next.

An activity does its work, writes the account's row and answers with a `Report`. One that fails never ends the
account: what it was for is still to do, and the account waits, longer each time.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError

from workflows import policies
from workflows.alarms import due
from workflows.values import AccountInput, AccountMemory, GapInput, ProofInput, Report, SyncInput

COLLECTING = frozenset({"active", "recovering"})
RECHECKS_S = (1.5, 3.0, 6.0)
"""How often and when to look again where a push came before Gmail's history shows what it was about."""
TRAILING_LOOK = timedelta(seconds=1.2)


def collects(memory: AccountMemory) -> bool:
    """Whether mail is read: of a paused account only what came before the pause."""
    return memory.state in COLLECTING or memory.finishing


class Steps:
    """Take one step and keep in memory what it came to."""

    def __init__(self, account_id: str, memory: AccountMemory) -> None:
        self._account_id = account_id
        self._memory = memory

    async def load(self) -> None:
        """A workflow that begins reads where its account stands."""
        report = await self._take("load_account", "Read the account", self._value(), policies.user_waits)
        if report:
            self._memory.known = True
            self._memory.hinted = self._memory.hinted or collects(self._memory)

    async def connect(self) -> None:
        """After a consent."""
        self._memory.consented = False
        report = await self._take("connect_account", "Connect to Gmail", self._value(), policies.user_waits)
        if report is None or report.failed_step:
            self._memory.consented = True
        elif report.state in COLLECTING:
            self._memory.gap = self._memory.gap or report.gap
            self._memory.seen_history_id = report.history_id
            self._memory.hinted = True
            await self._tell("wake_ledger", "Count what was sent today")
            await self._tell("wake_messages", "Waiting mail goes on")
            await self._tell("wake_contacts", "Read Google contacts")

    async def settle(self) -> None:
        """After a switch, or where the watch is doubted: it is set or stopped, as the row says.

        What came before a switch away is still read (S4).
        """
        self._memory.changed = False
        was_collecting = self._memory.state in COLLECTING
        report = await self._take("settle_account", "Follow a switch", self._value(), policies.user_waits)
        if report is None or report.failed_step:
            self._memory.changed = True
        elif collects(self._memory):
            self._memory.gap = self._memory.gap or report.gap
            self._memory.hinted = True
            if report.state not in COLLECTING:
                return
            await self._tell("wake_ledger", "Count what was sent today")
            if not was_collecting and workflow.patched("contacts-after-switch"):
                await self._tell("wake_contacts", "Read Google contacts")

    async def sync(self) -> None:
        """One round of new mail, and what failed before and is due again."""
        memory = self._memory
        asked, hinted, more = memory.asked, memory.hinted, memory.more
        memory.asked = memory.hinted = memory.more = False
        if due(memory.look_at):
            memory.look_at = None
        value = SyncInput(
            account_id=self._account_id,
            failures=memory.failures,
            upkeep_at=memory.upkeep_at,
            cursor=memory.gap.cursor if memory.gap else None,
            hint_history_id=memory.hint_history_id,
            catching_up=more and not hinted,
        )
        first = (
            policies.user_waits if asked else policies.catch_up if value.catching_up else policies.new_mail
        )
        report = await self._take("sync_account", "Sync new mail", value, first, policies.PAGE_TIMEOUT)
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

    async def fill_gap(self) -> None:
        """One round of what Gmail's history no longer tells."""
        memory, gap = self._memory, self._memory.gap
        assert gap is not None
        value = GapInput(
            account_id=self._account_id, failures=memory.failures, upkeep_at=memory.upkeep_at, gap=gap
        )
        report = await self._take("fill_gap", "Fill a gap", value, policies.catch_up, policies.PAGE_TIMEOUT)
        if report is None or report.failed_step:
            gap.rounds += 1
        else:
            memory.gap = report.gap

    async def prove(self) -> None:
        """Completeness, as a number; in a catch-up that is all, since what is missing is on its way."""
        memory = self._memory
        value = ProofInput(
            account_id=self._account_id,
            failures=memory.failures,
            upkeep_at=memory.upkeep_at,
            full=memory.proof_full,
            look_only=memory.more or memory.gap is not None,
            repaired=memory.repaired,
        )
        first = policies.user_waits if memory.proof_asked else policies.upkeep
        memory.proof_wanted = memory.proof_asked = False
        report = await self._take("prove_account", "Prove completeness", value, first, policies.PAGE_TIMEOUT)
        if report is None:
            memory.proof_wanted = True
        else:
            self._prove_on(report, failed_full=report.failed_step and value.full)

    def _prove_on(self, report: Report, *, failed_full: bool = False) -> None:
        """What the next round of a proof is to know; none is wanted where this one was the last."""
        memory = self._memory
        memory.proof_wanted = report.failed_step or report.more
        memory.proof_full = report.more or failed_full
        memory.repaired = report.repaired if memory.proof_wanted else 0

    async def keep_up(self) -> None:
        """Daily: watch, aliases, contacts, a proof of what is new, which goes on where it came to no end."""
        memory = self._memory
        report = await self._take(
            "keep_up_account", "Renew the watch", self._value(), policies.upkeep, policies.PAGE_TIMEOUT
        )
        if report is None or not (report.more or report.failed_step) or due(memory.upkeep_at):
            return  # done, or still due
        if workflow.patched("upkeep-goes-on"):
            self._prove_on(report)

    async def disconnect(self) -> None:
        """Stop, give back, forget. A consent that comes meanwhile is a new connection, and not forgotten."""
        memory = self._memory
        memory.consented = memory.changed = False
        # A Google that takes each call and answers none costs minutes; the end comes all the same.
        report = await self._take(
            "disconnect_account", "Disconnect", self._value(), policies.user_waits, policies.PAGE_TIMEOUT
        )
        if report:
            memory.forget(
                known=True,
                state=report.state,
                location_id=memory.location_id,
                reason=report.reason,
                consented=memory.consented,
                changed=memory.changed,
            )
            await self._tell("wake_messages", "Waiting mail is held")

    # How a step is taken

    def _value(self) -> AccountInput:
        memory = self._memory
        return AccountInput(account_id=self._account_id, failures=memory.failures, upkeep_at=memory.upkeep_at)

    async def _take(
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
                heartbeat_timeout=policies.HEARTBEAT,
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
                heartbeat_timeout=policies.HEARTBEAT,
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
        memory.finishing = report.finishing
        if not collects(memory):
            memory.hinted = memory.asked = memory.more = False
            memory.proof_wanted = memory.proof_asked = memory.proof_full = False
            memory.gap = memory.look_at = None

    def _wait(self, told_s: float | None, obey: bool, reason: str | None) -> None:
        memory = self._memory
        memory.failures += 1
        memory.obeying = obey
        delay = timedelta(seconds=told_s) if told_s is not None else policies.growing_delay(memory.failures)
        memory.not_before = workflow.now() + delay
        memory.reason = reason


def _cause(error: ActivityError) -> str:
    """The kind of failure, bounded, without what it said."""
    cause = error.cause
    return str(getattr(cause, "type", None) or type(cause or error).__name__)[:80]
