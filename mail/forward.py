"""Forwards (S18): is this mail one, and who wrote what it forwards.

A person's mail is a forward when the first thing that it carries below the writer's words is a forwarded
mail: a forward marker, an attached mail, or a header block or "original message" line under a forward's
subject prefix. A reply that quotes a forward is none, since its first splitter is the reply's own. A
machine's mail never is one.
"""

from __future__ import annotations

import re

from mail import autoreply, bounce, htmltext, notices
from mail.labels import (
    AMBIGUOUS_FORWARD_PREFIXES,
    FORWARD_PREFIXES,
    REPLY_PREFIXES,
    Role,
    fold,
    plain,
)
from mail.message import Address, Mail
from mail.replylines import (
    attribution_start,
    header_block,
    is_forward_marker,
    is_original_message,
    is_quoted,
    is_rule,
)

MAX_LINES = 3000
"""Lines of a body in which the first splitter is looked for."""
MAX_TEXT = 300_000

_PREFIX = re.compile(
    r"^\s*(?:\[[^\]]{1,40}\]\s*)?([^\s:：\[\]()]{1,20}(?: [^\s:：\[\]()]{1,12}){0,2}?)(?:\[\d{1,3}\]"
    r"|\(\d{1,3}\))?\s?[:：]"
)
_NAMED = re.compile(
    r"^[\"'«»“”]*(.*?)[\"'«»“”]*\s*[<\[(]\s*(?:mailto:\s*)?([^\s<>\[\]()]+@[^\s<>\[\]()]+?)\s*[>\])]"
)
_BARE = re.compile(r"[^\s<>\[\]()\"',;:]+@[^\s<>\[\]()\"',;:]+")


def subject_prefix(subject: str) -> str | None:
    """The first prefix of a subject, folded ("fwd" of "Fwd: Re: x"); None where it has none that is known."""
    found = _PREFIX.match(plain(subject)[:80])
    if found is None:
        return None
    word = fold(found[1])
    return word if word in FORWARD_PREFIXES or word in REPLY_PREFIXES else None


def is_forward(mail: Mail) -> bool:
    """Is the mail a forward that a person sent? Works on headers alone too, as far as they tell (subject,
    Thunderbird's id).
    """
    if _is_machine(mail):
        return False
    prefix = subject_prefix(mail.subject)
    forwards = prefix is not None and prefix in FORWARD_PREFIXES
    clearly = forwards and prefix not in AMBIGUOUS_FORWARD_PREFIXES
    text = _text(mail)
    kind, roles = _first_splitter(text)
    if kind == "marker":
        return True
    if kind == "reply":
        return False
    if kind == "block":
        return forwards and _block_agrees(prefix or "", roles)
    if mail.embedded and not mail.delivery_status and not mail.content_type.startswith("multipart/report"):
        return prefix is None or forwards
    if "x-forwarded-message-id" in mail.headers:
        return prefix is None or forwards
    return clearly


def original_sender(mail: Mail) -> Address | None:
    """Who wrote the mail that this one forwards: from its header block or the attached mail; None where it
    does not say.
    """
    lines = _lines(_text(mail))
    for at, line in enumerate(lines):
        if is_quoted(line) and not _all_quoted(lines, at):
            continue
        roles = header_block(lines, at)
        if roles and "from" in roles:
            return _address(roles["from"])
    for embedded in mail.embedded:
        value = embedded.headers.get("from")
        if value:
            return _address(value)
    return None


def _is_machine(mail: Mail) -> bool:
    return (
        bounce.read(mail) is not None
        or notices.is_limit_notice(mail)
        or autoreply.is_receipt(mail)
        or autoreply.is_auto_reply(mail)
    )


def _text(mail: Mail) -> str:
    if mail.text and mail.text.strip():
        return mail.text
    return htmltext.text_of(mail.html) if mail.html else ""


def _lines(text: str) -> list[str]:
    return text[:MAX_TEXT].replace("\r\n", "\n").replace("\r", "\n").split("\n")[:MAX_LINES]


def _all_quoted(lines: list[str], at: int) -> bool:
    """Is the line part of a forward that its client quoted as a whole, marker included?"""
    return not any(line.strip() and not is_quoted(line) for line in lines[:at])


def _first_splitter(text: str) -> tuple[str | None, dict[Role, str]]:
    """What ends the writer's own words: `marker` of a forward, `block` of headers, who-wrote line of a
    `reply`, or nothing.
    """
    lines = _lines(text)
    for at, line in enumerate(lines):
        if not line.strip():
            continue
        if is_quoted(line):
            stripped = line.lstrip("> ")
            if _all_quoted(lines, at) and is_forward_marker(stripped):
                return "marker", {}
            continue
        if is_forward_marker(line):
            return "marker", {}
        if is_original_message(line) or is_rule(line):
            below = at + 1
            while below < len(lines) and below < at + 4 and not lines[below].strip():
                below += 1
            roles = header_block(lines, below) if below < len(lines) else None
            if roles:
                return "block", roles
            if is_original_message(line):
                return "block", {}
            continue
        roles = header_block(lines, at)
        if roles:
            return "block", roles
        if attribution_start(lines, at) is not None:
            return "reply", {}
    return None, {}


def _block_agrees(prefix: str, roles: dict[Role, str]) -> bool:
    # "VS" forwards in Danish and Norwegian, and answers in Finnish: the labels tell the language.
    return not (prefix == "vs" and not roles)


def _address(value: str) -> Address | None:
    value = plain(value)[:400]
    found = _NAMED.match(value)
    if found is not None:
        return Address(found[1].strip(" \"'"), found[2].removeprefix("mailto:").strip("<>"))
    bare = _BARE.search(value)
    if bare is not None:
        name = value[: bare.start()].strip(" <[(\"'")
        return Address(name, bare[0].rstrip("."))
    return None
