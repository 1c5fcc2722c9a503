"""A message leaves through the location's SMTP provider: once, or its outcome is shown as unknown (S25, S27)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from activities.answers import write_down
from activities.composing import Composer
from crm import leaving, outbound
from crm.leaving import Next, Way
from delivery.smtp import (
    OutcomeUnknown,
    Provider,
    ProviderMisconfigured,
    ProviderRefused,
    ProviderUnreachable,
    SmtpConnection,
)
from mail.encode import ComposeError
from models import Location, Message
from models.columns import now
from models.states import MessageStatus
from storage.blobs import BlobMissing
from storage.database import Database
from storage.encryption import Vault

TRY_FOR = timedelta(hours=24)
FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(hours=1)
OVERTAKEN_PAUSE = timedelta(seconds=1)


class _Overtaken(Exception):
    """Another try of the message got further, or a person cancelled it: this one changes nothing."""


@dataclass
class _Try:
    """One try; `asked_at`: when it wrote down that it hands the mail over."""

    message_id: str
    asked_at: datetime | None = None


class Providers:
    """The SMTP provider of a location: its own, or SMTP_PROVIDER_URL."""

    def __init__(self, vault: Vault, default_url: str) -> None:
        self._vault = vault
        self._default = default_url

    def of(self, location: Location) -> Provider:
        """The provider that a location's mail leaves through.

        Raises:
            ProviderMisconfigured: there is none, or its URL is wrong.
        """
        own = location.smtp_provider_url_encrypted
        url = self._vault.decrypt(own) if own else self._default
        if not url:
            raise ProviderMisconfigured(
                "no SMTP provider is set: set the location's smtp_provider_url, or SMTP_PROVIDER_URL"
            )
        return Provider.parse(url)


class SmtpSender:
    """Individual mail of users without a mailbox, and workflow mail.

    Args:
        provider_of: the provider of a location: its own, or SMTP_PROVIDER_URL.
        return_domain: where returned mail goes: AUTO_BCC_DOMAIN.
    """

    def __init__(
        self,
        database: Database,
        composer: Composer,
        provider_of: Callable[[Location], Provider],
        return_domain: str,
    ) -> None:
        self._database = database
        self._composer = composer
        self._provider_of = provider_of
        self._return_domain = return_domain

    def leave(self, message_id: str) -> Next:
        """Hand the message over, or say that its outcome is unknown; may run while an earlier try still does."""
        try:
            return self._leave(_Try(message_id))
        except _Overtaken:
            return Next(Way.WAIT, now() + OVERTAKEN_PAUSE, "another try of it goes on")

    def _leave(self, one: _Try) -> Next:
        with self._database.session() as session:
            message = leaving.locked(session, one.message_id)
            if message.send_asked_at is not None:
                return self._unknown(session, message)
            recipients = [person.email for person in outbound.recipients_of(session, message.id)]
            return_path = f"bounce+{message.stamp}@{self._return_domain}"
            location = session.get_one(Location, message.location_id)
        try:
            raw = self._composer.compose(one.message_id, with_bcc=False)
            with SmtpConnection(self._provider_of(location)) as connection:
                refused = connection.send(return_path, recipients, raw, before_data=lambda: self._ask(one))
        except (ComposeError, BlobMissing) as error:
            return self._failed(one, f"It cannot be written as a mail: {error}")
        except (ProviderUnreachable, ProviderMisconfigured) as error:
            return self._later(one, str(error))
        except ProviderRefused as error:
            if not error.permanent:
                return self._later(one, f"The provider refused it for now: {error.reason}")
            return self._failed(one, f"The SMTP provider refused it: {error.reason}")
        except OutcomeUnknown:
            return self._leave(one)
        return self._sent(one, refused)

    def _unknown(self, session: Session, message: Message) -> Next:
        words = (
            "The provider took it and the answer was lost: it may have left. Mark it as sent, or discard it."
        )
        outbound.set_status(session, message, MessageStatus.HELD, words)
        return Next(Way.WAIT, why="held: its outcome is unknown")

    def _ask(self, one: _Try) -> None:
        """The last thing before the mail is handed over.

        Raises:
            _Overtaken: nothing may be handed over.
        """
        with self._database.session() as session:
            message = self._ours(session, one)
            one.asked_at = message.send_asked_at = now()

    def _ours(self, session: Session, one: _Try) -> Message:
        """The row, locked; nobody else hands the message over or has settled it."""
        message = leaving.locked(session, one.message_id)
        if message.send_asked_at != one.asked_at or message.status not in leaving.OPEN:
            raise _Overtaken
        return message

    def _sent(self, one: _Try, refused: list[tuple[str, str]]) -> Next:
        def write(session: Session) -> None:
            message = leaving.locked(session, one.message_id)
            message.sent_at, message.leaves_at = now(), None
            outbound.set_status(session, message, MessageStatus.SENT)
            if refused:
                message.bounced_at, message.bounce_permanent = now(), True
                message.bounce_recipients = [recipient for recipient, _ in refused]
                message.bounce_reason = refused[0][1]

        write_down(self._database, write)
        return Next(Way.DONE)

    def _failed(self, one: _Try, reason: str) -> Next:
        write_down(self._database, lambda session: leaving.fail(session, self._ours(session, one), reason))
        return Next(Way.DONE)

    def _later(self, one: _Try, why: str) -> Next:
        """Nothing has left: try again with a growing pause, for a day."""
        until: datetime | None = None

        def write(session: Session) -> None:
            nonlocal until
            message = self._ours(session, one)
            message.send_asked_at = None
            waited = now() - message.created_at
            if waited > TRY_FOR:
                leaving.fail(session, message, f"Given up after a day. {why}")
                return
            until = now() + min(max(FIRST_PAUSE, waited), LONGEST_PAUSE)
            outbound.set_status(session, message, MessageStatus.QUEUED, why)
            message.leaves_at = until

        write_down(self._database, write)
        return Next(Way.WAIT, until, "the SMTP provider") if until else Next(Way.DONE)
