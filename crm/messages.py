"""Messages as the API shows them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select, tuple_

from crm import inbound_mails, outbound
from crm.inbound_mails import AuthenticationView
from crm.paging import Page, page_of, position_of
from mail.sanitise import safe_html
from models import Attachment, GmailMessage, Message, Participant
from models.states import WAITING_STATUSES, Direction, MessageStatus, Role

_NOT_LEFT = frozenset(
    {*WAITING_STATUSES, MessageStatus.SENDING, MessageStatus.FAILED, MessageStatus.CANCELLED}
)


class AddressView(BaseModel):
    """An address on a message; `contact_id` where a contact of the location has it (S13)."""

    name: str
    email: str
    contact_id: str | None = None


class GmailCopy(BaseModel):
    """A copy of the message in a connected mailbox; `thread_id` is Gmail's."""

    account_id: str
    gmail_id: str
    thread_id: str


class AttachmentView(BaseModel):
    """A file of the message; only `stored` ones can be downloaded here (S22)."""

    id: str
    filename: str
    content_type: str
    size: int
    state: str
    content_id: str | None = None
    inline: bool = False


class BounceView(BaseModel):
    """That, and why, the mail was not delivered (S20)."""

    at: datetime
    permanent: bool
    status: str | None
    reason: str | None
    recipients: list[str]


class MessageView(BaseModel):
    """A message with all that belongs to it; `html` is sanitised, remote images are off."""

    model_config = ConfigDict(populate_by_name=True)

    id: str
    conversation_id: str
    thread_id: str
    contact_id: str
    direction: str
    kind: str
    forwarded: bool
    deleted_in_gmail: bool
    read: bool
    status: str
    status_detail: str | None
    next_action: str | None
    """What a mail of ours does next; `leaves_at` says when."""
    cancellable: bool
    from_: AddressView | None = Field(alias="from")
    to: list[AddressView]
    cc: list[AddressView]
    bcc: list[AddressView]
    reply_to: list[AddressView]
    subject: str
    text: str | None
    html: str | None
    created_at: datetime
    sent_at: datetime | None
    """None of ours that has not left."""
    leaves_at: datetime | None
    message_id_header: str | None
    gmail: list[GmailCopy]
    attachments: list[AttachmentView]
    opens: int
    clicks: int
    replied_at: datetime | None
    bounce: BounceView | None
    auto_bcc_notice_at: datetime | None
    authentication: AuthenticationView | None
    user_id: str | None
    account_id: str | None
    campaign_id: str | None
    reply_to_message_id: str | None


def get(session: Session, location_id: str, message_id: str) -> Message | None:
    """A message of the location, or None."""
    message = session.get(Message, message_id)
    if message is None or message.location_id != location_id or message.hidden_by is not None:
        return None
    return message


def of_conversation(
    session: Session, conversation_id: str, limit: int, cursor: str | None = None
) -> Page[Message]:
    """The messages of a conversation, newest first."""
    return _listing(session, "conversation", Message.conversation_id == conversation_id, limit, cursor)


def of_contact(
    session: Session, location_id: str, contact_id: str, limit: int, cursor: str | None = None
) -> Page[Message]:
    """All messages that a contact takes part in, CC and BCC too (S13), newest first."""
    takes_part = col(Message.id).in_(
        select(Participant.message_id).where(Participant.contact_id == contact_id)
    )
    owned = col(Message.contact_id) == contact_id
    here = col(Message.location_id) == location_id
    return _listing(session, "contact", here & (takes_part | owned), limit, cursor)


def _listing(
    session: Session, name: str, which: ColumnElement[bool] | bool, limit: int, cursor: str | None
) -> Page[Message]:
    query = select(Message).where(which, col(Message.hidden_by).is_(None))
    if (position := position_of(name, cursor, datetime, str)) is not None:
        query = query.where(tuple_(col(Message.sent_at), col(Message.id)) < position)
    query = query.order_by(col(Message.sent_at).desc(), col(Message.id).desc()).limit(limit + 1)
    return page_of(session.exec(query).all(), limit, name, lambda row: (row.sent_at, row.id))


