"""What the listener says at RCPT and after DATA (contract: "The auto-BCC SMTP listener")."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import structlog
from aiosmtpd.smtp import Envelope, Session

from inbound.authentication import UNKNOWN, Authentication, Verdict, authenticate, is_among, networks_of
from inbound.author import HeadTooLarge, author_of, is_automatic_answer
from inbound.connection import Connection
from inbound.rates import PerMinute, peer_of
from inbound.safekeeping import Mailbox, NotSafe, Purpose, Safekeeping
from settings import Settings

log = structlog.get_logger("inbound")

MOST_RECIPIENTS = 50
LOOKUPS_S = 15.0
LOOKUPS_AT_ONCE = 16
"""Threads of their own: a stranger's slow DNS server holds up nobody who asks the database."""
WORKING_S = 120.0
"""For looking at a mail that has come and keeping it."""
NULL_SENDER = frozenset({None, "", "<>"})
"""How aiosmtpd gives the empty reverse-path of a notice."""

SAFE = "250 2.0.0 The mail is safe"
AGAIN = "451 4.3.0 The mail is not safe yet; please try again"
NOT_KNOWN_NOW = "451 4.7.5 The sender of this mail cannot be authenticated now; please try again"
UNKNOWN_ADDRESS = "550 5.1.1 No such address here"
REPLACED = "550 5.1.6 This address was replaced by its owner; the new one is on the settings page of the CRM"
NOT_YOURS = "550 5.7.1 Only the owner of this address and colleagues may file mail with it"
NO_AUTHOR = "550 5.6.0 The mail must have one From line, with one address"
FORGED = "550 5.7.26 The sender cannot be authenticated: neither SPF nor DKIM speaks for the domain in From"
ONLY_NOTICES = "550 5.7.1 This address takes notices of mail servers and automatic answers only"
TOO_MANY = "450 4.7.1 Too many mails in a minute; please try again"
TOO_MANY_RECIPIENTS = "452 4.5.3 Too many recipients"
HEAD_TOO_LARGE = "552 5.3.4 The header of this mail is too large"


class Handler:
    """The hooks of aiosmtpd, for all connections."""

    def __init__(self, safekeeping: Safekeeping, settings: Settings) -> None:
        self._safekeeping = safekeeping
        self._strictness = settings.auto_bcc_authentication
        self._trusted = networks_of(settings.smtp_inbound_trusted_peers)
        self._of_peers = PerMinute(settings.smtp_inbound_mails_per_minute)
        self._of_addresses = PerMinute(settings.smtp_inbound_mails_per_minute)
        self._lookups = ThreadPoolExecutor(LOOKUPS_AT_ONCE, "authentication")

    def close(self) -> None:
        """Wait for nothing: look-ups under way belong to connections that are gone."""
        self._lookups.shutdown(wait=False, cancel_futures=True)

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's names
        self, server: Connection, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Nobody logs in here, so AUTH is not offered."""
        session.host_name = hostname
        return [line for line in responses if not line.startswith("250-AUTH")]

    async def handle_RCPT(  # noqa: N802
        self, server: Connection, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Only addresses of ours; nothing is relayed."""
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return TOO_MANY_RECIPIENTS
        if self._of_peers.too_many(peer_of(_peer(session))):
            return TOO_MANY
        try:
            mailbox = await self._safekeeping.find(address)
        except NotSafe:
            return AGAIN
        if mailbox is None:
            log.info("recipient_refused", peer=_peer(session))
            return UNKNOWN_ADDRESS
        if mailbox.purpose is Purpose.RETIRED:
            return REPLACED
        envelope.rcpt_tos.append(address)
        _mailboxes(envelope).append(mailbox)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Connection, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """250 once every copy is safe; what may not be filed is refused before anything is kept."""
        server.has_received(WORKING_S)
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        mailboxes = _mailboxes(envelope)
        ours = [mailbox for mailbox in mailboxes if mailbox.purpose is Purpose.AUTO_BCC]
        authentication: Authentication | None = None
        try:
            returned = len(ours) < len(mailboxes)
            # Out-of-office assistants answer to the return path (RFC 3834), some of them with a sender.
            has_sender = returned and envelope.mail_from not in NULL_SENDER
            if has_sender and not await asyncio.to_thread(is_automatic_answer, content):
                return ONLY_NOTICES
            if ours:
                author = await asyncio.to_thread(author_of, content)
                if author is None:
                    return NO_AUTHOR
                for mailbox in ours:
                    if not await self._safekeeping.may_file(mailbox, author):
                        log.warning("author_refused", user=mailbox.user_id, peer=_peer(session))
                        return NOT_YOURS
                authentication = await self._authenticate(session, envelope, content, author)
                if (refusal := self._judge(authentication)) is not None:
                    return refusal
            # Counted only now: what is refused uses up nobody's share.
            if any(self._of_addresses.too_many(mailbox.token) for mailbox in mailboxes):
                return TOO_MANY
            for mailbox in mailboxes:
                proof = authentication if mailbox in ours else None
                await self._safekeeping.keep(mailbox, content, proof.as_json() if proof is not None else {})
        except HeadTooLarge:
            return HEAD_TOO_LARGE
        except NotSafe as error:
            log.warning("not_safe", cause=str(error))
            return AGAIN
        return SAFE

    async def handle_exception(self, error: Exception) -> str:
        """A mistake of ours is no fault of the mail: it comes again."""
        log.error("session_failed", error=type(error).__name__)
        return AGAIN

    def _judge(self, authentication: Authentication | None) -> str | None:
        if authentication is None:
            return None
        verdict = authentication.verdict(self._strictness)
        if verdict is Verdict.TAKE:
            return None
        results = {"spf": authentication.spf, "dkim": authentication.dkim, "dmarc": authentication.dmarc}
        log.warning("authentication_refused", peer=authentication.peer, verdict=verdict.value, **results)
        return NOT_KNOWN_NOW if verdict is Verdict.AGAIN else FORGED

    async def _authenticate(
        self, session: Session, envelope: Envelope, content: bytes, author: str
    ) -> Authentication | None:
        if self._strictness == "off":
            return None
        peer = _peer(session)
        trusted = is_among(peer, self._trusted)

        def look() -> Authentication:
            return authenticate(
                content,
                author=author,
                peer=peer,
                helo=session.host_name or "",
                mail_from="" if envelope.mail_from in NULL_SENDER else str(envelope.mail_from),
                trusted=trusted,
            )

        try:
            running = asyncio.get_running_loop().run_in_executor(self._lookups, look)
            return await asyncio.wait_for(running, LOOKUPS_S)
        except TimeoutError:
            return replace(UNKNOWN, trusted=trusted, peer=peer)


def _mailboxes(envelope: Envelope) -> list[Mailbox]:
    found: list[Mailbox] | None = getattr(envelope, "mailboxes", None)
    if found is None:
        found = []
        envelope.mailboxes = found  # type: ignore[attr-defined]
    return found


def _peer(session: Session) -> str:
    return str(session.peer[0]) if session.peer else ""
