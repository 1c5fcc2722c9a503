"""Read state and deletions that Gmail's history no longer tells of (S24, S32): from lists of ids, when a gap closes.

Mail of the gap was looked at just now; this is about what we had before it began. History goes on from before the
lists were made, so what changes meanwhile is told again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from activities import outcomes
from crm import labels
from gmail.mailbox import Mailbox
from gmail.values import TRASH, UNREAD
from models import Account, GmailMessage
from storage.database import Database

MOST_COPIES = 10_000
"""The newest ones; who reads or deletes older mail while we are away is told by nothing."""
MOST_PAGES = 40
"""Of each list, 500 ids and 5 units a page; what lies beyond stays as it was."""


def compare_labels(database: Database, account: Account, mailbox: Mailbox, until: datetime) -> None:
    """Let the copies that came before a moment say what Gmail says; again changes nothing.

    Raises:
        GoogleError: it cannot be listed.
    """
    with database.session() as session:
        copies = labels.copies_until(session, account, until, MOST_COPIES)
    if not copies:
        return
    there, unread, trashed = (_listed(mailbox, copies, until, label) for label in (None, UNREAD, TRASH))
    reaches = max(there.reaches, trashed.reaches)
    read_states = {
        copy.gmail_id: copy.gmail_id in unread.ids
        for copy in copies
        if copy.internal_date > unread.reaches and copy.gmail_id in there.ids
    }
    deletions = {
        copy.gmail_id: copy.gmail_id in trashed.ids or copy.gmail_id not in there.ids
        for copy in copies
        if copy.internal_date > reaches
    }
    before = {copy.gmail_id: copy for copy in copies}
    with database.session() as session:
        labels.set_unread(
            session,
            account,
            {one: value for one, value in read_states.items() if before[one].unread != value},
        )
        labels.set_deleted(
            session, account, {one: value for one, value in deletions.items() if before[one].deleted != value}
        )


@dataclass(frozen=True, slots=True)
class _Listed:
    """Ids under a label; nothing is known of what is as old as `reaches` or older."""

    ids: frozenset[str]
    reaches: datetime


def _listed(mailbox: Mailbox, copies: list[GmailMessage], until: datetime, label: str | None) -> _Listed:
    """What Gmail lists from the oldest copy on, newest first."""
    dates = {copy.gmail_id: copy.internal_date for copy in copies}
    since = math.floor(min(dates.values()).timestamp()) * 1000
    ids: set[str] = set()
    token: str | None = None
    for _ in range(MOST_PAGES):
        page = outcomes.patiently(
            partial(
                mailbox.list_ids,
                after=since,
                q=f"before:{math.ceil(until.timestamp()) + 1}",
                label_ids=(label,) if label else (),
                page_token=token,
            )
        )
        ids.update(page.ids)
        token = page.next_page_token
        if token is None:
            return _Listed(frozenset(ids), datetime.min.replace(tzinfo=UTC))
    return _Listed(frozenset(ids), min((dates[one] for one in ids if one in dates), default=until))
