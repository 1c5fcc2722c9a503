"""One SMTP connection: how long it may take and how much it may hold, so that nobody holds up the others."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Any, AnyStr

import structlog
from aiosmtpd.smtp import SMTP, syntax

from inbound.rates import peer_of

log = structlog.get_logger("inbound")
# aiosmtpd logs every line that a client says, addresses included.
logging.getLogger("mail.log").setLevel(logging.CRITICAL)

SLOW_CLIENT_S = 60.0
"""A client that says nothing for so long is hung up on."""
SLOW_CLIENT_UNDER_STRESS_S = 10.0
"""Once half of the connections are taken (as Postfix's "stress" behaviour)."""
SLOWEST_BYTES_S = 8192
"""A mail that comes slower than so many bytes a second runs out of its time."""
COMMANDS_IN_A_SESSION = {"MAIL": 200, "RCPT": 1000, "DATA": 200, "RSET": 200, "*": 20}
MOST_ERRORS = 30
"""Answers of the 500s in a session: noise, or somebody who guesses addresses (as Postfix's hard error limit)."""

TOO_MANY_CONNECTIONS = b"421 4.7.0 Too many connections from you; please try again\r\n"
FULL = b"421 4.3.2 Too many connections; please try again\r\n"
TOO_MANY_ERRORS = b"421 4.7.0 Too many errors\r\n"
TOO_MUCH = b"421 4.3.2 Too much mail at once; please try again\r\n"


class Traffic:
    """What all connections together take.

    Args:
        most, most_of_a_peer: connections.
        most_held: bytes of mails that are still coming; above it the largest is asked to come again.
    """

    def __init__(self, most: int, most_of_a_peer: int, most_held: int) -> None:
        self._most = most
        self._most_of_a_peer = most_of_a_peer
        self._most_held = most_held
        self._of_peers: Counter[str] = Counter()
        self._held: Counter[Connection] = Counter()
        self._all_held = 0

    @property
    def stressed(self) -> bool:
        """Are half of the connections taken?"""
        return self._of_peers.total() * 2 > self._most

    def enter(self, peer: str) -> bytes | None:
        """Count one more connection; what it is told where there is no room."""
        if self._of_peers[peer] >= self._most_of_a_peer:
            return TOO_MANY_CONNECTIONS
        if self._of_peers.total() >= self._most:
            return FULL
        self._of_peers[peer] += 1
        return None

    def leave(self, peer: str) -> None:
        """One less."""
        self._of_peers[peer] -= 1
        if not self._of_peers[peer]:
            del self._of_peers[peer]

    def hold(self, connection: Connection, size: int) -> None:
        """So many bytes more have come; over the limit the largest mail goes, so that small ones pass."""
        self._held[connection] += size
        self._all_held += size
        if self._all_held > self._most_held:
            largest, _ = self._held.most_common(1)[0]
            log.warning("too_much_mail_at_once", held=self._all_held)
            largest.hang_up(TOO_MUCH)

    def release(self, connection: Connection) -> None:
        """Its mail is through, or gone."""
        self._all_held -= self._held.pop(connection, 0)


class Connection(SMTP):
    """Refuses more than its peer may have, and runs out of time when it is slow."""

    line_length_limit = 131_072
    """Bytes. RFC 5321 allows 1,000; mail programs that do not care exist, and their users' mail is to arrive."""

    def __init__(self, traffic: Traffic, handler: Any, **options: Any) -> None:
        super().__init__(handler, timeout=SLOW_CLIENT_S, command_call_limit=COMMANDS_IN_A_SESSION, **options)
        self._traffic = traffic
        self._counted: str | None = None
        self._receiving = False
        self._until = 0.0
        self._errors = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._counted is None:  # not the same connection again, over TLS
            address = transport.get_extra_info("peername")
            peer = peer_of(str(address[0])) if address else ""
            refusal = self._traffic.enter(peer)
            if refusal is not None:
                assert isinstance(transport, asyncio.WriteTransport)
                transport.write(refusal)
                transport.close()
                return
            self._counted = peer
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._traffic.release(self)
        if self._counted is not None:
            self._traffic.leave(self._counted)
            self._counted = None
        if self.session is not None:
            super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        if self._receiving:
            self._traffic.hold(self, len(data))
            now = self.loop.time()
            earned = self._until - now + len(data) / SLOWEST_BYTES_S
            self._reset_timeout(min(earned, self._patience()))
        super().data_received(data)

    async def push(self, status: AnyStr) -> None:
        """Answer; after too many errors that was the last word."""
        await super().push(status)
        self._errors += status[:1] in ("5", b"5")
        if self._errors >= MOST_ERRORS:
            self.hang_up(TOO_MANY_ERRORS)

    def hang_up(self, words: bytes) -> None:
        """Say so, and close; nothing that came is kept."""
        self._receiving = False
        self._traffic.release(self)
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.write(words)
            self.transport.close()

    def has_received(self, time_s: float) -> None:
        """The mail is here, and what takes time now is our own work."""
        self._receiving = False
        self._reset_timeout(time_s)

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """A mail may take as long as it comes with SLOWEST_BYTES_S."""
        self._receiving = True
        try:
            await super().smtp_DATA(arg)
        finally:
            self._receiving = False
            self._traffic.release(self)

    @syntax("STARTTLS", when="tls_context")
    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802
        """Once in a connection."""
        if self._tls_protocol is not None:
            await self.push("503 5.5.1 TLS is on already")
            return
        await super().smtp_STARTTLS(arg)

    def _patience(self) -> float:
        return SLOW_CLIENT_UNDER_STRESS_S if self._traffic.stressed else SLOW_CLIENT_S

    def _reset_timeout(self, duration: float | None = None) -> None:
        duration = max(duration, 0.0) if duration is not None else self._patience()
        self._until = self.loop.time() + duration
        super()._reset_timeout(duration or 0.001)
