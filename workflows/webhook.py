"""Deliveries to one webhook endpoint: in order, tried for days, and a wait of its own that delays nobody else (I4).

It runs only while events wait: the signal that tells of them starts it.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import policies
from workflows.values import WebhookInput, WebhookStep

ROUND_TIMEOUT = timedelta(minutes=5)
HEARTBEAT = timedelta(seconds=60)
"""Longer than a consumer may take to answer."""
AFTER_FAILURE = timedelta(seconds=10)
HISTORY_LIMIT = 500


@workflow.defn
class WebhookWorkflow:
    """Id `webhook/<endpoint id>`. Signal `events_wait`: there is something to tell."""

    @workflow.init
    def __init__(self, endpoint: WebhookInput) -> None:
        self._events_wait = False

    @workflow.signal
    def events_wait(self) -> None:
        self._events_wait = True

    @workflow.run
    async def run(self, endpoint: WebhookInput) -> None:
        while True:
            self._events_wait = False
            step = await self._deliver(endpoint)
            if step.kind == "wait":
                await self._wait(step)
            elif step.kind == "done" and not self._events_wait:
                return
            if workflow.info().get_current_history_length() > HISTORY_LIMIT and not self._events_wait:
                workflow.continue_as_new(endpoint)

    async def _deliver(self, endpoint: WebhookInput) -> WebhookStep:
        try:
            step: WebhookStep = await workflow.execute_activity(
                "deliver_events",
                endpoint,
                result_type=WebhookStep,
                task_queue=policies.webhook_queue(workflow.info().task_queue),
                start_to_close_timeout=ROUND_TIMEOUT,
                heartbeat_timeout=HEARTBEAT,
                retry_policy=policies.STEP_RETRY,
                summary="Deliver events",
            )
        except ActivityError:
            until = workflow.now() + AFTER_FAILURE
            return WebhookStep(kind="wait", until=until, why="a step of ours failed")
        return step

    async def _wait(self, step: WebhookStep) -> None:
        """No signal shortens it: the consumer is left in peace."""
        until = step.until or workflow.now() + AFTER_FAILURE
        workflow.set_current_details(f"**Waiting** until {until:%Y-%m-%d %H:%M:%S} UTC: {step.why}")
        await workflow.sleep(max(until - workflow.now(), timedelta(milliseconds=50)), summary=step.why[:180])
