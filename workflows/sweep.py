"""Finds what lost its workflow, between a commit and a start or with a database restored, and starts it again."""

from __future__ import annotations

from temporalio import workflow

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
            retry_policy=policies.STEP_RETRY,
            priority=policies.upkeep(None),
            summary="Start what lost its workflow",
        )
        return found
