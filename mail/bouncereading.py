"""What one way of reading a delivery notice gives, and the small readers that all ways share."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_REASON = 300
"""Characters of a reason."""
MAX_FIELD = 4000
"""Characters of one field that are read."""

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?!\.?\d)")
_SMTP_CODE = re.compile(r"(?<![\d.\-:])([45]\d\d)(?=[ \-]|$)(?![ \-]\d{3,4}[ \-]\d)")
_ADDRESS = re.compile(
    r"\"[^\"\r\n<>]{1,100}\"@[A-Za-z0-9.\-]{1,200}"
    r"|[^\s<>@\"'`(),;:\[\]{}=]{1,120}@[^\s<>@\"'`(),;:{}=]{1,200}"
)
_SOFT = re.compile(
    r"mailbox (?:is )?full|over ?quota|quota exceeded|exceeded (?:the |storage |mail )?(?:quota"
    r"|allocation)|temporar|try again|timed? ?out|time-?out|deferred|expired|too busy|connection refused"
    r"|cannot send message for|can't send message for|insufficient (?:system )?(?:storage|disk)|greylist"
    r"|retry",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read: recipients, status ("5.1.1"), reason, SMTP reply code, ids of the mail it is about,
    evidence (points).
    """

    recipients: tuple[str, ...]
    status: str | None
    reason: str
    code: str | None
    message_ids: tuple[str, ...]
    delayed: bool
    evidence: int

    def is_permanent(self) -> bool:
        """Does what was read say that the server gave up for good? By status, then reply code, then words."""
        if self.status:
            return self.status.startswith("5")
        if self.code:
            return self.code.startswith("5")
        return _SOFT.search(self.reason) is None


def status_in(text: str) -> str | None:
    """The first enhanced status code (RFC 3463) in a text; parts of IP addresses and versions are none."""
    found = _STATUS.search(text[:MAX_FIELD])
    return found[0] if found else None


def smtp_code(text: str) -> str | None:
    """The first SMTP reply code (4xx, 5xx) in a text."""
    found = _SMTP_CODE.search(text[:MAX_FIELD])
    return found[1] if found else None


def addresses_in(text: str) -> tuple[str, ...]:
    """The mail addresses in a text, in their order, without repeats."""
    seen: dict[str, str] = {}
    for found in _ADDRESS.findall(text[:MAX_FIELD]):
        address = found.rstrip(".,!?*]").removeprefix("mailto:").lstrip("*.")
        local, _, domain = address.rpartition("@")
        if local and domain and domain.strip(".-["):
            seen.setdefault(address.lower(), address)
    return tuple(seen.values())


def sentence(text: str) -> str:
    """One line for people: spaces collapsed, at most `MAX_REASON` characters."""
    line = " ".join(text[:MAX_FIELD].split())
    return line if len(line) <= MAX_REASON else line[: MAX_REASON - 1].rstrip() + "…"
