"""A campaign's mail on its way: which is next, and what is written down before and after it leaves (S25, S27).

Each step is one short transaction. `hand_over` commits `sending` before the provider gets the mail: from then
on only its answer tells, and where that is lost the recipient is `unknown` and never mailed again.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from crm import events, outbound, senders, suppressions
from crm.addresses import email_key
from crm.bulk import Rows
from crm.recording import conversations_of
from crm.senders import Sender
from mail.message import Address
from models import (
    Campaign,
    CampaignRecipient,
    Contact,
    Conversation,
    Location,
    Message,
    Participant,
    Suppression,
    Thread,
    User,
)
from models.columns import now
from models.ids import new_id
from models.states import CampaignState, Direction, MessageStatus, RecipientState, Role

S = RecipientState
MOST_TRIES = 8
GROWTH = 4
LONGEST_PAUSE = timedelta(hours=4)
LONGEST_WAIT_FOR_PROVIDER = timedelta(minutes=15)
MAY_HAVE_LEFT = "The answer of the provider was lost: it may have left. It is not mailed again."
GOING_ON = (CampaignState.QUEUED, CampaignState.SENDING)


@dataclass(frozen=True, slots=True)
class Batch:
    """What the mails of a batch have in common."""

    campaign: Campaign
    location: Location
    user: User


@dataclass(frozen=True, slots=True)
class Due:
    """A recipient whose mail is next."""

    contact_id: str
    domain: str


@dataclass(frozen=True, slots=True)
class Addressed:
    """One mail, ready to be composed; nothing of it is written down yet."""

    campaign_id: str
    contact_id: str
    message_id: str
    message_id_header: str
    email: str
    name: str
    sender: Sender
    return_token: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a campaign stands after a batch; `next_at`: when the next recipient is due, None for none."""

    state: CampaignState
    next_at: datetime | None


class Stopped(Exception):
    """The campaign was paused or cancelled, or somebody else mailed this recipient: nothing may leave."""


def open_batch(session: Session, campaign_id: str) -> Batch | None:
    """Begin a batch; None where nothing is to be sent now.

    Whoever is still `sending` was left so by a crash: no batch of this campaign runs beside this one.
    """
    campaign = session.get(Campaign, campaign_id, with_for_update=True)
    if campaign is None:
        return None
    left = session.exec(
        select(CampaignRecipient)
        .where(CampaignRecipient.campaign_id == campaign_id, CampaignRecipient.state == S.SENDING)
        .with_for_update()
    ).all()
    for recipient in left:
        _unknown(session, recipient)
    if left:
        _tell(session, campaign)
    if campaign.state not in GOING_ON:
        return None
    if campaign.state == CampaignState.QUEUED:
        campaign.state = CampaignState.SENDING
        _tell(session, campaign)
    campaign.updated_at = now()
    return Batch(
        campaign,
        session.get_one(Location, campaign.location_id),
        session.get_one(User, campaign.user_id),
    )


def due(
    session: Session, campaign_id: str, after: int, limit: int, paced: Collection[str]
) -> list[tuple[int, Due]]:
    """Recipients whose mail may leave now, in order, with their positions; none of the domains `paced`."""
    domain = func.split_part(col(CampaignRecipient.email_key), "@", 2)
    query = (
        select(CampaignRecipient.position, CampaignRecipient.contact_id, domain)
        .where(
            CampaignRecipient.campaign_id == campaign_id,
            CampaignRecipient.state == S.PENDING,
            col(CampaignRecipient.position) > after,
            func.coalesce(col(CampaignRecipient.next_try_at), func.now()) <= func.now(),
        )
        .order_by(col(CampaignRecipient.position))
        .limit(limit)
    )
    if paced:
        query = query.where(domain.not_in(list(paced)))
    return [(position, Due(contact_id, name)) for position, contact_id, name in session.exec(query).all()]


