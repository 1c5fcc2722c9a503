"""A body read line by line into marks, which the splitting of text and of html share."""

from __future__ import annotations

from collections.abc import Sequence

from mail.bodylines import BodyLines
from mail.labels import LABELS, MAX_LABEL
from mail.replylines import (
    DASHES,
    attribution_start,
    introduces_block,
    is_quoted,
    is_titled_block,
    may_attribute,
    names_writer_between_angles,
    shared_attribution,
    splitter,
)

MAX_LOOKED = 300
"""Lines of one body that are looked at as who-wrote lines; mail has a few, a log with colons may have
thousands.
"""
MAX_OPENING = 1_000
"""Lines of one body that are looked at as the start of a forward or of a header block."""

_QUOTING = frozenset(">|&\ufeff")
_ENDING = frozenset(":：՝៖-–—…*_>])\u200e\u200f\u202a\u202b\u202c\u2068\u2069")


def with_own_lines(lines: Sequence[str]) -> list[str]:
    """Gives a who-wrote line that shares its line with the writer's words a line of its own."""
    result: list[str] = []
    for line in lines:
        at = shared_attribution(line) if "wrote" in line and not is_quoted(line) else None
        if at is None:
            result.append(line)
        else:
            result += [line[:at], line[at:].lstrip("- ")]
    return result


def marks_of(body: BodyLines) -> str:
    """One letter a line: `e` blank, `m` quoted, `s` who-wrote line, `h` hard splitter, `t` text."""
    lines = body.lines
    marks = ["t" if line else "e" for line in body.stripped]
    looked = opening = 0
    quoted = attributed = False
    for at in body.telling:
        line, stripped = lines[at], body.stripped[at]
        first, last = stripped[0], stripped[-1]
        if first in _QUOTING and is_quoted(line) and not (last in ":：" and _closes_attribution(lines, at)):
            if names_writer_between_angles(stripped):
                marks[at] = "s"
                attributed = True
                continue
            marks[at] = "m"
            quoted = True
            continue
        colon = stripped.find(":", 0, MAX_LABEL + 4)
        labelled = colon > 0 and (
            stripped[:colon].rstrip(" *]\t").lstrip("*[").lower() in LABELS or not line.isascii()
        )
        ending = last in _ENDING
        # A lone dash opens nothing (patches are full of them); an asterisk may stand before a label.
        dashed = first in DASHES and (first in "*>" or stripped[1:2] in DASHES)
        may_open = opening < MAX_OPENING and (
            labelled or dashed or ending or (colon < 0 and "：" in stripped)
        )
        opening += may_open
        if may_open and (splitter(lines, at) or is_titled_block(lines, at)):
            marks[at] = "h"
            above = at - 2 if at > 1 and marks[at - 1] == "e" else at - 1
            if above >= 0 and marks[above] == "t" and introduces_block(lines[above]):
                marks[above] = "s"
            if not attributed and not _quote_follows(lines, at):
                # What stands below is quoted, whatever it is.
                marks[at + 1 :] = ["e" if not line else "t" for line in body.stripped[at + 1 :]]
                break
        elif looked < MAX_LOOKED and (ending or "@" in line or first.isdigit()) and may_attribute(line):
            looked += 1
            start = attribution_start(lines, at)
            if start is not None:
                marks[start : at + 1] = "s" * (at + 1 - start)
                attributed = True
    if quoted:
        _join_wrapped_quotes(lines, marks)
    return "".join(marks)


def _closes_attribution(lines: Sequence[str], at: int) -> bool:
    """A ">" before a colon that closes the address of a wrapped who-wrote line, rather than quotes."""
    return len(lines[at]) < 40 and attribution_start(lines, at) is not None


def _join_wrapped_quotes(lines: Sequence[str], marks: list[str]) -> None:
    """A single unmarked line right between quoted ones is the rest of a quoted line that a client wrapped."""
    for at in range(1, len(lines) - 1):
        if marks[at] == "t" and marks[at - 1] == "m" and marks[at + 1] == "m":
            above = lines[at - 1].rstrip()
            line = lines[at].lstrip()
            wrapped = len(above) >= 50 and (line[:1].islower() or above[-1] not in ".?!:;")
            if wrapped or "http" in above or "(http" in line or "<http" in line:
                marks[at] = "m"


def _quote_follows(lines: Sequence[str], at: int) -> bool:
    """Do lines with ">" come next, so that what stands below them may be new?"""
    return any(is_quoted(line) for line in lines[at + 1 : at + 8])
