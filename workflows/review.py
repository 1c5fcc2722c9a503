"""Asks Gmail what a changed rule or address would add to the CRM; nothing is changed before the review is applied."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import policies
from workflows.values import ReviewInput, ReviewLook, ReviewLooked, ReviewPlan, ReviewReady

AT_A_TIME = 5
"""Mailboxes that are asked at once: somebody waits, but new mail goes first."""
GIVE_UP_AFTER = 6
"""Failures of a mailbox in a row, about three minutes: the preview then says that it could not be asked."""
NO_ANSWER = "Google did not answer"


@workflow.defn
class ReviewWorkflow:
    """Id `review/<id>`; ends when every mailbox was asked."""

    @workflow.run
    async def run(self, value: ReviewInput) -> int:
        """How many mailboxes were asked."""
        plan: ReviewPlan = await workflow.execute_activity(
            "plan_review",
            value,
            result_type=ReviewPlan,
            summary="Which mailboxes to ask",
            priority=policies.user_waits(None),
            start_to_close_timeout=policies.STEP_TIMEOUT,
            retry_policy=policies.PATIENT_RETRY,
        )
        gate = asyncio.Semaphore(AT_A_TIME)

        async def ask(account_id: str) -> str | None:
            async with gate:
                return await self._ask(ReviewLook(review_id=value.review_id, account_id=account_id), plan)

        reasons = await asyncio.gather(*(ask(account_id) for account_id in plan.account_ids))
        not_read = {
            account_id: reason
            for account_id, reason in zip(plan.account_ids, reasons, strict=True)
            if reason is not None
        }
        await workflow.execute_activity(
            "finish_review",
            ReviewReady(review_id=value.review_id, not_read=not_read),
            summary="The preview is complete",
            priority=policies.user_waits(plan.location_id),
            start_to_close_timeout=policies.STEP_TIMEOUT,
            retry_policy=policies.PATIENT_RETRY,
        )
        return len(plan.account_ids)

    async def _ask(self, look: ReviewLook, plan: ReviewPlan) -> str | None:
        """One mailbox to its end; why it could not be asked, where it could not."""
        failures = 0
        while True:
            found = await self._round(look, plan)
            if found.refused is not None:
                return found.refused
            if not found.failed_step and not found.more:
                return None
            if found.wait_s is None:  # a throttle is no failure
                failures = failures + 1 if found.failed_step and found.after == look.after else 0
            if failures >= GIVE_UP_AFTER:
                return NO_ANSWER
            look.after = found.after
            if found.failed_step:
                told_s = found.wait_s
                delay = policies.growing_delay(failures) if told_s is None else timedelta(seconds=told_s)
                await workflow.sleep(delay, summary="Wait for Google")

    async def _round(self, look: ReviewLook, plan: ReviewPlan) -> ReviewLooked:
        try:
            found: ReviewLooked = await workflow.execute_activity(
                "look_for_review",
                look,
                result_type=ReviewLooked,
                summary="Look at what did not sync",
                priority=policies.upkeep(plan.location_id),
                start_to_close_timeout=policies.PAGE_TIMEOUT,
                heartbeat_timeout=policies.HEARTBEAT,
                retry_policy=policies.STEP_RETRY,
            )
        except ActivityError:
            return ReviewLooked(after=look.after, failed_step=True)
        return found