def address(
    session: Session, batch: Batch, contact_id: str, return_domain: str, own_address: str = ""
) -> Addressed | None:
    """What a recipient gets; None where it gets nothing, which is then written down.

    Locks and writes nothing otherwise, so that it costs no flush to disk: `hand_over` looks at the row again.

    Args:
        own_address: the location's at the provider; empty where that is not known.

    Raises:
        Stopped: the campaign was paused or cancelled.
    """
    campaign = batch.campaign
    found = session.execute(
        select_columns(CampaignRecipient, Contact, col(Campaign.state), User, col(Suppression.reason))
        .join(Contact, col(Contact.id) == col(CampaignRecipient.contact_id))
        .join(Campaign, col(Campaign.id) == col(CampaignRecipient.campaign_id))
        .outerjoin(User, col(User.id) == col(Contact.assigned_user_id))
        .outerjoin(
            Suppression,
            and_(
                col(Suppression.location_id) == col(Campaign.location_id),
                col(Suppression.email_key) == col(CampaignRecipient.email_key),
            ),
        )
        .where(
            col(CampaignRecipient.campaign_id) == campaign.id,
            col(CampaignRecipient.contact_id) == contact_id,
        )
    ).first()
    if found is None:
        return None
    recipient, contact, state, assigned, silent = found
    if state not in GOING_ON:
        raise Stopped(state)
    if recipient.state != S.PENDING:
        return None
    if contact.deleted_at is not None:
        _settle_pending(session, recipient, S.FAILED, "the contact was deleted")
        return None
    if silent:
        _settle_pending(session, recipient, S.SUPPRESSED, silent)
        return None
    person = Address(campaign.from_name, campaign.from_email) if campaign.from_email else None
    if person is None and assigned is not None:
        person = senders.of_user(assigned)
    location = Address(batch.location.name, own_address)
    message_id = recipient.message_id or new_id("msg")
    return Addressed(
        campaign_id=campaign.id,
        contact_id=contact_id,
        message_id=message_id,
        message_id_header=f"<{secrets.token_hex(16)}@{return_domain}>",
        email=recipient.email,
        name=contact.name if "@" not in contact.name else "",
        sender=senders.speaking(person, senders.of_user(batch.user), location),
        return_token=recipient.return_token,
    )


def hand_over(session: Session, batch: Batch, mail: Addressed) -> None:
    """Write down that the provider gets the mail now, and show it in the contact's conversation.

    Raises:
        Stopped: nothing may leave.
    """
    campaign = batch.campaign
    recipient, state = session.exec(
        select(CampaignRecipient, Campaign.state)
        .join(Campaign, col(Campaign.id) == col(CampaignRecipient.campaign_id))
        .where(_is(mail))
        .with_for_update(of=CampaignRecipient)
    ).one()
    if recipient.state != S.PENDING or state not in GOING_ON:
        raise Stopped(state)
    message = session.get(Message, mail.message_id) if recipient.message_id else None
    if message is None:
        _show(session, campaign, mail)
    else:
        message.send_asked_at, message.message_id_header = now(), mail.message_id_header
        outbound.set_status(session, message, MessageStatus.SENDING)
    recipient.state, recipient.at, recipient.message_id = S.SENDING, now(), mail.message_id
    recipient.reason = recipient.next_try_at = None


