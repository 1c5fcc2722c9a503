"""What a mail says, split into the new part and what it quotes, safe to show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crm.messages import AttachmentView
from mail.quotes import split, split_html
from mail.sanitise import has_remote_images, safe_html
from models import Message


@dataclass(frozen=True, slots=True)
class MailBody:
    """The body of a mail: plain text, or html that is fetched into a frame."""

    text: str
    quoted_text: str
    source: str | None
    has_quoted_html: bool
    has_remote_images: bool

    def html(
        self, part: str, attachments: Sequence[AttachmentView], root: str, *, images: bool = False
    ) -> str:
        """The html of a part (`new`, `quoted`), sanitised.

        Args:
            root: where inline images are fetched from.
        """
        new, quoted = split_html(self.source or "")
        inline = {file.content_id.strip("<>"): f"{root}/{file.id}" for file in attachments if file.content_id}
        return safe_html(quoted if part == "quoted" else new, inline, images)


def body_of(message: Message) -> MailBody:
    """The body of a message."""
    if message.html:
        _, quoted = split_html(message.html)
        return MailBody("", "", message.html, bool(quoted.strip()), has_remote_images(message.html))
    parts = split(message.text or "")
    return MailBody(parts.new_text, parts.quoted_text, None, False, False)
