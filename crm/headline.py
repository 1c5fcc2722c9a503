"""A Gmail message as far as its headers and labels tell: all that the rules look at before a body is fetched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mail.message import Mail


@dataclass(frozen=True, slots=True)
class Headline:
    """`internal_date`: when Gmail accepted it, aware UTC. `size_estimate`: bytes. `mail`: headers only.

    Gmail API: users.messages.get, format=metadata.
    """

    gmail_id: str
    gmail_thread_id: str
    label_ids: frozenset[str]
    internal_date: datetime
    size_estimate: int
    mail: Mail
    vouched: bool = False
    """The SMTP listener has looked at the author already (S16)."""

    @property
    def sent(self) -> bool:
        """The mailbox's owner sent it; the label tells, the From address does not (aliases, +tags)."""
        return "SENT" in self.label_ids

    @property
    def draft(self) -> bool:
        return "DRAFT" in self.label_ids

    @property
    def chat(self) -> bool:
        return "CHAT" in self.label_ids

    @property
    def spam(self) -> bool:
        return "SPAM" in self.label_ids

    @property
    def trash(self) -> bool:
        return "TRASH" in self.label_ids

    @property
    def unread(self) -> bool:
        return "UNREAD" in self.label_ids
