"""The SMTP listener: what it says at each command (contract: "The auto-BCC SMTP listener")."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import defaultdict, deque
from typing import Any

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from inbound.authentication import Resolver, authenticate
from inbound.certificate import server_context
from inbound.safekeeping import Mailbox, NotSafe, Purpose, Safekeeping
from mail.parse import parse
from settings import Settings

log = structlog.get_logger("inbound")

LARGEST_MAIL = 36_700_160
"""Bytes; told as SIZE in the greeting. As much as Gmail sends."""
SLOW_CLIENT_S = 60.0
"""A client that says nothing for so long is hung up on."""
COMMANDS_IN_A_SESSION = 200
MOST_RECIPIENTS = 50
LOOKUPS_S = 15.0
NULL_SENDER = frozenset({None, "", "<>"})
"""How aiosmtpd gives the empty reverse-path of a notice."""
MINUTE_S = 60.0

AGAIN = "451 4.3.0 The mail is not safe yet; please try again"
UNKNOWN = "550 5.1.1 No such address here"
REPLACED = "550 5.1.6 This address was replaced by its owner; the new one is on the settings page of the CRM"
NOT_YOURS = "550 5.7.1 Only the owner of this address and colleagues may file mail with it"
ONLY_NOTICES = "550 5.7.1 This address takes notices of mail servers only"
TOO_MANY = "450 4.7.1 Too many mails in a minute; please try again"


class Handler:
    """The hooks of aiosmtpd, for all connections."""

    def __init__(self, safekeeping: Safekeeping, settings: Settings, resolver: Resolver | None) -> None:
        self._safekeeping = safekeeping
        self._authentication = settings.auto_bcc_authentication
        self._per_minute = settings.smtp_inbound_mails_per_minute
        self._resolver = resolver
        self._given: dict[str, deque[float]] = defaultdict(deque)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Only addresses of ours; nothing is relayed."""
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        try:
            mailbox = await self._safekeeping.find(address)
        except NotSafe:
            return AGAIN
        if mailbox is None:
            log.info("recipient_refused", peer=_peer(session))
            return UNKNOWN
        if mailbox.purpose is Purpose.RETIRED:
            return REPLACED
        if mailbox.purpose is Purpose.CAMPAIGN_RETURN and envelope.mail_from not in NULL_SENDER:
            return ONLY_NOTICES
        if self._too_many(f"peer {_peer(session)}") or self._too_many(f"address {mailbox.token}"):
            return TOO_MANY
        envelope.rcpt_tos.append(address)
        _mailboxes(envelope).append(mailbox)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """250 once every copy is safe; what may not be filed is refused before anything is kept."""
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        mailboxes = _mailboxes(envelope)
        try:
            author = _author(content)
            for mailbox in mailboxes:
                if mailbox.purpose is Purpose.AUTO_BCC and not await self._safekeeping.may_file(
                    mailbox, author
                ):
                    log.warning("author_refused", user=mailbox.user_id, peer=_peer(session))
                    return NOT_YOURS
            authentication = await self._authenticate(session, envelope, content)
            if (
                self._authentication == "strict"
                and any(mailbox.purpose is Purpose.AUTO_BCC for mailbox in mailboxes)
                and authentication.get("dmarc") != "pass"
            ):
                log.warning("authentication_refused", peer=_peer(session), dmarc=authentication.get("dmarc"))
                return "550 5.7.26 The sender of this mail cannot be authenticated (DMARC)"
            for mailbox in mailboxes:
                await self._safekeeping.keep(mailbox, content, authentication)
        except NotSafe as error:
            log.warning("not_safe", cause=str(error))
            return AGAIN
        return "250 2.0.0 The mail is safe"

    async def _authenticate(self, session: Session, envelope: Envelope, content: bytes) -> dict[str, Any]:
        if self._authentication == "off":
            return {}
        try:
            return await asyncio.wait_for(
                asyncio.to_thread(
                    authenticate,
                    content,
                    peer=_peer(session),
                    helo=session.host_name or "",
                    mail_from=envelope.mail_from or "",
                    resolver=self._resolver,
                ),
                LOOKUPS_S,
            )
        except TimeoutError:
            return {"spf": "temperror", "dkim": "temperror", "dmarc": "temperror"}

    def _too_many(self, whose: str) -> bool:
        now = time.monotonic()
        times = self._given[whose]
        while times and times[0] < now - MINUTE_S:
            times.popleft()
        if len(times) >= self._per_minute:
            return True
        times.append(now)
        if len(self._given) > 10_000:
            for name in [name for name, seen in self._given.items() if seen[-1] < now - MINUTE_S]:
                del self._given[name]
        return False


class Connection(SMTP):
    """One connection, counted by its peer."""

    def __init__(self, open_by_peer: dict[str, int], limit: int, handler: Handler, **options: Any) -> None:
        super().__init__(handler, **options)
        self._open_by_peer = open_by_peer
        self._limit = limit
        self._counted: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        address = transport.get_extra_info("peername")
        peer = str(address[0]) if address else ""
        over_tls = transport.get_extra_info("sslcontext") is not None
        if not over_tls and self._counted is None:
            if self._open_by_peer.get(peer, 0) >= self._limit:
                assert isinstance(transport, asyncio.WriteTransport)
                transport.write(b"421 4.7.0 Too many connections from you; please try again\r\n")
                transport.close()
                return
            self._counted = peer
            self._open_by_peer[peer] = self._open_by_peer.get(peer, 0) + 1
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._counted is not None:
            self._open_by_peer[self._counted] -= 1
            if not self._open_by_peer[self._counted]:
                del self._open_by_peer[self._counted]
            self._counted = None
        if self.session is not None:
            super().connection_lost(error)


class Listener:
    """The server on one port."""

    def __init__(
        self, settings: Settings, safekeeping: Safekeeping, resolver: Resolver | None = None
    ) -> None:
        self._settings = settings
        self._handler = Handler(safekeeping, settings, resolver)
        self._tls: ssl.SSLContext = server_context(
            settings.smtp_inbound_tls_certificate, settings.smtp_inbound_tls_key, settings.auto_bcc_domain
        )
        self._open_by_peer: dict[str, int] = {}
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Bind the port.

        Raises:
            OSError: the port is taken.
        """
        self._server = await asyncio.get_running_loop().create_server(
            self._connection, self._settings.smtp_inbound_host, self._settings.smtp_inbound_port, backlog=1024
        )

    async def stop(self) -> None:
        """Take no more connections."""
        assert self._server is not None
        self._server.close()

    def _connection(self) -> Connection:
        return Connection(
            self._open_by_peer,
            self._settings.smtp_inbound_connections_per_peer,
            self._handler,
            data_size_limit=LARGEST_MAIL,
            enable_SMTPUTF8=True,
            hostname=self._settings.auto_bcc_domain,
            ident="mail listener",
            tls_context=self._tls,
            timeout=SLOW_CLIENT_S,
            command_call_limit={"*": COMMANDS_IN_A_SESSION},
            loop=asyncio.get_running_loop(),
        )


def _mailboxes(envelope: Envelope) -> list[Mailbox]:
    found: list[Mailbox] | None = getattr(envelope, "mailboxes", None)
    if found is None:
        found = []
        envelope.mailboxes = found  # type: ignore[attr-defined]
    return found


def _peer(session: Session) -> str:
    return str(session.peer[0]) if session.peer else ""


def _author(content: bytes) -> str:
    """The address in From; empty where there is none or there are several."""
    head = content.partition(b"\r\n\r\n")[0]
    mail = parse(head + b"\r\n\r\n")
    return mail.from_[0].email if len(mail.from_) == 1 else ""
