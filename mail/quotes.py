"""The new part of a reply, split from what it quotes.

Lines are marked one by one (text, quoted, splitter), then read once:

- What stands above a who-wrote line, a header block, an "original message" or a forward marker is new; what
  stands below is quoted, to the end, unless its lines carry ">": then only those are quoted and text below
  them is new (bottom posting).
- Quotes that the writer answers in between (text, quote, text, quote, text) stay in the new part: the
  answers mean nothing without them.
- Under a who-wrote line with nothing above it, lines without ">" are new: their writer answers below.
- Quoted lines at the end are quoted also without a who-wrote line; at the start without one they are the
  writer's choice and stay.
- Signatures: what follows the standard delimiter ("-- "), and "Sent from my phone" lines at the end, go to
  the quoted rest, as the field's test sets have it ("visible text"). A greeting with a name stays.

Every step is linear, and bodies are read up to `MAX_TEXT` characters and `MAX_LINES` lines; what lies
beyond is quoted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from mail import htmltext
from mail.bodylines import body_lines, lines_read
from mail.htmlquotes import split_html
from mail.message import Mail
from mail.replylines import attribution_start, is_quoted, splitter
from mail.replymarks import marks_of, with_own_lines
from mail.signatures import trailing_signature

__all__ = ["Split", "split", "split_html"]

MAX_TEXT = 1_000_000
"""Characters of a body that are split."""
MAX_LINES = 20_000
"""Lines of a body that are split."""


@dataclass(frozen=True, slots=True)
class Split:
    """The two parts of a body, each trimmed of blank lines around it."""

    new_text: str
    quoted_text: str


def split(body: str | Mail | None, html: str | None = None) -> Split:
    """New part and quoted rest of a plain-text body, or of its html where there is no plain text.

    Takes the text (and html), or a whole `Mail`. Never raises; linear in the length of the body.
    """
    if isinstance(body, Mail):
        return split(body.text, body.html)
    text = body or ""
    if text and not text.isspace():
        split_text = _split_text(text)
        return split_text if split_text.quoted_text or not html else _by_html(text, html) or split_text
    return (_by_html("", html) or _split_text(htmltext.text_of(html))) if html else Split("", "")


def _by_html(text: str, html: str) -> Split | None:
    """Cuts where the html's marks say: clients mark quotes there that the plain text does not show."""
    new_html, quoted_html = split_html(html, by_words=not text.strip())
    quoted = htmltext.text_of(quoted_html)
    if not quoted:
        return None
    if not text.strip():
        new = _split_text(htmltext.text_of(new_html))
        return Split(new.new_text, _trim(f"{new.quoted_text}\n{quoted}"))
    lines = text[:MAX_TEXT].split("\n")
    first = next((_bare(line) for line in quoted.split("\n") if _bare(line)), "")
    at = next((at for at, line in enumerate(lines) if first and _bare(line) == first), None)
    if at is None:
        return None
    new = _split_text("\n".join(lines[:at]))
    return Split(new.new_text, _trim("\n".join([new.quoted_text, *lines[at:]]) + text[MAX_TEXT:]))


def _bare(line: str) -> str:
    return " ".join(line.strip("> \t\r").split())


def _split_text(text: str) -> Split:
    beyond = text[MAX_TEXT:]
    body = body_lines(text[:MAX_TEXT])
    if len(body.lines) > MAX_LINES:
        beyond = "\n".join(body.lines[MAX_LINES:]) + beyond
        body = lines_read(body.lines[:MAX_LINES])
    if "wrote" in text:
        own_lines = with_own_lines(body.lines)
        if len(own_lines) != len(body.lines):
            body = lines_read(own_lines)
    lines = body.lines
    new = _new_lines(lines, marks_of(body))
    kept = lines if False not in new else [line for line, is_new in zip(lines, new, strict=True) if is_new]
    cut = trailing_signature(kept)
    if cut is not None and kept is lines:
        new[cut:] = [False] * (len(new) - cut)
    elif cut is not None:
        count = 0
        for at, is_new in enumerate(new):
            if is_new:
                new[at] = count < cut
                count += 1
    _drop_trailing_quotes(lines, new)
    edge = new.index(False) if False in new else len(new)
    if True not in new[edge:]:
        return Split(_trim("\n".join(lines[:edge])), _trim("\n".join(lines[edge:]) + beyond))
    own = "\n".join(_kept(lines, new))
    rest = "\n".join(line for line, is_new in zip(lines, new, strict=True) if not is_new)
    return Split(_trim(own), _trim(rest + beyond))


