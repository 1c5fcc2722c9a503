"""The life of a campaign: batch after batch, slower when the provider or the recipients' servers ask for it (S25).

Who has been mailed is in the rows; this workflow is the order and the waiting. While it is paused nothing runs:
resuming starts it anew.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import policies
from workflows.values import CampaignInput, CampaignStep

BATCH_TIMEOUT = timedelta(minutes=10)
"""A batch ends by itself after 20 s; a database that is away holds the last answers back for two minutes."""
HEARTBEAT = timedelta(seconds=10)
"""A batch whose worker died is noticed after this long; each beat costs an action, so not shorter."""
AFTER_FAILURE = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=1)
HISTORY_LIMIT = 400


@workflow.defn
class CampaignWorkflow:
    """Id `campaign/<id>`. Signal `changed`: it was begun, paused, resumed or cancelled; look at its row again."""

    @workflow.init
    def __init__(self, campaign: CampaignInput) -> None:
        self._campaign = campaign
        self._changed = False

    @workflow.signal
    def changed(self) -> None:
        self._changed = True

    @workflow.run
    async def run(self, campaign: CampaignInput) -> None:
        while True:
            self._changed = False
            step = await self._batch()
            if step.kind == "wait":
                await self._wait(step)
            elif step.kind == "done" and not self._changed:
                return
            if workflow.info().get_current_history_length() > HISTORY_LIMIT and not self._changed:
                workflow.continue_as_new(self._campaign)

    async def _batch(self) -> CampaignStep:
        try:
            step: CampaignStep = await workflow.execute_activity(
                "mail_batch",
                self._campaign,
                result_type=CampaignStep,
                task_queue=policies.bulk_queue(workflow.info().task_queue),
                start_to_close_timeout=BATCH_TIMEOUT,
                heartbeat_timeout=HEARTBEAT,
                retry_policy=policies.STEP_RETRY,
                summary="Mail a batch",
            )
        except ActivityError:
            # The rows say who was mailed; the campaign waits and goes on, it never ends unsettled.
            until = workflow.now() + AFTER_FAILURE
            return CampaignStep(kind="wait", until=until, why="a batch failed; going on")
        failures = self._campaign.failures + 1 if step.provider_failed and not step.sent else 0
        self._campaign = self._campaign.model_copy(update={"failures": failures})
        return step

    async def _wait(self, step: CampaignStep) -> None:
        latest = workflow.now() + LONGEST_WAIT
        until = min(step.until, latest) if step.until else latest
        workflow.set_current_details(f"**Waiting** until {until:%Y-%m-%d %H:%M:%S} UTC: {step.why}")
        timeout = max(until - workflow.now(), timedelta(milliseconds=50))
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._changed, timeout=timeout, timeout_summary=step.why[:180] or "Wait"
            )
        workflow.set_current_details("**Sending**")
