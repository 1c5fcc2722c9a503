"""A message was marked read or unread in the CRM: its copies in Gmail follow (S24).

What is wanted is in the rows; Gmail's echo of the change finds nothing left to change, so nothing goes in circles.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError

from workflows import policies
from workflows.values import MessageInput

GIVE_UP = timedelta(days=1)
"""A mailbox that Gmail refuses for so long shows by then what is wrong with it."""


@workflow.defn
class ReadStateWorkflow:
    """Id `read/<message id>`. Signal `changed`: it was marked, perhaps again."""

    @workflow.init
    def __init__(self, message: MessageInput) -> None:
        self._changed = True

    @workflow.signal
    def changed(self) -> None:
        self._changed = True

    @workflow.run
    async def run(self, message: MessageInput) -> None:
        while self._changed:
            self._changed = False
            try:
                await workflow.execute_activity(
                    "mark_in_gmail",
                    message.message_id,
                    summary="Mark the copies in Gmail",
                    priority=Priority(priority_key=2),
                    start_to_close_timeout=policies.STEP_TIMEOUT,
                    schedule_to_close_timeout=GIVE_UP,
                    retry_policy=policies.PATIENT_RETRY,
                )
            except ActivityError as error:
                workflow.logger.warning("mark_given_up", extra={"error": type(error).__name__})
