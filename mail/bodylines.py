"""The lines of a body, and which of them may mean more than plain text; read once for all who look at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from mail.replylines import DASHES

_FIRST = DASHES | frozenset("|&\ufeff0123456789")
_LAST = frozenset(":：՝៖-–—…*_>])=\u200e\u200f\u202a\u202b\u202c\u2068\u2069")


@dataclass(frozen=True, slots=True)
class BodyLines:
    """The lines of a body as they are, the same trimmed, and the indexes of those that are worth a closer look.

    A line outside `telling` is blank or plain text: it quotes nothing, opens nothing, and names nobody.
    """

    lines: Sequence[str]
    stripped: Sequence[str]
    telling: Sequence[int]


@lru_cache(maxsize=2)
def body_lines(text: str) -> BodyLines:
    """The lines of a body; splitting a reply and looking for a forward ask for the same ones in turn."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return lines_read(text.split("\n"))


def lines_read(lines: Sequence[str]) -> BodyLines:
    """As `body_lines`, of lines that are split already."""
    stripped = [line.strip() for line in lines]
    telling = [
        at
        for at, line in enumerate(stripped)
        if line
        and (
            line[0] in _FIRST
            or line[-1] in _LAST
            or ":" in line
            or "@" in line
            or (not line.isascii() and ("：" in line or line[0].isdigit()))
        )
    ]
    return BodyLines(lines, stripped, telling)
