"""A user moves to another of his mailboxes (S4): first the new one is tried, then both change places at once.

Until that moment nothing has changed, so a failure leaves the old mailbox as it was. Afterwards both accounts, and
the mail that waits, are told to look at their rows.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import policies
from workflows.values import SwitchInput, SwitchMemory, SwitchOutcome, SwitchReport, SwitchStep, WakeInput

LONGEST = timedelta(minutes=15)
"""After so long without an answer from Google or the database the switch is given up; nothing has changed then."""
TELL_TIMEOUT = timedelta(minutes=5)


@workflow.defn
class SwitchWorkflow:
    """Id `switch/<user id>`; of several wishes that wait the last one counts."""

    @workflow.init
    def __init__(self, value: SwitchInput) -> None:
        self._user_id = value.user_id
        self._wanted = list(value.memory.wanted) if value.memory else []

    @workflow.signal
    def switch_to(self, account_id: str) -> None:
        """Make this account the active one."""
        self._wanted.append(account_id)

    @workflow.run
    async def run(self, value: SwitchInput) -> str | None:
        """What became of the last wish."""
        await workflow.wait_condition(lambda: bool(self._wanted))
        outcome: SwitchOutcome | None = None
        while self._wanted:
            account_id = self._wanted[-1]
            self._wanted.clear()
            outcome = await self._switch(account_id)
            if workflow.info().get_current_history_length() > policies.DETAILS_EVENTS:
                memory = SwitchMemory(wanted=self._wanted)
                workflow.continue_as_new(SwitchInput(user_id=self._user_id, memory=memory))
        return outcome

    async def _switch(self, account_id: str) -> SwitchOutcome:
        """One switch, tried until it is done, refused, too long under way, or another one is wanted."""
        step = SwitchStep(user_id=self._user_id, account_id=account_id)
        until = workflow.now() + LONGEST
        tries = 0
        while True:
            last = workflow.now() >= until
            report = await self._try(step, last=last)
            workflow.set_current_details(
                f"Switch to {account_id}: **{report.outcome}** {report.reason or ''}"
            )
            if report.outcome is SwitchOutcome.DONE:
                await self._tell(report.tell)
            if last or report.outcome is not SwitchOutcome.LATER:
                return report.outcome
            tries += 1
            try:
                delay = policies.growing_delay(tries)
                await workflow.wait_condition(lambda: bool(self._wanted), timeout=delay)
                return report.outcome
            except TimeoutError:
                continue

    async def _try(self, step: SwitchStep, *, last: bool) -> SwitchReport:
        step.last = last
        try:
            report: SwitchReport = await workflow.execute_activity(
                "switch_account",
                step,
                result_type=SwitchReport,
                summary="Try the mailbox, then change places",
                priority=policies.user_waits(None),
                start_to_close_timeout=policies.STEP_TIMEOUT,
                heartbeat_timeout=policies.HEARTBEAT,
                retry_policy=policies.STEP_RETRY,
            )
            return report
        except ActivityError:
            outcome = SwitchOutcome.REFUSED if last else SwitchOutcome.LATER
            return SwitchReport(outcome=outcome, reason="the step did not get through")

    async def _tell(self, account_ids: list[str]) -> None:
        await workflow.execute_activity(
            "tell_switched",
            WakeInput(account_ids=account_ids),
            summary="Both accounts and waiting mail look at their rows",
            priority=policies.user_waits(None),
            start_to_close_timeout=TELL_TIMEOUT,
            heartbeat_timeout=policies.HEARTBEAT,
            retry_policy=policies.PATIENT_RETRY,
        )
