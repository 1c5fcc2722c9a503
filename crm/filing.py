"""What becomes of a mail at the SMTP listener: an auto-BCC copy (S16), or a notice about mail of ours (S20)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlmodel import Session, col, select

from crm import events, identity, notices, policy, suppressions
from crm.addresses import domain_of
from crm.attachments import StoredAttachment
from crm.facts import load_location_world
from crm.headline import Headline
from crm.keeping import Item, Keeper, locks_of
from crm.world import author_key, people
from mail import bounce, classify
from mail.bounce import Bounce
from mail.message import Address, Mail
from models import Campaign, CampaignRecipient, InboundMail, Message, User
from models.columns import now
from models.states import RecipientState


def file_auto_bcc(
    session: Session,
    inbound: InboundMail,
    mail: Mail,
    attachments: Sequence[StoredAttachment],
    auto_bcc_domain: str,
) -> None:
    """File a copy that carries a user's auto-BCC address, as the mailbox's own copy would be; once, however often."""
    if inbound.filed_at is not None or inbound.location_id is None:
        return
    user = session.get_one(User, inbound.user_id)
    mail = _with_auto_bcc(mail, f"{user.auto_bcc_token}@{auto_bcc_domain}", auto_bcc_domain)
    headline = _headline(inbound, mail, vouched=True)
    item = Item(headline, mail, inbound.blob, attachments)
    identity.lock_keys(session, inbound.location_id, locks_of([item], auto_bcc_domain))
    world = load_location_world(
        session, inbound.location_id, [headline], auto_bcc_domain, own=(author_key(mail),)
    )
    world.user_id = user.id
    verdict = policy.decide(headline, world, mail)
    (filed,) = Keeper(session, inbound.location_id, world, None).keep([(item, verdict)])
    inbound.filed_at, inbound.message_id = now(), filed.message_id
    inbound.outcome = f"{verdict.rule}: {verdict.detail}"
    session.add(inbound)


def _with_auto_bcc(mail: Mail, address: str, domain: str) -> Mail:
    """With the address in Bcc: a listener's copy has it only in the envelope (S17)."""
    if any(domain_of(one.email) == domain.lower() for one in people(mail)):
        return mail
    return replace(mail, bcc=(*mail.bcc, Address("", address)))


def _headline(inbound: InboundMail, mail: Mail, *, vouched: bool = False) -> Headline:
    """Of a mail that came by SMTP: it lies in no mailbox of Gmail's."""
    return Headline(
        gmail_id=inbound.id,
        gmail_thread_id="",
        label_ids=frozenset(),
        internal_date=inbound.received_at,
        size_estimate=inbound.size,
        mail=mail,
        vouched=vouched,
    )


def file_return(
    session: Session,
    inbound: InboundMail,
    mail: Mail,
    attachments: Sequence[StoredAttachment] = (),
    auto_bcc_domain: str = "",
) -> None:
    """What came to a return address of ours: a notice marks the recipient, and the mail that it is about (S20).

    An automatic answer is filed with what it answers, and is no reply.
    """
    if inbound.filed_at is not None:
        return
    inbound.filed_at = now()
    notice = bounce.read(mail)
    if (message := _message_of(session, inbound.return_token)) is None:
        inbound.outcome = "about no mail of ours"
    elif notice is None and is_automatic_answer(mail):
        _file_answer(session, inbound, message, mail, attachments, auto_bcc_domain)
    elif notice is None:
        inbound.outcome = "no notice of a mail server"
    else:
        inbound.message_id, inbound.outcome = message.id, "delayed" if notice.delayed else "bounced"
        notices.came_back(session, message, notice, inbound.received_at)
        _mark_recipient(session, inbound.return_token, notice)
    session.add(inbound)


def is_automatic_answer(mail: Mail) -> bool:
    """Is it one that is kept, where it came to a return address?"""
    return classify.kind(mail) == "auto_reply"


def _file_answer(
    session: Session,
    inbound: InboundMail,
    message: Message,
    mail: Mail,
    attachments: Sequence[StoredAttachment],
    auto_bcc_domain: str,
) -> None:
    # The address that it came to says what it answers, whatever its header names.
    if message.message_id_header is not None:
        mail = replace(mail, in_reply_to=(message.message_id_header, *mail.in_reply_to))
    headline = _headline(inbound, mail)
    item = Item(headline, mail, inbound.blob, attachments)
    identity.lock_keys(session, message.location_id, locks_of([item], auto_bcc_domain))
    own = (message.from_email,) if message.from_email else ()
    world = load_location_world(session, message.location_id, [headline], auto_bcc_domain, own=own)
    verdict = policy.decide(headline, world, mail)
    (filed,) = Keeper(session, message.location_id, world, None).keep([(item, verdict)])
    inbound.message_id, inbound.outcome = filed.message_id, f"{verdict.rule}: {verdict.detail}"


def _message_of(session: Session, token: str | None) -> Message | None:
    return session.exec(
        select(Message)
        .outerjoin(CampaignRecipient, col(CampaignRecipient.message_id) == col(Message.id))
        .where((Message.stamp == token) | (CampaignRecipient.return_token == token))
        .with_for_update(of=Message)
    ).first()


def _mark_recipient(session: Session, token: str | None, notice: Bounce) -> None:
    if notice.delayed:
        return
    recipient = session.exec(
        select(CampaignRecipient).where(CampaignRecipient.return_token == token).with_for_update()
    ).first()
    if recipient is not None:
        recipient.state, recipient.reason, recipient.at = RecipientState.BOUNCED, notice.reason, now()
        session.add(recipient)
        location_id = _location_of(session, recipient)
        events.emit(session, location_id, events.CAMPAIGN_UPDATED, recipient.campaign_id)
        session.flush()
        suppressions.note_bounce(
            session, location_id, recipient.email, permanent=notice.permanent, status=notice.status
        )


def _location_of(session: Session, recipient: CampaignRecipient) -> str:
    return session.get_one(Campaign, recipient.campaign_id).location_id
