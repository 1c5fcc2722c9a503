"""A mail that the SMTP listener has kept is filed, however long it takes."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

from workflows import policies
from workflows.values import InboundInput


@workflow.defn
class FileInboundWorkflow:
    """Id `inbound/<id>`."""

    @workflow.run
    async def run(self, value: InboundInput) -> None:
        """One step, tried until it works: the mail was acknowledged, so it is ours to keep."""
        await workflow.execute_activity(
            "file_inbound",
            value.inbound_id,
            start_to_close_timeout=timedelta(minutes=2),
            retry_policy=policies.PATIENT_RETRY,
            summary="File the mail",
        )
