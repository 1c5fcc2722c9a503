"""A message leaves through the location's SMTP provider: once, or its outcome is shown as unknown (S25, S27)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from activities.answers import write_down
from activities.composing import Composer
from crm import leaving, notices, outbound, senders
from crm.addresses import domain_of
from crm.leaving import Next, Way
from delivery.connections import Connections
from delivery.pacing import DomainPace
from delivery.smtp import (
    OutcomeUnknown,
    Provider,
    ProviderMisconfigured,
    ProviderRefused,
    ProviderUnreachable,
    RefusedRecipient,
)
from mail.bounce import Bounce
from mail.bouncereading import status_in
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
        pace: of these mails; campaigns have their own.
    """

    def __init__(
        self,
        database: Database,
        composer: Composer,
        provider_of: Callable[[Location], Provider],
        return_domain: str,
        pace: DomainPace,
    ) -> None:
        self._database = database
        self._composer = composer
        self._provider_of = provider_of
        self._return_domain = return_domain
        self._pace = pace
        self._connections = Connections(return_domain)

    def close(self) -> None:
        """Hang up on the providers."""
        self._connections.close()

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
            location = session.get_one(Location, message.location_id)
        try:
            provider = self._provider_of(location)
            return_path, recipients = self._address(one, location, provider)
            if (until := self._paced_until(provider, recipients)) is not None:
                return self._wait_for_turn(one, until)
            raw = self._composer.compose(one.message_id, through_gmail=False)
            with self._connections.to(provider) as connection:
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

    def _address(self, one: _Try, location: Location, provider: Provider) -> tuple[str, list[str]]:
        """Who it is from and to, and the ids by which answers (S8) and what comes back (S20) will be known."""
        with self._database.session() as session:
            message = self._ours(session, one)
            senders.settle(session, message, location, provider.address)
            if message.message_id_header is None:
                message.message_id_header = f"<{secrets.token_hex(16)}@{self._return_domain}>"
                # Lower case: some servers fold the case of a return path.
                message.stamp = secrets.token_hex(16)
            everyone = [person.email for person in outbound.recipients_of(session, message.id)]
            return f"bounce+{message.stamp}@{self._return_domain}", message.untaken or everyone

    def _paced_until(self, provider: Provider, recipients: list[str]) -> datetime | None:
        """When the domains of its recipients take more; None for now."""
        where = f"{provider.host}:{provider.port}"
        domains = dict.fromkeys(domain_of(recipient) for recipient in recipients)
        pause = max((self._pace.turn(where, domain) for domain in domains), default=0.0)
        return now() + timedelta(seconds=pause) if pause > 0 else None

    def _wait_for_turn(self, one: _Try, until: datetime) -> Next:
        with self._database.session() as session:
            message = self._ours(session, one)
            message.leaves_at = until
            if not message.untaken:
                words = "Waits its turn: mail to one domain leaves at a steady pace."
                outbound.set_status(session, message, MessageStatus.QUEUED, words)
        return Next(Way.WAIT, until, "the pace of the recipients' domains")

    def _unknown(self, session: Session, message: Message) -> Next:
        to = f" for {', '.join(message.untaken)}" if message.untaken else ""
        words = (
            f"The provider took it{to} and the answer was lost: it may have left. "
            "Mark it as sent, or discard it."
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

    def _sent(self, one: _Try, refused: list[RefusedRecipient]) -> Next:
        until: datetime | None = None

        def write(session: Session) -> None:
            nonlocal until
            message = leaving.locked(session, one.message_id)
            if not message.untaken:
                message.sent_at = now()
            message.untaken = [person.email for person in refused if not person.permanent]
            for person in refused:
                if person.permanent:
                    _bounce(session, message, [person.email], person.reason, permanent=True)
            why = next((person.reason for person in refused if not person.permanent), None)
            until = _for_the_others(session, message, why) if why is not None else None
            if until is None:
                _settle(session, message)

        write_down(self._database, write)
        return _next(until)

    def _failed(self, one: _Try, reason: str) -> Next:
        def write(session: Session) -> None:
            message = self._ours(session, one)
            if message.untaken:
                _give_up_others(session, message, reason, permanent=True)
                _settle(session, message)
            else:
                leaving.fail(session, message, reason)

        write_down(self._database, write)
        return Next(Way.DONE)

    def _later(self, one: _Try, why: str) -> Next:
        """Nothing has left: try again with a growing pause, for a day."""
        until: datetime | None = None

        def write(session: Session) -> None:
            nonlocal until
            message = self._ours(session, one)
            message.send_asked_at = None
            if message.untaken:
                until = _for_the_others(session, message, why)
                if until is None:
                    _settle(session, message)
                return
            until = _next_try(message)
            if until is None:
                leaving.fail(session, message, f"Given up after a day. {why}")
                return
            outbound.set_status(session, message, MessageStatus.QUEUED, why)
            message.leaves_at = until

        write_down(self._database, write)
        return _next(until)


def _next(until: datetime | None) -> Next:
    return Next(Way.WAIT, until, "the SMTP provider") if until else Next(Way.DONE)


def _next_try(message: Message) -> datetime | None:
    """After a pause that grows with the time since the first try; None where that was for a day."""
    message.tried_since = message.tried_since or now()
    waited = now() - message.tried_since
    return None if waited > TRY_FOR else now() + min(max(FIRST_PAUSE, waited), LONGEST_PAUSE)


def _for_the_others(session: Session, message: Message, why: str) -> datetime | None:
    """It has left for some; when it is tried again for the rest alone, None where they are given up."""
    until = _next_try(message)
    if until is None:
        _give_up_others(session, message, f"Given up after a day. {why}", permanent=False)
        return None
    message.send_asked_at, message.leaves_at = None, until
    rest = ", ".join(message.untaken)
    words = f"It has left for the others; for {rest} it is tried again by itself: {why}"
    outbound.set_status(session, message, MessageStatus.SENDING, words)
    return until


def _give_up_others(session: Session, message: Message, reason: str, *, permanent: bool) -> None:
    rest, message.untaken = message.untaken, []
    _bounce(session, message, rest, reason, permanent=permanent)


def _bounce(
    session: Session, message: Message, recipients: list[str], reason: str, *, permanent: bool
) -> None:
    told = Bounce(tuple(recipients), (), permanent, status_in(reason), reason, delayed=False)
    notices.came_back(session, message, told, now())


def _settle(session: Session, message: Message) -> None:
    """The provider has said all that it will say; a notice of another server may have been quicker."""
    message.leaves_at = None
    if message.bounced_at is not None:
        outbound.set_status(session, message, MessageStatus.BOUNCED, message.bounce_reason)
    elif message.status != MessageStatus.DELAYED:
        outbound.set_status(session, message, MessageStatus.SENT)
