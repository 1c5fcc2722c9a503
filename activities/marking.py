"""Read state from the CRM to Gmail (S24)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlmodel import Session, col, select, update
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.mailboxes import Mailboxes
from crm.read_state import REACHABLE
from gmail.budget import Priority
from gmail.errors import ConfigurationRefused, ConsentMissing, GoogleError, GrantRefused, MailboxGone
from gmail.values import UNREAD
from models import Account, GmailMessage
from storage.database import Database

_REFUSED = (GrantRefused, ConsentMissing, MailboxGone, ConfigurationRefused)


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
        """Set or take the label UNREAD on each copy in a connected mailbox that was marked here.

        A mailbox that Google refuses follows once it is authorised again: the sweep finds what is still marked.

        Raises:
            ApplicationError: Google did not take it now; tried again, when Google says so.
        """
        with self._database.session() as session:
            copies = _copies(session, message_id)
        later: GoogleError | None = None
        for account, copy in copies:
            mailbox = self._mailboxes.of(account, Priority.INTERACTIVE)
            try:
                if copy.unread:
                    mailbox.modify_labels(copy.gmail_id, add=[UNREAD])
                else:
                    mailbox.modify_labels(copy.gmail_id, remove=[UNREAD])
            except _REFUSED as error:
                activity.logger.info("mark_waits_for_consent", extra={"error": type(error).__name__})
                continue
            except GoogleError as error:
                if error.retryable:
                    later = error
                    continue
                # Deleted in Gmail meanwhile, or nothing that another try would change.
                activity.logger.info("mark_refused", extra={"error": type(error).__name__})
            self._followed(copy)
        if later is not None:
            raise ApplicationError(
                "Google did not take a mark",
                type=type(later).__name__,
                next_retry_delay=timedelta(seconds=later.retry_after) if later.retry_after else None,
                category=ApplicationErrorCategory.BENIGN,
            )

    def _followed(self, copy: GmailMessage) -> None:
        """Unless it was marked again meanwhile, or Gmail has told of another change."""
        with self._database.session() as session:
            session.execute(
                update(GmailMessage)
                .where(
                    col(GmailMessage.account_id) == copy.account_id,
                    col(GmailMessage.gmail_id) == copy.gmail_id,
                    col(GmailMessage.marked_at) == copy.marked_at,
                )
                .values(marked_at=None)
            )


def _copies(session: Session, message_id: str) -> list[tuple[Account, GmailMessage]]:
    rows = session.exec(
        select(Account, GmailMessage)
        .join(GmailMessage, col(GmailMessage.account_id) == col(Account.id))
        .where(
            GmailMessage.message_id == message_id,
            col(GmailMessage.marked_at).is_not(None),
            col(GmailMessage.deleted).is_(False),
            col(Account.state).in_(REACHABLE),
        )
        .order_by(col(Account.id))
    )
    return list(rows.all())
