"""Messages: read, send, cancel, resolve, and their attachments."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlmodel import Session, select

from api.context import Context, ContextOf
from api.downloads import attachment_response
from api.fields import AddressIn, Line, Moment, Name, Text
from api.keys import LocationId
from api.once import Once
from api.problems import Problem, invalid, not_found
from api.routes.users import user_of
from crm import erasure, locations, messages, outbound, read_state
from crm.messages import MessageView
from crm.outbound import OutboundDraft, OutgoingFile, Recipient, RefusedDraft
from models import Attachment, Message
from models.states import AttachmentState, MessageStatus
from storage.blobs import BlobMissing

router = APIRouter(tags=["Messages"])

LARGEST_ATTACHMENTS = 25 * 2**20
"""Bytes of all attachments of a mail together, decoded (S22)."""


class NewAttachment(BaseModel):
    filename: Annotated[Name, Field(min_length=1)]
    content_type: Annotated[Line, Field(max_length=200)] = "application/octet-stream"
    content_base64: str = Field(repr=False)


class NewMessage(BaseModel):
    """A mail to send. Individual mail leaves through the user's Gmail, workflow mail by SMTP (S25)."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    user_id: str
    kind: Literal["individual", "workflow"] = "individual"
    to: list[AddressIn] = Field(min_length=1, max_length=2000)
    cc: list[AddressIn] = Field([], max_length=2000)
    bcc: list[AddressIn] = Field([], max_length=2000)
    subject: Line = ""
    text: Text | None = None
    html: Text | None = None
    reply_to_message_id: str | None = None
    from_: AddressIn | None = Field(None, alias="from")
    send_at: Moment | None = None
    attachments: list[NewAttachment] = Field([], max_length=200)

    @model_validator(mode="before")
    @classmethod
    def _nulls_are_absent(cls, value: object) -> object:
        if isinstance(value, dict):
            return {name: item for name, item in value.items() if item is not None}
        return value


class QueuedAnswer(BaseModel):
    id: str
    status: MessageStatus
    leaves_at: datetime | None

    @classmethod
    def of(cls, message: Message) -> Self:
        """The answer for a row."""
        return cls(id=message.id, status=MessageStatus(message.status), leaves_at=message.leaves_at)


class ReadChange(BaseModel):
    read: bool


class Resolution(BaseModel):
    """What a person decides on a `held` message."""

    action: Literal["look_again", "mark_sent", "discard"]


def message_of(session: Session, location_id: str, message_id: str) -> Message:
    """A message of the location.

    Raises:
        Problem: 404.
    """
    message = messages.get(session, location_id, message_id)
    if message is None:
        raise not_found("message")
    return message


@router.get("/v1/messages/{message_id}")
def read(message_id: str, location_id: LocationId, context: ContextOf) -> MessageView:
    """One message; its html is sanitised."""
    with context.database.session() as session:
        return messages.views(session, [message_of(session, location_id, message_id)])[0]


@router.patch("/v1/messages/{message_id}")
def change(message_id: str, body: ReadChange, location_id: LocationId, context: ContextOf) -> MessageView:
    """Mark it read or unread, in the connected mailboxes too (S24)."""
    return mark(context, location_id, message_id, read=body.read)


def mark(
    context: Context, location_id: str, message_id: str, *, read: bool, user_id: str | None = None
) -> MessageView:
    """Mark a message read or unread, here at once and in Gmail right after.

    Args:
        user_id: who has seen it, where it is to be read in that user's mailbox alone.
    """
    with context.database.session() as session:
        message = message_of(session, location_id, message_id)
        behind = read_state.set_read(session, message, read, user_id=user_id)
        session.flush()
        view = messages.views(session, [message])[0]
    if behind:
        context.tell_or_leave(context.commands.mark_read(message_id), "mark_read", message_id)
    return view


@router.get(
    "/v1/messages/{message_id}/attachments/{attachment_id}",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}, "description": "The bytes."}},
)
def download(message_id: str, attachment_id: str, location_id: LocationId, context: ContextOf) -> Response:
    """The bytes of an attachment."""
    return attachment_response(*attachment_bytes(context, location_id, message_id, attachment_id))


def attachment_bytes(
    context: Context, location_id: str, message_id: str, attachment_id: str
) -> tuple[Attachment, bytes]:
    """An attachment of a message of the location.

    Raises:
        Problem: 404; 409 where its bytes are not here.
    """
    with context.database.session() as session:
        message_of(session, location_id, message_id)
        attachment = session.exec(
            select(Attachment).where(Attachment.id == attachment_id, Attachment.message_id == message_id)
        ).one_or_none()
    if attachment is None:
        raise not_found("attachment")
    if attachment.state == AttachmentState.LEFT_IN_GMAIL or attachment.blob is None:
        raise Problem(
            409,
            "left-in-gmail",
            "This attachment is too large to be copied and was left in Gmail: open the message there.",
        )
    try:
        return attachment, context.blobs.get(attachment.blob)
    except BlobMissing:
        raise Problem(
            503, "unavailable", "The attachment is not in the blob store; check BLOB_STORE_URL."
        ) from None