def _kept(lines: Sequence[str], new: list[bool]) -> list[str]:
    """The new lines; where a quote between them went, the blank lines on both sides of it become one."""
    kept: list[str] = []
    gap = False
    for line, is_new in zip(lines, new, strict=True):
        if not is_new:
            gap = True
            continue
        if gap and kept and not line.strip() and not kept[-1].strip():
            continue
        gap = False
        kept.append(line)
    return kept


def _drop_trailing_quotes(lines: Sequence[str], new: list[bool]) -> None:
    """Quoted lines that end the new part, once a signature below them is gone, are quoted too."""
    at = len(lines) - 1
    while at >= 0 and (not new[at] or not lines[at].strip() or is_quoted(lines[at])):
        at -= 1
    if at < 0:
        return
    new[at + 1 :] = [False] * (len(lines) - at - 1)


def _trim(text: str) -> str:
    return text.strip("\n \t\u00a0\u200b\ufeff")


def _new_lines(lines: Sequence[str], marks: str) -> list[bool]:
    """For each line, whether it belongs to the new part."""
    size = len(lines)
    hard = marks.find("h")
    soft = marks.find("s")
    if hard < 0 and soft < 0:
        return _without_attribution(lines, marks)
    if hard >= 0 and (soft < 0 or hard < soft) and not _quote_follows(marks, hard):
        return _quoted_edge(marks, hard)
    first = soft if hard < 0 else hard if soft < 0 else min(hard, soft)
    after = first
    while (after < size and marks[after] in "se") or after == first:
        after += 1
    if after >= size or marks[after] != "m":
        if marks[first] == "s" and "t" not in marks[:first] and "m" not in marks:
            return [mark != "s" for mark in marks]
        return _quoted_edge(marks, first)
    # Quoted lines with ">" follow: they end where text begins again.
    new = [True] * size
    blocks = _quoted_blocks(marks, first)
    texts_between = sum(1 for (_, end), (begin, _) in pairwise(blocks) if "t" in marks[end:begin])
    if texts_between:
        last_end = blocks[-1][1]
        if "t" in marks[last_end:]:
            return new
        begin = blocks[-1][0]
        for at in range(begin, size):
            new[at] = False
        return new
    for begin, end in blocks:
        for at in range(begin, end):
            new[at] = False
    return new


def _quoted_edge(marks: str, first: int) -> list[bool]:
    """Everything from the splitter on is quoted, and quoted lines that end the part above it are too."""
    new = [at < first for at in range(len(marks))]
    at = first - 1
    while at >= 0 and marks[at] in "em":
        new[at] = False
        at -= 1
    return new


def _quote_follows(marks: str, at: int) -> bool:
    below = at + 1
    while below < len(marks) and marks[below] in "eh":
        below += 1
    return below < len(marks) and marks[below] == "m"


def _quoted_blocks(marks: str, first: int) -> list[tuple[int, int]]:
    """Runs of splitter and quoted lines from `first` on; a splitter without ">" below takes all that
    follows.
    """
    blocks: list[tuple[int, int]] = []
    at = first
    size = len(marks)
    while at < size:
        if marks[at] not in "shm":
            at += 1
            continue
        begin = at
        end = at
        quoted = False
        while at < size and marks[at] in "shme":
            quoted = quoted or marks[at] == "m"
            if marks[at] != "e":
                end = at + 1
            at += 1
        if not quoted and at < size:
            end = at = size
        blocks.append((begin, end))
    return blocks


def _without_attribution(lines: Sequence[str], marks: str) -> list[bool]:
    """No splitter at all: quoted lines at the end are quoted; others stay, for the writer put them there."""
    size = len(marks)
    end = size
    while end > 0 and marks[end - 1] in "em":
        end -= 1
    if "m" not in marks[end:] or (end == 0 and not _quotes_a_mail(lines)):
        return [True] * size
    return [at < end for at in range(size)]


def _quotes_a_mail(lines: Sequence[str]) -> bool:
    """Does the first quoted line say who wrote what follows?"""
    first = next((line.lstrip("> ") for line in lines if line.strip("> ")), "")
    return splitter([first], 0) is not None or attribution_start([first], 0) is not None
