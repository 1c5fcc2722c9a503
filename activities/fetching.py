"""Whole mails, fetched and stored: the raw bytes and each attachment in the blob store (S22).

Below a size the exact bytes come in one call. Above it Gmail is asked for the parts instead, so that an attachment
which is too large stays in Gmail: the mail is put together again without it, and lists it as left there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from activities import rebuilding
from crm.attachments import StoredAttachment, fitting
from crm.headline import Headline
from gmail.errors import GoogleError
from gmail.mailbox import Mailbox
from gmail.values import Part
from mail.message import Attachment, Mail
from mail.parse import parse
from models.states import AttachmentState
from storage.blobs import Blobs


@dataclass(frozen=True, slots=True)
class Fetched:
    """A mail whose bytes are stored; its attachments are without content."""

    mail: Mail
    raw_blob: str
    attachments: tuple[StoredAttachment, ...]


class Fetching:
    """Thread-safe."""

    def __init__(self, blobs: Blobs, *, full_above_bytes: int) -> None:
        self._blobs = blobs
        self._full_above_bytes = full_above_bytes

    def fetch(
        self, mailbox: Mailbox, location_id: str, headlines: Sequence[Headline]
    ) -> Iterator[tuple[str, Fetched | GoogleError]]:
        """Each mail or its error, by Gmail id; only a few are held at a time."""
        large = [one.gmail_id for one in headlines if one.size_estimate > self._full_above_bytes]
        small = [one.gmail_id for one in headlines if one.size_estimate <= self._full_above_bytes]
        for message_id, found in mailbox.raw_many(small):
            if isinstance(found, GoogleError):
                yield message_id, found
            else:
                yield message_id, self._store(location_id, found.raw, {})
        for message_id in large:
            try:
                raw, left = rebuilding.without_large_parts(mailbox, message_id)
            except GoogleError as error:
                yield message_id, error
            else:
                yield message_id, self._store(location_id, raw, left)

    def _store(self, location_id: str, raw: bytes, left: dict[str, Part]) -> Fetched:
        mail = parse(raw)
        kept = self._attachments(location_id, mail.attachments, left)
        bare = tuple(replace(attachment, content=b"") for attachment in mail.attachments)
        return Fetched(replace(mail, attachments=bare), self._blobs.put(location_id, raw), tuple(kept))

    def _attachments(
        self, location_id: str, attachments: Sequence[Attachment], left: dict[str, Part]
    ) -> Iterator[StoredAttachment]:
        sizes = [left[one.part_id].size if one.part_id in left else one.size for one in attachments]
        for attachment, size, fits in zip(attachments, sizes, fitting(sizes), strict=True):
            kept = fits and attachment.part_id not in left
            yield StoredAttachment(
                filename=attachment.filename,
                content_type=attachment.content_type,
                size=size,
                content_id=attachment.content_id,
                inline=attachment.inline,
                part_id=attachment.part_id,
                blob=self._blobs.put(location_id, attachment.content) if kept else None,
                state=AttachmentState.STORED if kept else AttachmentState.LEFT_IN_GMAIL,
            )