def _show(session: Session, campaign: Campaign, mail: Addressed) -> None:
    """A thread, the message and its people, in one statement: there are thousands of them."""
    at, location_id = now(), campaign.location_id
    (conversation_id,) = conversations_of(session, location_id, [mail.contact_id]).values()
    thread = Thread(
        id=new_id("thr"),
        location_id=location_id,
        conversation_id=conversation_id,
        subject=campaign.subject,
        message_count=1,
        last_message_at=at,
    )
    message = Message(
        id=mail.message_id,
        location_id=location_id,
        conversation_id=conversation_id,
        thread_id=thread.id,
        contact_id=mail.contact_id,
        direction=Direction.OUTBOUND,
        kind="bulk",
        status=MessageStatus.SENDING,
        subject=campaign.subject,
        text=campaign.text,
        html=campaign.html,
        sent_at=at,
        read=True,
        user_id=campaign.user_id,
        from_email=mail.sender.from_.email,
        message_id_header=mail.message_id_header,
        send_asked_at=at,
        campaign_id=campaign.id,
    )
    rows = Rows()
    rows.add(Thread, thread.model_dump())
    rows.add(Message, message.model_dump(exclude={"search"}))
    people = [
        (Role.FROM, mail.sender.from_, None),
        (Role.TO, Address(mail.name, mail.email), mail.contact_id),
    ]
    if mail.sender.reply_to is not None:
        people.append((Role.REPLY_TO, mail.sender.reply_to, None))
    for role, who, contact_id in people:
        person = Participant(
            message_id=message.id,
            location_id=location_id,
            role=role,
            position=0,
            name=who.name,
            email=who.email,
            email_key=email_key(who.email),
            contact_id=contact_id,
        )
        rows.add(Participant, person.model_dump())
    rows.write(session)
    session.execute(
        update(Conversation).where(col(Conversation.id) == conversation_id).values(last_message_at=at)
    )
    events.emit(session, location_id, events.MESSAGE_CREATED, message.id)
    events.emit(session, location_id, events.CONVERSATION_UPDATED, conversation_id)


def sent(session: Session, mail: Addressed) -> None:
    """The provider took it. Also of one that was taken for unknown meanwhile: this is the answer."""
    recipient = _locked(session, mail)
    if recipient.state not in (S.SENDING, S.UNKNOWN):
        return  # a notice was quicker: it has bounced already
    _settle(session, recipient, S.SENT, None)
    message = session.get_one(Message, mail.message_id)
    message.sent_at = now()
    outbound.set_status(session, message, MessageStatus.SENT)


def unknown(session: Session, mail: Addressed) -> None:
    """The provider got it and its answer was lost."""
    recipient = _locked(session, mail)
    if recipient.state == S.SENDING:
        _unknown(session, recipient)


def not_taken(session: Session, mail: Addressed) -> None:
    """The provider refused all of us: the recipient is where it was before, and not at fault."""
    recipient = _locked(session, mail)
    if recipient.state == S.SENDING:
        recipient.state, recipient.at = S.PENDING, now()
        if recipient.message_id is not None:
            session.get_one(Message, recipient.message_id).send_asked_at = None


def refused(session: Session, batch: Batch, mail: Addressed, reason: str, *, about_recipient: bool) -> None:
    """The provider will never take it; an address that does not exist gets no more mail."""
    recipient = _locked(session, mail)
    if recipient.state not in (S.PENDING, S.SENDING):
        return
    _settle(session, recipient, S.FAILED, reason)
    if recipient.message_id is not None:
        message = session.get_one(Message, recipient.message_id)
        outbound.set_status(session, message, MessageStatus.FAILED, f"The provider refused it: {reason}")
    if about_recipient and suppressions.is_missing_mailbox(None, reason):
        suppressions.add(session, batch.campaign.location_id, recipient.email, suppressions.NO_SUCH_ADDRESS)


def refused_for_now(
    session: Session, batch: Batch, mail: Addressed, reason: str, first_pause: timedelta
) -> None:
    """Not taken, so it may be tried again: after a pause that grows, some times, and then it has failed."""
    recipient = _locked(session, mail)
    if recipient.state not in (S.PENDING, S.SENDING):
        return
    recipient.attempts += 1
    message = session.get(Message, recipient.message_id) if recipient.message_id else None
    if recipient.attempts >= MOST_TRIES:
        words = f"given up after {recipient.attempts} tries: {reason}"
        _settle(session, recipient, S.FAILED, words)
        session.flush()
        location_id = batch.campaign.location_id
        suppressions.note_bounce(session, location_id, recipient.email, permanent=False, status=None)
        if message is not None:
            outbound.set_status(session, message, MessageStatus.FAILED, words)
        return
    recipient.state, recipient.reason, recipient.at = S.PENDING, reason, now()
    recipient.next_try_at = _next_try(recipient.attempts, first_pause)
    session.add(recipient)
    if message is not None:
        message.send_asked_at = None
        outbound.set_status(
            session, message, MessageStatus.SENDING, f"The provider refused it for now: {reason}"
        )


