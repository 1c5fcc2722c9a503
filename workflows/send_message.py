"""The life of a message that leaves: it waits for its moment and its place, and leaves once (S26, S27).

Where it stands is in its row; this workflow is the order and the waiting. A crash anywhere asks the row anew.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ActivityError, FailureError

from workflows import policies
from workflows.values import MessageInput, SendStep

STEP_TIMEOUT = timedelta(minutes=5)
"""One step talks to Gmail a handful of times; an upload of 36 MB is the longest."""
RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=2), maximum_attempts=8
)
LOOK_AGAIN = timedelta(hours=1)
"""A message that waits for a person or a consent still looks now and then: its wake-up may have been lost."""
AFTER_FAILURE = timedelta(minutes=1)
HISTORY_LIMIT = 400


@workflow.defn
class SendMessageWorkflow:
    """Id `message/<id>`. Signal `changed`: the row was cancelled, resolved or moved; look again."""

    @workflow.init
    def __init__(self, message: MessageInput) -> None:
        self._message = message
        self._changed = False

    @workflow.signal
    def changed(self) -> None:
        self._changed = True

    @workflow.run
    async def run(self, message: MessageInput) -> None:
        while True:
            self._changed = False
            step = await self._step("prepare_to_leave", "What is next")
            if step.kind == "leave":
                step = await self._step("leave", "Leave")
            await self._wake(step.wake)
            await self._tell_account(step.refused_account)
            if step.kind == "done":
                return
            await self._wait(step)
            if workflow.info().get_current_history_length() > HISTORY_LIMIT and not self._changed:
                workflow.continue_as_new(message)

    async def _step(self, activity: str, summary: str) -> SendStep:
        try:
            answer: SendStep = await workflow.execute_activity(
                activity,
                self._message.message_id,
                result_type=SendStep,
                start_to_close_timeout=STEP_TIMEOUT,
                heartbeat_timeout=policies.HEARTBEAT,
                retry_policy=RETRY,
                priority=Priority(priority_key=1),
                summary=summary,
            )
            return answer
        except ActivityError:
            # The row says how far it went; the message waits and asks again, it never ends unsettled.
            return SendStep(
                kind="wait", until=workflow.now() + AFTER_FAILURE, why="a step failed; trying again"
            )

    async def _wait(self, step: SendStep) -> None:
        self._describe(step)
        latest = workflow.now() + LOOK_AGAIN
        until = min(step.until, latest) if step.until else latest
        timeout = max(until - workflow.now(), timedelta(milliseconds=50))
        try:
            await workflow.wait_condition(
                lambda: self._changed, timeout=timeout, timeout_summary=step.why[:180] or "Wait"
            )
        except TimeoutError:
            return

    async def _wake(self, message_ids: list[str]) -> None:
        for message_id in message_ids:
            try:
                await workflow.get_external_workflow_handle(f"message/{message_id}").signal("changed")
            except FailureError as error:  # the other message may have ended: it needs no waking then
                workflow.logger.info("message_not_woken", extra={"error": type(error).__name__})

    async def _tell_account(self, account_id: str | None) -> None:
        if account_id is None:
            return
        try:
            await workflow.get_external_workflow_handle(f"account/{account_id}").signal("gmail_changed", None)
        except FailureError as error:  # reconciliation finds it
            workflow.logger.info("account_not_told", extra={"error": type(error).__name__})

    def _describe(self, step: SendStep) -> None:
        until = f" until {step.until:%Y-%m-%d %H:%M:%S} UTC" if step.until else ""
        workflow.set_current_details(f"**Waiting**{until}: {step.why or 'for its turn'}")
