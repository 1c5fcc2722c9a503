"""Forwards (S18): is this mail one, and who wrote what it forwards.

A person's mail is a forward when the first thing that it carries below the writer's words is a forwarded
mail: a forward marker, an attached mail, or a header block or "original message" line under a forward's
subject prefix. A reply that quotes a forward is none, since its first splitter is the reply's own. A
machine's mail never is one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mail import autoreply, bounce, htmltext, notices
from mail.bodylines import body_lines
from mail.labels import AMBIGUOUS_FORWARD_PREFIXES, FORWARD_PREFIXES, REPLY_PREFIXES, fold, label, plain
from mail.message import Address, Mail
from mail.replylines import (
    DASHES,
    attribution_start,
    block_below,
    dashed_phrase,
    header_block,
    is_forward_marker,
    is_quoted,
    is_rule,
    is_telling,
    is_titled_block,
    splitter,
)
from mail.replymarks import MAX_LOOKED

MAX_LINES = 3000
"""Lines of a body in which the first splitter is looked for."""
MAX_TEXT = 300_000
MAX_QUOTE_LINES = 2
"""Lines of a quote that may introduce it: "Message du 03/06/24", then the header block."""

_PREFIX = re.compile(
    r"^\s*(?:\[[^\]]{1,40}\]\s*)?\[?([^\s:：\[\]()]{1,20}(?: [^\s:：\[\]()]{1,12}){0,2}?)(?:\[\d{1,3}\]"
    r"|\(\d{1,3}\))?\s?[:：]"
)
_NAMED = re.compile(
    r"^[\"'«»“”]*(.*?)[\"'«»“”]*\s*[<\[(]\s*(?:mailto:\s*)?([^\s<>\[\]()]+@[^\s<>\[\]()]+?)\s*[>\])]"
)
_QUOTED_NAME = re.compile(r"\"([^\"]{1,120})\"")
_BARE = re.compile(r"[^\s<>\[\]()\"',;:]+@[^\s<>\[\]()\"',;:]+")


_DASHES_AND_LABEL = re.compile(
    r"^[\s>]*(?:[-_=]{2,60}[^-]{1,80}[-_=]{2,60})?\s*(?:[^\W\d_][\w .]{0,30}\s?[:：])?\s*",
)
_MARKER_STARTS = frozenset(" \t>-_=*~#+–—\ufeff")
_MARKER_ENDS = frozenset(" \t:：*\u202c\u200e")
_MARKER_LAST = frozenset(":：*\u202c\u200e")
_MAIL_FILES = (".eml", ".msg")
_FINNISH = frozenset({"lähettäjä", "lähettäjät"})


def subject_prefix(subject: str) -> str | None:
    """The first prefix of a subject, folded ("fwd" of "Fwd: Re: x"); None where it has none that is known."""
    found = _PREFIX.match(plain(subject)[:80])
    if found is None:
        return None
    word = fold(found[1])
    return word if word in FORWARD_PREFIXES or word in REPLY_PREFIXES else None


def is_forward(mail: Mail) -> bool:
    """Is the mail a forward that a person sent?

    Works on headers alone too, as far as they tell (subject, Thunderbird's X-Forwarded-Message-Id). Never
    raises.
    """
    return _reads_as_forward(mail) and bounce.read(mail) is None and not _is_machine(mail)


def is_forward_given(mail: Mail, found: bounce.Bounce | None) -> bool:
    """As `is_forward`, where `bounce.read` has been asked already."""
    return found is None and _reads_as_forward(mail) and not _is_machine(mail)


def _reads_as_forward(mail: Mail) -> bool:
    prefix = subject_prefix(mail.subject)
    forwards = prefix is not None and prefix in FORWARD_PREFIXES
    text = _text(mail)
    if not forwards and not mail.embedded and not _holds_marker(text):
        return "x-forwarded-message-id" in mail.headers and prefix is None
    lines = _lines(text)
    first = _first_splitter(lines)
    if first.kind == "marker":
        return forwards or first.block is not None or _names_someone(lines, first.at) or bool(mail.embedded)
    if first.kind == "titled":
        return forwards or prefix is None
    if first.kind == "block":
        return forwards and not (prefix == "vs" and first.from_label in _FINNISH)
    if first.kind == "reply":
        # Outlook for Mac forwards with a who-wrote line; a reply that quotes a forward holds that one's marker below.
        return forwards and not any(is_forward_marker(line) for line in lines[first.at :])
    if mail.embedded and not _is_report_or_digest(mail):
        return prefix is None or forwards
    if "x-forwarded-message-id" in mail.headers:
        return prefix is None or forwards
    if not forwards or prefix in AMBIGUOUS_FORWARD_PREFIXES:
        return False
    if any(attachment.filename.lower().endswith(_MAIL_FILES) for attachment in mail.attachments):
        return True
    # Without a header block the subject must do: where there is text, something in it must look quoted.
    return (
        not any(lines)
        or any(is_quoted(line) or is_rule(line) or dashed_phrase(line) for line in lines)
        or "<blockquote" in (mail.html or "")
    )


def _names_someone(lines: list[str], at: int) -> bool:
    """Does an address stand in or right below a marker? Without one it is only talked about."""
    return any("@" in line for line in lines[at : at + 6])


def _is_report_or_digest(mail: Mail) -> bool:
    return bool(mail.delivery_status) or any(
        content_type in {"multipart/report", "multipart/digest"} for content_type, _ in mail.parts_info
    )


def _holds_marker(text: str) -> bool:
    """A cheap first look: most mail holds no forward marker anywhere, and needs no reading line by line."""
    body = body_lines(text[:MAX_TEXT])
    lines = body.lines[:MAX_LINES]
    for at in body.telling:
        if at >= MAX_LINES:
            break
        stripped = body.stripped[at]
        if stripped[-1] not in _MARKER_LAST:
            if stripped[0] not in DASHES:
                continue
            if stripped[0] == ">":
                inner = stripped.lstrip("> \t")[:2]
                if not inner[:1].isspace() and (inner[:1] not in DASHES or inner[1:] not in DASHES):
                    continue
            elif stripped[1:2] not in DASHES:
                continue
        line = lines[at]
        if (line[:1] in _MARKER_STARTS or line[-1:] in _MARKER_ENDS) and (
            is_forward_marker(line) or is_titled_block(lines, at)
        ):
            return True
    return False


def original_sender(mail: Mail) -> Address | None:
    """Who wrote the mail that this one forwards: from its header block or the attached mail; None if it
    does not say.
    """
    lines = _lines(_text(mail))
    first = _first_splitter(lines)
    if first.kind is not None:
        roles = header_block(lines, first.block) if first.block is not None else None
        if roles and "from" in roles:
            return _address(roles["from"])
        for line in lines[first.at : first.at + 6]:
            found = _address(_DASHES_AND_LABEL.sub("", plain(line)))
            if found is not None:
                return found
    for embedded in mail.embedded:
        value = embedded.headers.get("from")
        if value:
            return _address(value)
    return None


def _is_machine(mail: Mail) -> bool:
    return notices.is_limit_notice(mail) or autoreply.is_receipt(mail) or autoreply.is_auto_reply(mail)


def _text(mail: Mail) -> str:
    if mail.text and not mail.text.isspace():
        return mail.text
    return htmltext.text_of(mail.html) if mail.html else ""


def _lines(text: str) -> list[str]:
    return list(body_lines(text[:MAX_TEXT]).lines[:MAX_LINES])


@dataclass(frozen=True, slots=True)
class _Splitter:
    """What ends the writer's own words, where, and where its header block starts.

    kind: `marker` of a forward, `titled` block in unknown words, `block` of headers, who-wrote line of a
    `reply`.
    """

    kind: str | None
    at: int = 0
    block: int | None = None
    from_label: str = ""


def _first_splitter(lines: list[str]) -> _Splitter:
    in_quote = 0
    looked = 0
    for at, line in enumerate(lines):
        if not line or line.isspace():
            continue
        if not is_telling(line):
            in_quote = 0
            continue
        quoted = is_quoted(line)
        in_quote = in_quote + 1 if quoted else 0
        if in_quote > MAX_QUOTE_LINES:
            continue
        opened = splitter(lines, at)
        if opened == "forward":
            return _Splitter("marker", at, block_below(lines, at))
        if opened is not None:
            block = at if header_block(lines, at) is not None else block_below(lines, at)
            return _Splitter("block", at, block, _from_label(lines, block))
        if is_titled_block(lines, at):
            return _Splitter("titled", at, block_below(lines, at))
        if looked == MAX_LOOKED:
            continue
        looked += 1
        own = [piece.lstrip("> ") for piece in lines[max(0, at - 5) : at + 1]] if quoted else lines
        if attribution_start(own, len(own) - 1 if quoted else at) is not None:
            return _Splitter("reply", at)
    return _Splitter(None)


def _from_label(lines: list[str], block: int | None) -> str:
    for line in lines[block : block + 8] if block is not None else ():
        found = label(plain(line).lstrip("> "))
        if found is not None and found[0] == "from":
            return fold(plain(line).lstrip("> ").split(":", 1)[0].strip())
    return ""


def _address(value: str) -> Address | None:
    value = plain(value)[:400]
    found = _NAMED.match(value)
    if found is not None:
        return Address(_name(found[1]), found[2].removeprefix("mailto:").strip("<>"))
    bare = _BARE.search(value)
    if bare is not None:
        return Address(_name(value[: bare.start()]), bare[0].rstrip("."))
    return None


def _name(text: str) -> str:
    """The name in front of an address, without the date that a who-wrote line puts before it."""
    quoted = _QUOTED_NAME.search(text)
    if quoted is not None:
        return quoted[1].strip()
    last = text.rpartition(",")[2] if re.search(r"\d", text) else text
    return last.strip(" <[(\"'") if not re.search(r"\d", last) else ""
