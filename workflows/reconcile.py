"""Walks all quiet accounts, batch by batch, and wakes those with news; a schedule starts it."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

from workflows import policies
from workflows.values import BatchInput, BatchReport, ReconcileInput, WakeInput

BATCH_TIMEOUT = timedelta(minutes=15)
BATCHES_IN_A_RUN = 100


@workflow.defn
class ReconcileWorkflow:
    """One walk; the schedule skips a start while one is still under way."""

    @workflow.run
    async def run(self, value: ReconcileInput) -> int:
        """How many accounts were woken."""
        after, woken = value.after, value.woken
        for _ in range(BATCHES_IN_A_RUN):
            batch = await workflow.execute_activity(
                "reconcile_batch",
                BatchInput(interval_s=value.interval_s, after=after),
                result_type=BatchReport,
                summary="Compare cursors with Gmail",
                priority=policies.upkeep(None),
                start_to_close_timeout=BATCH_TIMEOUT,
                heartbeat_timeout=policies.HEARTBEAT,
                retry_policy=policies.STEP_RETRY,
            )
            number = len([*batch.wake, *batch.consented, *batch.disconnects]) + len(batch.switches)
            if number:
                await workflow.execute_activity(
                    "wake_accounts",
                    WakeInput(
                        account_ids=batch.wake,
                        consented=batch.consented,
                        switches=batch.switches,
                        disconnects=batch.disconnects,
                        unannounced=batch.unannounced,
                        silent_s=value.interval_s,
                    ),
                    summary=f"Wake {number} accounts",
                    start_to_close_timeout=policies.PAGE_TIMEOUT,
                    heartbeat_timeout=policies.HEARTBEAT,
                    retry_policy=policies.STEP_RETRY,
                )
            after, woken = batch.after, woken + len(batch.wake)
            if after is None:
                return woken
        return workflow.continue_as_new(ReconcileInput(interval_s=value.interval_s, after=after, woken=woken))
