"""What a mailbox sent in the last 24 h is counted once it is connected, since Gmail counts it too (S26)."""

from __future__ import annotations

from temporalio import workflow

from workflows import policies
from workflows.values import AccountInput


@workflow.defn
class CountSentWorkflow:
    """Id `sent/<account id>`; nothing leaves through the mailbox before it is done."""

    @workflow.run
    async def run(self, value: AccountInput) -> int:
        """How many mails were counted."""
        counted: int = await workflow.execute_activity(
            "seed_send_ledger",
            value.account_id,
            result_type=int,
            start_to_close_timeout=policies.PAGE_TIMEOUT,
            heartbeat_timeout=policies.HEARTBEAT,
            retry_policy=policies.PATIENT_RETRY,
            priority=policies.user_waits(None),
            summary="Count what was sent today",
        )
        return counted
