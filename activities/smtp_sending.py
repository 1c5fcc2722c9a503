"""A message leaves through the location's SMTP provider: once, or its outcome is shown as unknown (S25, S27)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

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
from models import Location, Message
from models.columns import now
from models.states import MessageStatus
from storage.database import Database
from storage.encryption import Vault

TRY_FOR = timedelta(hours=24)
LONGEST_PAUSE = timedelta(hours=1)


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
        """Hand the message over, or say that its outcome is unknown."""
        with self._database.session() as session:
            message = leaving.locked(session, message_id)
            if message.send_asked_at is not None:
                outbound.set_status(
                    session,
                    message,
                    MessageStatus.HELD,
                    "The provider took it and the answer was lost: it may have left. "
                    "Mark it as sent, or discard it.",
                )
                return Next(Way.WAIT, why="held: its outcome is unknown")
            recipients = [participant.email for participant in outbound.recipients_of(session, message_id)]
            return_path = f"bounce+{message.stamp}@{self._return_domain}"
            location = session.get_one(Location, message.location_id)
        raw = self._composer.compose(message_id, with_bcc=False)
        try:
            with SmtpConnection(self._provider_of(location)) as connection:
                refused = connection.send(
                    return_path, recipients, raw, before_data=lambda: self._ask(message_id)
                )
        except (ProviderUnreachable, ProviderMisconfigured) as error:
            return self._later(message_id, str(error))
        except ProviderRefused as error:
            if not error.permanent:
                return self._later(message_id, f"The provider refused it for now: {error.reason}")
            return self._failed(message_id, error.reason)
        except OutcomeUnknown:
            return self.leave(message_id)
        return self._sent(message_id, refused)

    def _ask(self, message_id: str) -> None:
        with self._database.session() as session:
            leaving.locked(session, message_id).send_asked_at = now()

    def _sent(self, message_id: str, refused: list[tuple[str, str]]) -> Next:
        with self._database.session() as session:
            message = leaving.locked(session, message_id)
            message.sent_at, message.leaves_at = now(), None
            outbound.set_status(session, message, MessageStatus.SENT)
            if refused:
                message.bounced_at, message.bounce_permanent = now(), True
                message.bounce_recipients = [recipient for recipient, _ in refused]
                message.bounce_reason = refused[0][1]
        return Next(Way.DONE)

    def _failed(self, message_id: str, reason: str) -> Next:
        with self._database.session() as session:
            leaving.fail(
                session, leaving.locked(session, message_id), f"The SMTP provider refused it: {reason}"
            )
        return Next(Way.DONE)

    def _later(self, message_id: str, why: str) -> Next:
        """Nothing has left: try again with a growing pause, for a day."""
        with self._database.session() as session:
            message: Message = leaving.locked(session, message_id)
            message.send_asked_at = None
            waited = now() - message.created_at
            if waited > TRY_FOR:
                leaving.fail(session, message, f"Given up after a day. {why}")
                return Next(Way.DONE)
            pause = min(max(timedelta(seconds=2), waited), LONGEST_PAUSE)
            outbound.set_status(session, message, MessageStatus.QUEUED, why)
            message.leaves_at = now() + pause
        return Next(Way.WAIT, now() + pause, "the SMTP provider")
