"""What crosses the Temporal boundary: ids and counts, never anything of a mail (I3).

Every field added later needs a default, so that old histories and workers read new values and the reverse.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel


class AccountInput(BaseModel):
    """AccountWorkflow, id `account/<id>`."""

    account_id: str


class SwitchInput(BaseModel):
    """SwitchWorkflow, id `switch/<user id>`."""

    user_id: str


class ContactsInput(BaseModel):
    """ContactsWorkflow, id `contacts/<account id>`."""

    account_id: str


class MessageInput(BaseModel):
    """SendMessageWorkflow, id `message/<id>`."""

    message_id: str


class SendStep(BaseModel):
    """What a message does next: leave, wait until a moment (None: until changed), or no more."""

    kind: Literal["leave", "wait", "done"]
    until: datetime | None = None
    why: str = ""
    """A few words for the Web UI, without anything of the mail."""
    wake: list[str] = []
    """Messages whose place in the queue has moved forward."""


class CampaignInput(BaseModel):
    """CampaignWorkflow, id `campaign/<id>`."""

    campaign_id: str


class InboundInput(BaseModel):
    """FileInboundWorkflow, id `inbound/<id>`."""

    inbound_id: str


class WebhookInput(BaseModel):
    """WebhookWorkflow, id `webhook/<endpoint id>`."""

    endpoint_id: str