def _next_try(attempts: int, first_pause: timedelta) -> datetime:
    """After the pause, at a moment that those refused about now share, so that they leave in one batch."""
    pause = min(first_pause * GROWTH ** (attempts - 1), LONGEST_PAUSE)
    grid = first_pause.total_seconds()
    due_at = (now() + pause).timestamp()
    return datetime.fromtimestamp(-(-due_at // grid) * grid, UTC)


def provider_failed(session: Session, campaign_id: str, reason: str, failures: int) -> datetime:
    """The provider lets nobody through: the campaign says so and waits; until when."""
    pause = min(timedelta(seconds=2 ** min(failures + 1, 12)), LONGEST_WAIT_FOR_PROVIDER)
    campaign = session.get_one(Campaign, campaign_id, with_for_update=True)
    if campaign.reason != reason and campaign.state in GOING_ON:
        campaign.reason = reason
        _tell(session, campaign)
    campaign.updated_at = now() + pause
    return now() + pause


def progress(session: Session, campaign_id: str) -> None:
    """Tell the listeners how far it is; once in a while, not for each recipient."""
    campaign = session.get_one(Campaign, campaign_id, with_for_update=True)
    _tell(session, campaign)


def close_batch(session: Session, campaign_id: str) -> Standing:
    """End a batch: done, or when to go on."""
    campaign = session.get_one(Campaign, campaign_id, with_for_update=True)
    if campaign.state not in GOING_ON:
        return Standing(CampaignState(campaign.state), None)
    pending = session.exec(
        select(func.count(), func.min(func.coalesce(col(CampaignRecipient.next_try_at), func.now()))).where(
            CampaignRecipient.campaign_id == campaign_id,
            col(CampaignRecipient.state).in_((S.PENDING, S.SENDING)),
        )
    ).one()
    count, next_at = pending
    campaign.reason = None
    if count == 0:
        campaign.state = CampaignState.DONE
    _tell(session, campaign)
    return Standing(CampaignState(campaign.state), next_at if count else None)


def _is(mail: Addressed) -> ColumnElement[bool]:
    return and_(
        col(CampaignRecipient.campaign_id) == mail.campaign_id,
        col(CampaignRecipient.contact_id) == mail.contact_id,
    )


def _locked(session: Session, mail: Addressed) -> CampaignRecipient:
    return session.exec(select(CampaignRecipient).where(_is(mail)).with_for_update()).one()


def _settle(
    session: Session, recipient: CampaignRecipient, state: RecipientState, reason: str | None
) -> None:
    recipient.state, recipient.reason, recipient.at, recipient.next_try_at = state, reason, now(), None
    session.add(recipient)


def _settle_pending(
    session: Session, recipient: CampaignRecipient, state: RecipientState, reason: str
) -> None:
    """Unless it was handed over meanwhile."""
    session.refresh(recipient, with_for_update=True)
    if recipient.state == S.PENDING:
        _settle(session, recipient, state, reason)


def _unknown(session: Session, recipient: CampaignRecipient) -> None:
    _settle(session, recipient, S.UNKNOWN, MAY_HAVE_LEFT)
    message = session.get(Message, recipient.message_id) if recipient.message_id else None
    if message is not None:
        outbound.set_status(session, message, MessageStatus.HELD, MAY_HAVE_LEFT)


def _tell(session: Session, campaign: Campaign) -> None:
    campaign.updated_at = now()
    session.add(campaign)
    events.emit(session, campaign.location_id, events.CAMPAIGN_UPDATED, campaign.id)