@router.post("/v1/messages", status_code=202, response_model=QueuedAnswer)
def send(body: NewMessage, location_id: LocationId, context: ContextOf, once: Once) -> Response:
    """Hand a mail over to be sent; `leaves_at` says when it will leave."""
    files = _store(context, location_id, body.attachments)
    with _unless_refused(context, location_id, files), context.database.session() as session:
        answer = once.answer(
            session, body, 202, lambda: QueuedAnswer.of(_queue(context, session, location_id, body, files))
        )
    # Also for a repeated request: the first one may have ended between its commit and this.
    _let_leave(context, QueuedAnswer.model_validate_json(bytes(answer.body)).id)
    return answer


def hand_over(context: Context, location_id: str, body: NewMessage) -> QueuedAnswer:
    """Queue a mail that a page sends."""
    files = _store(context, location_id, body.attachments)
    with _unless_refused(context, location_id, files), context.database.session() as session:
        answer = QueuedAnswer.of(_queue(context, session, location_id, body, files))
    _let_leave(context, answer.id)
    return answer


def _let_leave(context: Context, message_id: str) -> None:
    """Start the message's workflow. The mail is safe already, so a Temporal that is away delays it only."""
    context.tell_or_leave(context.commands.send_message(message_id), "send_message", message_id)


def _queue(
    context: Context, session: Session, location_id: str, body: NewMessage, files: list[OutgoingFile]
) -> Message:
    location = locations.get(session, location_id)
    assert location is not None
    draft = OutboundDraft(
        kind=body.kind,
        to=_recipients(body.to),
        cc=_recipients(body.cc),
        bcc=_recipients(body.bcc),
        subject=body.subject,
        text=body.text,
        html=body.html,
        reply_to_message_id=body.reply_to_message_id,
        from_email=body.from_.email if body.from_ else None,
        from_name=body.from_.name if body.from_ else "",
        send_at=body.send_at,
        attachments=files,
    )
    try:
        return outbound.queue(
            session,
            location,
            user_of(session, location_id, body.user_id),
            draft,
            undo_window=timedelta(seconds=context.settings.undo_window_s),
        )
    except RefusedDraft as refused:
        raise invalid(f"#{refused.pointer}", str(refused)) from None


def _recipients(addresses: list[AddressIn]) -> list[Recipient]:
    return [Recipient(address.email, address.name) for address in addresses]


def _store(context: Context, location_id: str, attachments: list[NewAttachment]) -> list[OutgoingFile]:
    """Decode the attachments, refuse them where they are too large together, and keep their bytes."""
    decoded = []
    for index, attachment in enumerate(attachments):
        try:
            decoded.append(base64.b64decode(attachment.content_base64, validate=True))
        except (binascii.Error, ValueError):
            raise invalid(f"#/attachments/{index}/content_base64", "is not base64") from None
    total = sum(len(content) for content in decoded)
    if total > LARGEST_ATTACHMENTS:
        raise Problem(
            413,
            "attachments-too-large",
            f"The attachments are {total:,} bytes together; at most {LARGEST_ATTACHMENTS:,} bytes "
            "(25 MB) can be sent with one mail. Nothing was sent.",
            limit=LARGEST_ATTACHMENTS,
        )
    with context.database.session() as session:
        erasure.forget(session, [context.blobs.key_of(location_id, content) for content in decoded])
    return [
        OutgoingFile(
            attachment.filename,
            attachment.content_type,
            len(content),
            context.blobs.put(location_id, content),
        )
        for attachment, content in zip(attachments, decoded, strict=True)
    ]


@contextmanager
def _unless_refused(context: Context, location_id: str, files: list[OutgoingFile]) -> Iterator[None]:
    """The bytes of a mail that is refused are not kept."""
    try:
        yield
    except Problem:
        with context.database.session() as session:
            erasure.doom(session, location_id, [file.blob for file in files])
        raise


@router.post("/v1/messages/{message_id}/cancel")
def cancel(message_id: str, location_id: LocationId, context: ContextOf) -> MessageView:
    """Cancel a mail that has not left; 409 once it has."""
    with context.database.session() as session:
        message_of(session, location_id, message_id)
        try:
            message = outbound.cancel(session, message_id)
        except outbound.TooLate as late:
            raise Problem(409, "too-late", f"{str(late).capitalize()}.") from None
        session.flush()
        view = messages.views(session, [message])[0]
    context.tell_or_leave(context.commands.message_changed(message_id), "message_changed", message_id)
    return view


@router.post("/v1/messages/{message_id}/resolve")
def resolve(message_id: str, body: Resolution, location_id: LocationId, context: ContextOf) -> MessageView:
    """Decide on a `held` mail: look for it in Gmail again, mark it as sent, or discard it."""
    with context.database.session() as session:
        message_of(session, location_id, message_id)
        try:
            message = outbound.resolve(session, message_id, body.action)
        except outbound.NotHeld as error:
            raise Problem(409, "not-held", f"{str(error).capitalize()}.") from None
        except outbound.LeavesOnlyFromThere as error:
            raise Problem(409, "leaves-only-from-there", str(error)) from None
        session.flush()
        view = messages.views(session, [message])[0]
    _let_leave(context, message_id)
    context.tell_or_leave(context.commands.message_changed(message_id), "message_changed", message_id)
    return view
