"""Read state from the CRM to Gmail (S24)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlmodel import Session, col, select
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.mailboxes import Mailboxes
from gmail.budget import Priority
from gmail.errors import GoogleError, NotFound
from gmail.values import UNREAD
from models import Account, GmailMessage
from models.states import AccountState
from storage.database import Database

_REACHABLE = (AccountState.ACTIVE, AccountState.RECOVERING)


class Marking:
    """Makes Gmail's label say what the row says; again changes nothing."""

    def __init__(self, database: Database, mailboxes: Mailboxes) -> None:
        self._database = database
        self._mailboxes = mailboxes

    def activities(self) -> list[Callable[..., Any]]:
        """What the worker registers."""
        return [self.mark_in_gmail]

    @activity.defn
    def mark_in_gmail(self, message_id: str) -> None:
        """Set or take the label UNREAD on each copy in a connected mailbox.

        Raises:
            ApplicationError: Google did not take it now; tried again, when Google says so.
        """
        with self._database.session() as session:
            copies = _copies(session, message_id)
        for account, copy in copies:
            mailbox = self._mailboxes.of(account, Priority.INTERACTIVE)
            try:
                if copy.unread:
                    mailbox.modify_labels(copy.gmail_id, add=[UNREAD])
                else:
                    mailbox.modify_labels(copy.gmail_id, remove=[UNREAD])
            except NotFound:
                continue  # deleted in Gmail meanwhile
            except GoogleError as error:
                if error.retryable:
                    raise ApplicationError(
                        "Google did not take a mark",
                        type=type(error).__name__,
                        next_retry_delay=timedelta(seconds=error.retry_after) if error.retry_after else None,
                        category=ApplicationErrorCategory.BENIGN,
                    ) from None
                activity.logger.info("mark_refused", extra={"error": type(error).__name__})


def _copies(session: Session, message_id: str) -> list[tuple[Account, GmailMessage]]:
    rows = session.exec(
        select(Account, GmailMessage)
        .join(GmailMessage, col(GmailMessage.account_id) == col(Account.id))
        .where(
            GmailMessage.message_id == message_id,
            col(GmailMessage.deleted).is_(False),
            col(Account.state).in_(_REACHABLE),
        )
        .order_by(col(Account.id))
    )
    return list(rows.all())
