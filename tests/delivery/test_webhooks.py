"""Where webhooks may go, how they are signed, and what counts as taken."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from delivery.webhooks import ConsumerFailed, NotAllowed, WebhookSender, is_public, sign

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
DOCUMENT = {"id": "17", "type": "contact.created", "at": "2026-01-01T00:00:00Z", "data": {"name": "Zoë"}}
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"),
        *("224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1"),
        *("::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
    ],
)
def test_addresses_that_are_not_public_are_known(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_are_known(address: str) -> None:
    assert is_public(address)


def test_a_webhook_is_signed_as_standard_webhooks_says() -> None:
    signed = sign(DOCUMENT, SECRET)
    assert Webhook(SECRET).verify(signed.body.decode(), signed.headers) == DOCUMENT
    assert signed.headers["webhook-id"] == "17"


def test_a_changed_body_another_secret_and_an_old_one_do_not_verify() -> None:
    signed = sign(DOCUMENT, SECRET)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(signed.body.decode().replace("Zoë", "Eve"), signed.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 32).verify(signed.body.decode(), signed.headers)
    old = sign(DOCUMENT, SECRET, at=datetime.now(UTC) - timedelta(hours=1))
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(old.body.decode(), old.headers)


@asynccontextmanager
async def consumer(answer: Answer) -> AsyncIterator[str]:
    """A server that does with each connection what the test says."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    finally:
        server.close()


def answering(head: str, seen: list[bytes] | None = None) -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head_in = await reader.readuntil(b"\r\n\r\n")
        length = int(head_in.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        if seen is not None:
            seen.append(body)
        writer.write(head.encode().replace(b"\n", b"\r\n") + b"\r\n\r\n")
        await writer.drain()

    return answer


@asynccontextmanager
async def sending(*, allow_private: bool = True, timeout_s: float = 5) -> AsyncIterator[WebhookSender]:
    sender = WebhookSender(allow_private=allow_private, timeout_s=timeout_s)
    try:
        yield sender
    finally:
        await sender.close()


async def test_any_2xx_is_taken() -> None:
    seen: list[bytes] = []
    async with consumer(answering("HTTP/1.1 204 No Content", seen)) as url, sending() as sender:
        await sender.post(url, sign(DOCUMENT, SECRET))
    assert json.loads(seen[0]) == DOCUMENT


@pytest.mark.parametrize(
    ("head", "status", "retry_after_s"),
    [
        ("HTTP/1.1 500 Oops\ncontent-length: 0", 500, None),
        ("HTTP/1.1 429 Slow\nretry-after: 120\ncontent-length: 0", 429, 120.0),
        ("HTTP/1.1 503 Away\nretry-after: Wed, 21 Oct 2015 07:28:00 GMT\ncontent-length: 0", 503, 0.0),
        ("HTTP/1.1 503 Away\nretry-after: soon\ncontent-length: 0", 503, None),
        ("HTTP/1.1 410 Gone\ncontent-length: 0", 410, None),
    ],
)
async def test_what_is_not_2xx_is_not_taken(head: str, status: int, retry_after_s: float | None) -> None:
    async with consumer(answering(head)) as url, sending() as sender:
        with pytest.raises(ConsumerFailed) as failed:
            await sender.post(url, sign(DOCUMENT, SECRET))
    assert (failed.value.status, failed.value.retry_after_s) == (status, retry_after_s)


async def test_a_redirect_is_not_followed() -> None:
    led_to: list[bytes] = []
    async with consumer(answering("HTTP/1.1 200 OK\ncontent-length: 0", led_to)) as inner:
        head = f"HTTP/1.1 302 Found\nlocation: {inner}\ncontent-length: 0"
        async with consumer(answering(head)) as url, sending() as sender:
            with pytest.raises(ConsumerFailed, match="302"):
                await sender.post(url, sign(DOCUMENT, SECRET))
    assert led_to == []


async def test_a_consumer_that_answers_byte_by_byte_is_left_in_time() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.05)

    async with consumer(drip) as url, sending(timeout_s=0.5) as sender:
        with pytest.raises(ConsumerFailed, match="no answer within"):
            await asyncio.wait_for(sender.post(url, sign(DOCUMENT, SECRET)), 10)


async def test_nobody_there_is_a_failure_of_the_consumer() -> None:
    async with consumer(answering("HTTP/1.1 200 OK")) as url:
        pass
    async with sending() as sender:
        with pytest.raises(ConsumerFailed, match="cannot be reached"):
            await sender.post(url, sign(DOCUMENT, SECRET))


async def test_private_addresses_are_refused_before_anything_is_sent() -> None:
    asked: list[bytes] = []
    async with (
        consumer(answering("HTTP/1.1 200 OK\ncontent-length: 0", asked)) as url,
        sending(allow_private=False) as sender,
    ):
        for target in (
            url,
            url.replace("127.0.0.1", "localhost"),
            url.replace("127.0.0.1", "2130706433"),
        ):
            with pytest.raises(NotAllowed):
                await sender.post(target, sign(DOCUMENT, SECRET))
    assert asked == []


async def test_the_address_that_was_looked_at_is_the_one_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = [("93.184.215.14", 80), ("127.0.0.1", 80)]
    asked: list[str] = []

    async def rebinding(self: asyncio.AbstractEventLoop, host: str, port: int, **_: object) -> list[object]:
        asked.append(host)
        return [(2, 1, 6, "", answers[min(len(asked), 2) - 1])]

    connected: list[str] = []

    async def connect(self: object, host: str, *_: object) -> None:
        connected.append(host)
        raise OSError("no network here")

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", rebinding)
    monkeypatch.setattr("httpcore.AnyIOBackend.connect_tcp", connect)
    async with sending(allow_private=False) as sender:
        with pytest.raises(ConsumerFailed):
            await sender.post("http://rebind.example/hook", sign(DOCUMENT, SECRET))
    assert asked == ["rebind.example"]
    assert connected == ["93.184.215.14"]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x.example/", "http://", "gopher://x.example/"])
async def test_only_http_and_https_are_spoken(url: str) -> None:
    async with sending() as sender:
        with pytest.raises(NotAllowed):
            await sender.post(url, sign(DOCUMENT, SECRET))
