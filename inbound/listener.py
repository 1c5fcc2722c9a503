"""The SMTP server on one port."""

from __future__ import annotations

import asyncio
import ssl

from inbound.certificate import server_context
from inbound.connection import Connection, Traffic
from inbound.handler import Handler
from inbound.safekeeping import Safekeeping
from settings import Settings

LARGEST_MAIL = 36_700_160
"""Bytes; told as SIZE in the greeting. As much as Gmail sends."""
MOST_HELD_BYTES = 512 * 2**20
"""Of mails that are still coming, in all connections."""


class Listener:
    """Takes connections from `start` to `stop`."""

    def __init__(self, settings: Settings, safekeeping: Safekeeping) -> None:
        self._settings = settings
        self._handler = Handler(safekeeping, settings)
        self._tls: ssl.SSLContext = server_context(
            settings.smtp_inbound_tls_certificate, settings.smtp_inbound_tls_key, settings.auto_bcc_domain
        )
        self._traffic = Traffic(
            settings.smtp_inbound_connections, settings.smtp_inbound_connections_per_peer, MOST_HELD_BYTES
        )
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
        self._handler.close()

    def _connection(self) -> Connection:
        return Connection(
            self._traffic,
            self._handler,
            data_size_limit=LARGEST_MAIL,
            enable_SMTPUTF8=True,
            hostname=self._settings.auto_bcc_domain,
            ident="mail listener",
            tls_context=self._tls,
            loop=asyncio.get_running_loop(),
        )
