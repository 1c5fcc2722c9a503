"""Webhooks out (Standard Webhooks): signed, to addresses that may be reached, and to nowhere else.

The name is resolved once and the connection goes to an address that was looked at: a name that answers
otherwise the second time (DNS rebinding) gains nothing. Redirects are not followed; of the answer only the
head is read.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpcore
from standardwebhooks.webhooks import Webhook

USER_AGENT = "crm-webhooks/1"
GONE = 410
LONGEST_REASON = 200


class ConsumerFailed(Exception):
    """The consumer did not take it; the text says why, for its owner.

    Attributes:
        status: HTTP status; None where there was no answer.
        retry_after_s: what the consumer asked for.
    """

    def __init__(self, reason: str, status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after_s = retry_after_s


class NotAllowed(ConsumerFailed):
    """The address leads to where webhooks must not go."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A webhook as it goes over the wire."""

    headers: dict[str, str]
    body: bytes


def sign(document: dict[str, Any], secret: str, *, at: datetime | None = None) -> Signed:
    """The body of an event and the three headers of the specification.

    Args:
        document: `{id, type, at, data}`; its id is the same at each try, so that a consumer can tell.
        secret: `whsec_...`.
    """
    moment = at or datetime.now(UTC)
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    message_id = str(document["id"])
    return Signed(
        headers={
            "content-type": "application/json",
            "user-agent": USER_AGENT,
            "webhook-id": message_id,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": Webhook(secret).sign(message_id, moment, body),
        },
        body=body.encode(),
    )


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public Internet; also of those that wrap one of IPv4."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


class _GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connects only to addresses that were looked at."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        last: Exception | None = None
        for address in await self._resolved(host, port):
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        assert last is not None
        raise last

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise NotAllowed("a webhook goes to no socket of this machine")

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)

    async def _resolved(self, host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise ConsumerFailed(f"the name {host[:LONGEST_REASON]} cannot be resolved") from None
        addresses = list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))
        if not self._allow_private and not all(is_public(address) for address in addresses):
            raise NotAllowed(
                f"{host[:LONGEST_REASON]} is not an address of the public Internet "
                "(WEBHOOKS_TO_PRIVATE_ADDRESSES)"
            )
        return addresses


class WebhookSender:
    """Posts webhooks; one pool of connections for a process, which no slow consumer can fill alone."""

    def __init__(self, *, allow_private: bool, timeout_s: float, tls: ssl.SSLContext | None = None) -> None:
        self._timeout_s = timeout_s
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or ssl.create_default_context(),
            max_connections=None,
            max_keepalive_connections=50,
            keepalive_expiry=30.0,
            network_backend=_GuardedNetwork(allow_private=allow_private),
        )

    async def post(self, url: str, signed: Signed) -> None:
        """Deliver one webhook.

        Raises:
            ConsumerFailed: it was not taken: no connection, no answer in time, or one that is not 2xx.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise NotAllowed("a webhook goes to an http or https address")
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._pool.stream(
                    "POST", url, headers=list(signed.headers.items()), content=signed.body
                ) as answer,
            ):
                status, headers = answer.status, {k.lower(): v for k, v in answer.headers}
        except TimeoutError:
            raise ConsumerFailed(f"no answer within {self._timeout_s:g} s") from None
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            raise ConsumerFailed(f"it cannot be reached ({type(error).__name__})") from error
        except (httpcore.UnsupportedProtocol, ValueError) as error:
            raise ConsumerFailed("its address cannot be used") from error
        if not 200 <= status < 300:
            asked = _retry_after(headers.get(b"retry-after", b"").decode("latin-1"))
            raise ConsumerFailed(f"it answered {status}", status, asked)

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()


def _retry_after(value: str) -> float | None:
    if value.isascii() and value.isdigit() and len(value) < 9:
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()) if value else None
    except (ValueError, TypeError):
        return None
