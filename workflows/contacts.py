"""Reads a user's Google contacts when asked (S23); daily reads are part of the account's upkeep."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import policies
from workflows.values import ContactsInput, ContactsReport

GIVE_UP_AFTER = 12
"""Failures in a row, some hours: the account's upkeep reads on the next day."""


@workflow.defn
class ContactsWorkflow:
    """Id `contacts/<account id>`; ends when everything that was asked for is read."""

    @workflow.init
    def __init__(self, value: ContactsInput) -> None:
        self._value = value
        self._asked = True

    @workflow.signal
    def sync_now(self) -> None:
        """Read now; asked again while it reads, it reads once more."""
        self._asked = True

    @workflow.run
    async def run(self, value: ContactsInput) -> int:
        """How many contacts were imported."""
        imported = failures = 0
        while self._asked:
            self._asked = False
            report = await self._read()
            if not report.going:
                if self._asked and workflow.patched("asked-meanwhile"):
                    continue  # the setting was changed while it was being read
                break
            imported += report.imported
            if report.failed_step:
                failures += 1
                if failures >= GIVE_UP_AFTER:
                    break
                delay = (
                    timedelta(seconds=report.wait_s) if report.wait_s else policies.growing_delay(failures)
                )
                workflow.set_current_details(f"Waiting for Google, {failures} tries so far")
                await workflow.sleep(delay, summary="Try again")
                self._asked = True
        return imported

    async def _read(self) -> ContactsReport:
        try:
            report: ContactsReport = await workflow.execute_activity(
                "read_contacts",
                self._value,
                result_type=ContactsReport,
                summary="Read Google contacts",
                priority=policies.upkeep(None),
                start_to_close_timeout=policies.PAGE_TIMEOUT,
                heartbeat_timeout=policies.HEARTBEAT,
                retry_policy=policies.STEP_RETRY,
            )
        except ActivityError:
            return ContactsReport(going=True, failed_step=True)
        return report
