"""Fills mailboxes with made-up mail, for benchmarks."""

from __future__ import annotations

import random
from functools import cache

from devstack.gmail.content import Content
from devstack.gmail.mailbox import Mailbox, Message
from devstack.gmail.threads import find_thread
from devstack.gmail.world import World

WORDS = (
    "offer",
    "price",
    "meeting",
    "contract",
    "question",
    "sample",
    "order",
    "date",
    "team",
    "visit",
    "product",
)


@cache
def sample_texts(size: int) -> list[str]:
    """Some texts of about `size` bytes."""
    source = random.Random(size)
    return [" ".join(source.choice(WORDS) for _ in range(size // 6)) for _ in range(50)]


def fill(
    mailbox: Mailbox, count: int, senders: list[str], *, seed: int = 1, text_bytes: int = 600
) -> list[Message]:
    """Put `count` mails from the senders in turn into a mailbox, a third of them answers in threads."""
    source = random.Random(seed)
    made: list[Message] = []
    start = mailbox.clock.now_ms() - count * 1000
    texts = sample_texts(text_bytes)
    last = ""
    subject = ""
    for i in range(count):
        sender = senders[i % len(senders)]
        answers = last and source.random() < 0.33
        if not answers:
            subject = " ".join(source.choice(WORDS) for _ in range(4))
        own = f"<{mailbox.sub}.{seed}.{i}@fill.example>"
        thread_headers = f"In-Reply-To: {last}\r\nReferences: {last}\r\n" if answers else ""
        raw = (
            f"From: {sender}\r\nTo: {mailbox.email}\r\nSubject: {'Re: ' if answers else ''}{subject}\r\n"
            f"Message-ID: {own}\r\n{thread_headers}Date: Mon, 02 Feb 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n"
            f"Content-Type: text/plain; charset=utf-8\r\n\r\n{i} {source.choice(texts)}\r\n"
        )
        content = Content(raw.encode())
        thread = find_thread(mailbox, content) if answers else None
        made.append(
            mailbox.add(content, ("INBOX", "UNREAD"), thread_id=thread, internal_date=start + i * 1000)
        )
        last = own
    return made


def open_many(
    world: World,
    count: int,
    *,
    prefix: str,
    domain: str,
    messages: int,
    senders: list[str],
    history_start: int = 0,
) -> list[str]:
    """Open `count` accounts `<prefix><n>@<domain>` with some mail each; returns the addresses."""
    opened = []
    for i in range(count):
        mailbox = world.create_mailbox(f"{prefix}{i}@{domain}", history_start=history_start)
        fill(mailbox, messages, senders, seed=i)
        opened.append(mailbox.email)
    return opened
