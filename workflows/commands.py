"""What the outside asks of the workflows: one function for each command, Temporal's errors turned into ours.

Signals carry whatever must be accepted while no worker runs; nothing here waits for a worker.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from workflows.values import (
    AccountInput,
    CampaignInput,
    ContactsInput,
    InboundInput,
    MessageInput,
    ReviewInput,
    SwitchInput,
    WebhookInput,
)


class WorkflowsUnavailable(Exception):
    """Temporal did not take a command: nothing was changed by it, and it may be given again."""


@asynccontextmanager
async def _translated(what: str) -> AsyncIterator[None]:
    try:
        yield
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return  # the workflow has ended: there is nothing left to tell it
        raise WorkflowsUnavailable(
            f"Temporal did not take '{what}' ({error.status.name}); try again"
        ) from error
    except (OSError, RuntimeError) as error:
        raise WorkflowsUnavailable(f"Temporal cannot be reached for '{what}'; try again") from error


class Commands:
    """The commands, over one client and task queue."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    async def _tell(
        self, workflow: str, workflow_id: str, value: Any, signal: str, *args: Any, summary: str = ""
    ) -> None:
        """Signal a workflow, starting it where it does not run."""
        async with _translated(f"{signal} {workflow_id}"):
            await self._client.start_workflow(
                workflow,
                value,
                id=workflow_id,
                task_queue=self._task_queue,
                start_signal=signal,
                start_signal_args=args,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                static_summary=summary or None,
            )

    async def _start(self, workflow: str, workflow_id: str, value: Any, *, summary: str = "") -> None:
        """Start a workflow; where it runs already, nothing changes."""
        async with _translated(f"start {workflow_id}"):
            await self._client.start_workflow(
                workflow,
                value,
                id=workflow_id,
                task_queue=self._task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                static_summary=summary or None,
            )

    async def _signal(self, workflow_id: str, signal: str, *args: Any) -> None:
        async with _translated(f"{signal} {workflow_id}"):
            handle: WorkflowHandle[Any, Any] = self._client.get_workflow_handle(workflow_id)
            await handle.signal(signal, args=args)

    # An account (AccountWorkflow)
    async def account_consented(self, account_id: str) -> None:
        """A grant was stored: connect, revive or go on after a reauthorisation."""
        await self._tell(
            "AccountWorkflow", f"account/{account_id}", AccountInput(account_id=account_id), "consented"
        )

    async def gmail_changed(self, account_id: str, history_id: int | None) -> None:
        """A push said that the mailbox has changed; the id is a hint only."""
        await self._tell(
            "AccountWorkflow",
            f"account/{account_id}",
            AccountInput(account_id=account_id),
            "gmail_changed",
            history_id,
        )

    async def unannounced(self, account_id: str, silent_s: float) -> None:
        """Mail came that no push told of; if none has come for so many seconds, the watch is set anew."""
        await self._signal(f"account/{account_id}", "unannounced", silent_s)

    async def sync_now(self, account_id: str) -> None:
        """Look now, and check completeness within 60 s."""
        await self._tell(
            "AccountWorkflow", f"account/{account_id}", AccountInput(account_id=account_id), "sync_now"
        )

    async def disconnect(self, account_id: str) -> None:
        """Stop sync both ways and forget the grant (S5)."""
        await self._tell(
            "AccountWorkflow", f"account/{account_id}", AccountInput(account_id=account_id), "disconnect"
        )

    async def account_changed(self, account_id: str) -> None:
        """The account's row was changed by a switch: act on what it says now."""
        await self._tell(
            "AccountWorkflow", f"account/{account_id}", AccountInput(account_id=account_id), "changed"
        )

    async def switch(self, user_id: str, account_id: str) -> None:
        """Make another account of the user the active one (S4)."""
        await self._tell(
            "SwitchWorkflow", f"switch/{user_id}", SwitchInput(user_id=user_id), "switch_to", account_id
        )

    async def stay(self, user_id: str, account_id: str) -> None:
        """Keep the active account the active one: of a switch that is under way this is the last wish (S4)."""
        await self._signal(f"switch/{user_id}", "switch_to", account_id)

    async def sync_contacts(self, account_id: str) -> None:
        """Read the user's Google contacts now (S23)."""
        await self._tell(
            "ContactsWorkflow", f"contacts/{account_id}", ContactsInput(account_id=account_id), "sync_now"
        )

    async def count_sent(self, account_id: str) -> None:
        """Count what the mailbox sent in the last 24 h, before anything leaves through it (S26)."""
        await self._start("CountSentWorkflow", f"sent/{account_id}", AccountInput(account_id=account_id))

    # A message (SendMessageWorkflow)
    async def send_message(self, message_id: str) -> None:
        """Let a queued message leave."""
        await self._start("SendMessageWorkflow", f"message/{message_id}", MessageInput(message_id=message_id))

    async def message_changed(self, message_id: str) -> None:
        """The message's row was changed (cancelled, resolved, its place or account moved): look again."""
        await self._tell(
            "SendMessageWorkflow", f"message/{message_id}", MessageInput(message_id=message_id), "changed"
        )

    async def mark_read(self, message_id: str) -> None:
        """A message was marked read or unread here: its copies in Gmail follow (S24)."""
        await self._tell(
            "ReadStateWorkflow", f"read/{message_id}", MessageInput(message_id=message_id), "changed"
        )

    async def follow_mark(self, message_id: str) -> None:
        """A mark that Gmail has not followed yet is tried again; where it is being tried, nothing changes."""
        await self._start("ReadStateWorkflow", f"read/{message_id}", MessageInput(message_id=message_id))

    # A campaign (CampaignWorkflow)
    async def run_campaign(self, campaign_id: str) -> None:
        """Start a campaign, or wake it after its row was changed (paused, resumed, cancelled)."""
        await self._tell(
            "CampaignWorkflow", f"campaign/{campaign_id}", CampaignInput(campaign_id=campaign_id), "changed"
        )

    # The rest
    async def run_review(self, review_id: str) -> None:
        """Ask Gmail what a review would add."""
        await self._start("ReviewWorkflow", f"review/{review_id}", ReviewInput(review_id=review_id))

    async def file_inbound(self, inbound_id: str) -> None:
        """File a mail that the SMTP listener has kept."""
        await self._start("FileInboundWorkflow", f"inbound/{inbound_id}", InboundInput(inbound_id=inbound_id))

    async def deliver_webhooks(self, endpoint_id: str) -> None:
        """Events wait for a webhook endpoint."""
        await self._tell(
            "WebhookWorkflow", f"webhook/{endpoint_id}", WebhookInput(endpoint_id=endpoint_id), "events_wait"
        )

    async def healthy(self) -> bool:
        """Whether Temporal answers."""
        try:
            return await self._client.service_client.check_health()
        except RPCError:
            return False
