"""Finds what lost its workflow, between a commit and a start or with a database restored, and starts it again.

Afterwards it removes what serves for a while only: answers to repeated requests, sign-ins, consents.
"""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import policies


@workflow.defn
class SweepWorkflow:
    """A schedule starts it; the rows say what should have moved."""

    @workflow.run
    async def run(self) -> int:
        """How many were started again."""
        found: int = await workflow.execute_activity(
            "restart_lost",
            result_type=int,
            start_to_close_timeout=policies.PAGE_TIMEOUT,
            heartbeat_timeout=policies.HEARTBEAT,
            retry_policy=policies.STEP_RETRY,
            priority=policies.upkeep(None),
            summary="Start what lost its workflow",
        )
        if workflow.patched("forget-expired"):
            await self._forget_expired()
        return found

    async def _forget_expired(self) -> None:
        try:
            await workflow.execute_activity(
                "forget_expired",
                result_type=int,
                start_to_close_timeout=policies.STEP_TIMEOUT,
                heartbeat_timeout=policies.HEARTBEAT,
                retry_policy=policies.STEP_RETRY,
                priority=policies.upkeep(None),
                summary="Remove what has expired",
            )
        except ActivityError as error:  # it may wait for the next sweep
            workflow.logger.warning("expired_rows_stay", extra={"error": type(error.cause).__name__})