def views(
    session: Session,
    messages: Sequence[Message],
    *,
    attachment_root: str = "/v1/messages",
    remote_images: bool = False,
) -> list[MessageView]:
    """The messages as the API shows them, in their order, in four queries however many there are.

    Args:
        attachment_root: where inline images of the html are fetched from.
        remote_images: let the html fetch images from elsewhere, which tells their owner that it was opened.
    """
    ids = [message.id for message in messages]
    people: dict[str, dict[str, list[AddressView]]] = defaultdict(lambda: defaultdict(list))
    for participant in session.exec(
        select(Participant)
        .where(col(Participant.message_id).in_(ids))
        .order_by(col(Participant.message_id), col(Participant.position))
    ):
        people[participant.message_id][participant.role].append(
            AddressView(name=participant.name, email=participant.email, contact_id=participant.contact_id)
        )
    files: dict[str, list[Attachment]] = defaultdict(list)
    for attachment in session.exec(
        select(Attachment).where(col(Attachment.message_id).in_(ids)).order_by(col(Attachment.position))
    ):
        files[attachment.message_id].append(attachment)
    copies: dict[str, list[GmailMessage]] = defaultdict(list)
    for copy in session.exec(
        select(GmailMessage)
        .where(col(GmailMessage.message_id).in_(ids))
        .order_by(col(GmailMessage.account_id))
    ):
        copies[copy.message_id].append(copy)
    proofs = inbound_mails.authentications(session, ids)
    return [
        _view(
            message,
            people[message.id],
            files[message.id],
            copies[message.id],
            proofs.get(message.id),
            attachment_root=attachment_root,
            remote_images=remote_images,
        )
        for message in messages
    ]


def _view(
    message: Message,
    people: dict[str, list[AddressView]],
    files: list[Attachment],
    copies: list[GmailMessage],
    authentication: AuthenticationView | None,
    *,
    attachment_root: str,
    remote_images: bool,
) -> MessageView:
    return MessageView(
        id=message.id,
        conversation_id=message.conversation_id,
        thread_id=message.thread_id,
        contact_id=message.contact_id,
        direction=message.direction,
        kind=message.kind,
        forwarded=message.forwarded,
        deleted_in_gmail=message.deleted_in_gmail,
        read=is_read(message, copies),
        status=message.status,
        status_detail=message.status_detail,
        next_action=outbound.next_action(message),
        cancellable=outbound.is_cancellable(message),
        from_=next(iter(people.get(Role.FROM, ())), None),
        to=people.get(Role.TO, []),
        cc=people.get(Role.CC, []),
        bcc=people.get(Role.BCC, []),
        reply_to=people.get(Role.REPLY_TO, []),
        subject=message.subject,
        text=message.text,
        html=_html(message, files, attachment_root, remote_images),
        created_at=message.created_at,
        sent_at=message.sent_at if message.status not in _NOT_LEFT else None,
        leaves_at=message.leaves_at,
        message_id_header=message.message_id_header,
        gmail=[
            GmailCopy(account_id=copy.account_id, gmail_id=copy.gmail_id, thread_id=copy.gmail_thread_id)
            for copy in copies
        ],
        attachments=[AttachmentView.model_validate(file, from_attributes=True) for file in files],
        opens=message.opens,
        clicks=message.clicks,
        replied_at=message.replied_at,
        bounce=_bounce(message),
        auto_bcc_notice_at=message.auto_bcc_notice_at,
        authentication=authentication,
        user_id=message.user_id,
        account_id=message.account_id,
        campaign_id=message.campaign_id,
        reply_to_message_id=message.reply_to_message_id,
    )


def is_read(message: Message, copies: Sequence[GmailMessage]) -> bool:
    """Read once one mailbox has read it; what we sent is read (S24)."""
    if message.direction == Direction.OUTBOUND:
        return True
    return any(not copy.unread for copy in copies) if copies else message.read


def _html(message: Message, files: list[Attachment], root: str, remote_images: bool) -> str | None:
    if message.html is None:
        return None
    inline = {
        file.content_id: f"{root}/{message.id}/attachments/{file.id}" for file in files if file.content_id
    }
    return safe_html(message.html, inline, remote_images)


def _bounce(message: Message) -> BounceView | None:
    if message.bounced_at is None or message.status == MessageStatus.DELAYED:
        return None
    return BounceView(
        at=message.bounced_at,
        permanent=bool(message.bounce_permanent),
        status=message.bounce_status,
        reason=message.bounce_reason,
        recipients=message.bounce_recipients,
    )


def document(view: MessageView) -> dict[str, Any]:
    """The view as JSON of the API."""
    return view.model_dump(mode="json", by_alias=True)
