"""What Gmail found about the author of a mail that it took in: its own Authentication-Results field (RFC 8601)."""

from __future__ import annotations

import re

from mail.message import Mail

GMAIL = "mx.google.com"
"""Gmail puts its own field on top; fields of others below it may say anything."""
_COMMENT = re.compile(r"\([^()]{0,500}\)")
_RESULT = re.compile(r"\b(dkim|spf|dmarc)=(\w+)([^;]{0,1000})")
_SPEAKS_FOR = re.compile(r"\b(?:header\.[id]|smtp\.mailfrom)=(\S+)")


def is_doubted(mail: Mail, author: str) -> bool:
    """Did Gmail look, and find that neither DMARC, DKIM nor SPF speaks for the author's domain?

    False where Gmail says nothing: a mail that was sent from the mailbox itself.
    """
    field = next((one for one in mail.headers.get_all("Authentication-Results") if _is_gmails(one)), None)
    if field is None:
        return False
    domain = author.rpartition("@")[2].lower()
    found = [match.groups() for match in _RESULT.finditer(_COMMENT.sub(" ", field[:5000].lower()))]
    dmarc = {result for method, result, _ in found if method == "dmarc"}
    if dmarc & {"pass", "fail"}:
        return "pass" not in dmarc
    return not any(
        result == "pass" and same_organisation(speaks_for.rpartition("@")[2], domain)
        for method, result, properties in found
        if method != "dmarc"
        for speaks_for in _SPEAKS_FOR.findall(properties)
    )


def _is_gmails(field: str) -> bool:
    return field.partition(";")[0].strip().lower() == GMAIL


def same_organisation(one: str, other: str) -> bool:
    """The same domain, or one within the other; a bare top-level domain speaks for nobody."""
    return one == other or any(
        "." in parent and child.endswith(f".{parent}") for parent, child in ((one, other), (other, one))
    )
