"""Campaigns: one mail to many contacts, each addressed alone, never through Gmail (S25).

A recipient is `pending` until its mail is handed over, `sending` from a moment before, and then what the
provider answered. One left in `sending` by a crash becomes `unknown` and is never mailed again.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy import insert
from sqlmodel import Session, col, func, select

from crm import events, suppressions
from crm.addresses import email_key
from crm.paging import Page, page_of, position_of
from models import Campaign, CampaignRecipient, Contact, ContactAddress, User
from models.columns import now
from models.states import CampaignState, RecipientState

S = RecipientState
RUNNING = (CampaignState.QUEUED, CampaignState.SENDING)


class CampaignView(BaseModel):
    """How far a campaign is. `sent` = taken by the provider; of these `bounced` came back later."""

    id: str
    user_id: str
    subject: str
    state: str
    reason: str | None
    total: int
    pending: int
    sent: int
    bounced: int
    failed: int
    unknown: int
    suppressed: int
    created_at: datetime
    updated_at: datetime


class RecipientView(BaseModel):
    """One recipient, and why it is where it is."""

    contact_id: str
    email: str
    state: str
    reason: str | None
    at: datetime | None
    next_try_at: datetime | None
    message_id: str | None


@dataclass(frozen=True, slots=True)
class NewCampaign:
    """What `POST /v1/campaigns` asks for, checked for shape."""

    subject: str
    contact_ids: Sequence[str]
    html: str | None = None
    text: str | None = None
    from_email: str = ""
    from_name: str = ""


class UnknownContact(Exception):
    """A contact is not of this location; `position` is its place in the list."""

    def __init__(self, position: int) -> None:
        super().__init__("names no contact of this location")
        self.position = position


class NotPossible(Exception):
    """The campaign's state does not allow it; the text says why."""


def create(session: Session, user: User, new: NewCampaign) -> Campaign:
    """A campaign and its recipients, one for each contact; it is sent later.

    Raises:
        UnknownContact: nothing was made.
    """
    campaign = Campaign(
        location_id=user.location_id,
        user_id=user.id,
        from_email=new.from_email,
        from_name=new.from_name,
        subject=new.subject,
        html=new.html,
        text=new.text,
    )
    session.add(campaign)
    session.flush()
    rows = _recipient_rows(session, campaign, list(dict.fromkeys(new.contact_ids)))
    if rows:
        session.execute(insert(CampaignRecipient), rows)
    events.emit(session, campaign.location_id, events.CAMPAIGN_UPDATED, campaign.id)
    return campaign


def _recipient_rows(session: Session, campaign: Campaign, contact_ids: list[str]) -> list[dict[str, Any]]:
    known = dict(
        session.exec(
            select(Contact.id, Contact.deleted_at).where(
                Contact.location_id == campaign.location_id, col(Contact.id).in_(contact_ids)
            )
        ).all()
    )
    addresses = dict(
        session.exec(
            select(ContactAddress.contact_id, ContactAddress.email)
            .where(col(ContactAddress.contact_id).in_(contact_ids))
            .order_by(col(ContactAddress.position).desc(), col(ContactAddress.id).desc())
        ).all()
    )
    silent = suppressions.among(session, campaign.location_id, {email_key(a) for a in addresses.values()})
    at, seen = now(), set[str]()
    rows: list[dict[str, Any]] = []
    for position, contact_id in enumerate(contact_ids):
        if contact_id not in known:
            raise UnknownContact(position)
        email = addresses.get(contact_id, "")
        key = email_key(email)
        if known[contact_id] is not None:
            state, reason = S.FAILED, "the contact was deleted"
        elif not key:
            state, reason = S.FAILED, "the contact has no address"
        elif key in silent:
            state, reason = S.SUPPRESSED, silent[key]
        elif key in seen:
            state, reason = S.SUPPRESSED, "another contact of this campaign has the same address"
        else:
            state, reason = S.PENDING, None
            seen.add(key)
        rows.append(
            {
                "campaign_id": campaign.id,
                "contact_id": contact_id,
                "position": position,
                "email": email,
                "email_key": key,
                "state": state,
                "reason": reason,
                "at": None if state is S.PENDING else at,
                "attempts": 0,
                # Lower case: some servers fold the case of a return path.
                "return_token": secrets.token_hex(16),
            }
        )
    return rows


def get(session: Session, location_id: str, campaign_id: str) -> Campaign | None:
    """A campaign of the location, or None."""
    campaign = session.get(Campaign, campaign_id)
    return campaign if campaign is not None and campaign.location_id == location_id else None


def listing(session: Session, location_id: str, limit: int, cursor: str | None = None) -> Page[Campaign]:
    """The location's campaigns, newest first."""
    query = select(Campaign).where(Campaign.location_id == location_id)
    if (position := position_of("campaigns", cursor, str)) is not None:
        query = query.where(col(Campaign.id) < position[0])
    query = query.order_by(col(Campaign.id).desc()).limit(limit + 1)
    return page_of(session.exec(query).all(), limit, "campaigns", lambda row: (row.id,))


def pause(session: Session, campaign: Campaign) -> None:
    """No mail is begun any more; again changes nothing.

    Raises:
        NotPossible: it has ended.
    """
    _move(session, campaign, CampaignState.PAUSED, RUNNING)


def resume(session: Session, campaign: Campaign) -> None:
    """Go on with those who are pending; where it runs, nothing changes.

    Raises:
        NotPossible: it has ended.
    """
    session.refresh(campaign, with_for_update=True)
    if campaign.state not in RUNNING:
        _move(session, campaign, CampaignState.SENDING, (CampaignState.PAUSED,))


