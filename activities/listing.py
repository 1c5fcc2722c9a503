"""Which ids Gmail lists, and which of them have no decision yet: for filling gaps (S6) and for proofs (S30)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlmodel import Session

from activities import outcomes
from crm import decisions
from gmail.mailbox import Mailbox
from gmail.values import CHAT, DRAFT, SPAM, TRASH
from storage.database import Database


@dataclass(frozen=True, slots=True)
class Listed:
    """Ids that Gmail lists, drafts and chats left out, newest first.

    missing: those without a decision. returned: those set aside in spam or the trash that have left it since (S31);
    where history does not reach back, nothing else tells of that.
    """

    ids: tuple[str, ...]
    missing: tuple[str, ...]
    returned: tuple[str, ...] = ()


def pages(mailbox: Mailbox, since: datetime | None, label: str | None = None) -> Iterator[tuple[str, ...]]:
    """Ids since a moment, spam and trash included, 500 at a time; 5 units each."""
    after = None if since is None else int(since.timestamp() * 1000)
    token: str | None = None
    while True:
        page = outcomes.patiently(
            partial(mailbox.list_ids, after=after, label_ids=(label,) if label else (), page_token=token)
        )
        yield page.ids
        token = page.next_page_token
        if token is None:
            return


def listed(database: Database, account_id: str, mailbox: Mailbox, since: datetime | None) -> Listed:
    """What Gmail lists since a moment.

    Raises:
        GoogleError: it cannot be listed.
    """
    aside = {
        message_id for label in (DRAFT, CHAT) for page in pages(mailbox, since, label) for message_id in page
    }
    ids: dict[str, None] = {}
    for page in pages(mailbox, since):
        ids.update((message_id, None) for message_id in page if message_id not in aside)
    with database.session() as session:
        decided = _decided(session, account_id, tuple(ids))
        put_aside = decisions.put_aside(session, account_id).intersection(ids)
    if put_aside:
        for label in (SPAM, TRASH):
            for page in pages(mailbox, since, label):
                put_aside.difference_update(page)
    return Listed(
        tuple(ids),
        missing=tuple(message_id for message_id in ids if message_id not in decided),
        returned=tuple(message_id for message_id in ids if message_id in put_aside),
    )


def _decided(session: Session, account_id: str, ids: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(ids), 5000):
        found |= decisions.known(session, account_id, ids[start : start + 5000])
    return found
