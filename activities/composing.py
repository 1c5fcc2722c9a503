"""The bytes of an outbound message, made of its rows and blobs."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, select

from crm import outbound
from crm.tracking import Tracker
from mail.compose import OutgoingFile, compose
from mail.message import Address
from models import AccountAlias, Attachment, Location, Message, Participant
from models.columns import now
from models.states import Role
from storage.blobs import Blobs
from storage.database import Database


class Composer:
    """Composes a message anew at each try: nothing of it is kept but rows and blobs.

    Args:
        append_signature: put the sending address's own Gmail signature below the text (APPEND_GMAIL_SIGNATURE).
        tracker: makes the html tell of opens and clicks, where the location has switched that on (S24).
    """

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        *,
        append_signature: bool = False,
        tracker: Tracker | None = None,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._append_signature = append_signature
        self._tracker = tracker

    def compose(self, message_id: str, *, through_gmail: bool = True) -> bytes:
        """The whole mail with our stamp; only Gmail gives it an id and a date by itself, and takes Bcc out.

        Raises:
            OversizeError: it became too large to send (S22).
            BlobMissing: an attachment is gone from the blob store.
        """
        with self._database.session() as session:
            message = session.get_one(Message, message_id)
            people = session.exec(
                select(Participant)
                .where(Participant.message_id == message_id)
                .order_by(col(Participant.position))
            ).all()
            files = session.exec(
                select(Attachment)
                .where(Attachment.message_id == message_id)
                .order_by(col(Attachment.position))
            ).all()
            signature = self._signature(session, message)
            location = session.get_one(Location, message.location_id)
        by_role = {role: _addresses(people, role) for role in Role}
        html = message.html
        if signature:
            html = (html if html is not None else _as_html(message.text or "")) + f"<br>-- <br>{signature}"
        if html is not None and self._tracker is not None:
            html = self._tracker.instrument(
                html, message.id, opens=location.tracking_opens, clicks=location.tracking_clicks
            )
        return compose(
            from_=by_role[Role.FROM][0],
            to=by_role[Role.TO],
            cc=by_role[Role.CC],
            bcc=by_role[Role.BCC] if through_gmail else (),
            reply_to=by_role[Role.REPLY_TO],
            subject=message.subject,
            text=message.text,
            html=html,
            attachments=[
                OutgoingFile(file.filename, file.content_type, self._blobs.get(file.blob), file.content_id)
                for file in files
                if file.blob is not None
            ],
            date=None if through_gmail else now(),
            message_id=None if through_gmail else message.message_id_header,
            in_reply_to=message.in_reply_to[-1] if message.in_reply_to else None,
            references=message.references,
            headers=[(outbound.STAMP_HEADER, message.stamp or ""), *message.headers.items()],
        )

    def _signature(self, session: Session, message: Message) -> str:
        if not self._append_signature or message.account_id is None or message.from_email is None:
            return ""
        alias = session.get(AccountAlias, (message.account_id, message.from_email.lower()))
        return alias.signature if alias else ""


def _addresses(people: Sequence[Participant], role: Role) -> list[Address]:
    return [Address(person.name, person.email) for person in people if person.role == role]


def _as_html(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("\n", "<br>\n")