def cancel(session: Session, campaign: Campaign) -> None:
    """No mail is begun any more, for good; again changes nothing.

    Raises:
        NotPossible: it is done.
    """
    _move(session, campaign, CampaignState.CANCELLED, (*RUNNING, CampaignState.PAUSED))


def _move(session: Session, campaign: Campaign, to: CampaignState, allowed: Sequence[CampaignState]) -> None:
    session.refresh(campaign, with_for_update=True)
    if campaign.state == to:
        return
    if campaign.state not in allowed:
        raise NotPossible(f"the campaign is {campaign.state}")
    campaign.state, campaign.reason, campaign.updated_at = to, None, now()
    session.add(campaign)
    events.emit(session, campaign.location_id, events.CAMPAIGN_UPDATED, campaign.id)


def unfinished(session: Session, before: datetime, limit: int = 500) -> list[str]:
    """Campaigns with something to do, of which nothing was heard since: their workflow was lost or never started.

    Somebody is due, or left `sending` by a crash, also of one that was stopped since; or nobody is left and it is to
    be closed. One whose recipients are all due later only waits.
    """
    its = select(CampaignRecipient.contact_id).where(col(CampaignRecipient.campaign_id) == col(Campaign.id))
    pending = its.where(CampaignRecipient.state == S.PENDING)
    due = pending.where(func.coalesce(col(CampaignRecipient.next_try_at), before) <= before)
    goes_on = col(Campaign.state).in_(RUNNING) & (due.exists() | ~pending.exists())
    return list(
        session.exec(
            select(Campaign.id)
            .where(
                col(Campaign.updated_at) < before,
                goes_on
                | (col(Campaign.state) == CampaignState.QUEUED)
                | its.where(CampaignRecipient.state == S.SENDING).exists(),
            )
            .order_by(col(Campaign.id))
            .limit(limit)
        )
    )


def views(session: Session, campaigns: Sequence[Campaign]) -> list[CampaignView]:
    """The campaigns as the API shows them, in their order; the counts are of the recipients' rows."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for campaign_id, state, count in session.exec(
        select(CampaignRecipient.campaign_id, CampaignRecipient.state, func.count())
        .where(col(CampaignRecipient.campaign_id).in_([campaign.id for campaign in campaigns]))
        .group_by(col(CampaignRecipient.campaign_id), col(CampaignRecipient.state))
    ):
        counts[campaign_id][state] = count
    return [_view(campaign, counts[campaign.id]) for campaign in campaigns]


def _view(campaign: Campaign, count: dict[str, int]) -> CampaignView:
    return CampaignView(
        id=campaign.id,
        user_id=campaign.user_id,
        subject=campaign.subject,
        state=campaign.state,
        reason=campaign.reason,
        total=sum(count.values()),
        pending=count[S.PENDING] + count[S.SENDING],
        sent=count[S.SENT] + count[S.BOUNCED],
        bounced=count[S.BOUNCED],
        failed=count[S.FAILED],
        unknown=count[S.UNKNOWN],
        suppressed=count[S.SUPPRESSED],
        created_at=campaign.created_at,
        updated_at=campaign.updated_at,
    )


def recipients(
    session: Session, campaign_id: str, limit: int, cursor: str | None = None, *, state: str | None = None
) -> Page[CampaignRecipient]:
    """The recipients in the order in which they were given."""
    query = select(CampaignRecipient).where(CampaignRecipient.campaign_id == campaign_id)
    if state is not None:
        states = (S.PENDING, S.SENDING) if state == S.PENDING else (state,)
        query = query.where(col(CampaignRecipient.state).in_(states))
    if (position := position_of("recipients", cursor, int)) is not None:
        query = query.where(col(CampaignRecipient.position) > position[0])
    query = query.order_by(col(CampaignRecipient.position)).limit(limit + 1)
    return page_of(session.exec(query).all(), limit, "recipients", lambda row: (row.position,))


def recipient_view(row: CampaignRecipient) -> RecipientView:
    """The view of a row; one that is being handed over right now still counts as pending."""
    return RecipientView(
        contact_id=row.contact_id,
        email=row.email,
        state=S.PENDING if row.state == S.SENDING else row.state,
        reason=row.reason,
        at=row.at,
        next_try_at=row.next_try_at if row.state == S.PENDING else None,
        message_id=row.message_id,
    )


def unsubscribe(session: Session, return_token: str) -> str | None:
    """Whoever got this mail wants no more: on the list of the location; the address, None for no mail of ours."""
    found = session.exec(
        select(CampaignRecipient, Campaign.location_id)
        .join(Campaign, col(Campaign.id) == col(CampaignRecipient.campaign_id))
        .where(CampaignRecipient.return_token == return_token)
    ).first()
    if found is None:
        return None
    recipient, location_id = found
    suppressions.add(session, location_id, recipient.email, suppressions.UNSUBSCRIBED)
    return recipient.email


def address_of(session: Session, return_token: str) -> str | None:
    """The address that a recipient's mail went to."""
    return session.exec(
        select(CampaignRecipient.email).where(CampaignRecipient.return_token == return_token)
    ).first()


def settle_by_hand(session: Session, message_id: str, state: RecipientState, reason: str) -> None:
    """A person decided what became of a campaign's mail whose outcome was unknown."""
    recipient = session.exec(
        select(CampaignRecipient).where(CampaignRecipient.message_id == message_id).with_for_update()
    ).first()
    if recipient is None or recipient.state != S.UNKNOWN:
        return
    recipient.state, recipient.reason, recipient.at = state, reason, now()
    session.add(recipient)
    campaign = session.get_one(Campaign, recipient.campaign_id)
    events.emit(session, campaign.location_id, events.CAMPAIGN_UPDATED, campaign.id)
