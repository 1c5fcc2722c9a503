"""Mailing lists, bulk mail and calendar mail, by their headers and parts."""

from __future__ import annotations

from mail.labels import fold
from mail.message import Mail

_LIST_HEADERS = (
    "list-id",
    "list-unsubscribe",
    "list-post",
    "list-unsubscribe-post",
    "x-mailing-list",
    "x-list",
    "mailing-list",
    "x-beenthere",
    "x-mailman-version",
    "list-help",
    "x-campaign",
    "x-campaign-id",
    "x-campaignid",
    "feedback-id",
    "x-csa-complaints",
    "x-mc-user",
    "x-mailgun-sid",
)
_SURE = frozenset(
    {
        "list-id",
        "list-unsubscribe",
        "list-post",
        "list-unsubscribe-post",
        "x-mailing-list",
        "mailing-list",
        "x-beenthere",
        "x-mailman-version",
        "list-help",
    }
)
_BULK = frozenset({"list", "bulk", "junk"})


def is_list(mail: Mail) -> bool:
    """Was the mail sent to many: through a list, or as bulk mail (RFC 2369, RFC 2919, Precedence)?"""
    headers = mail.headers
    if headers.has_any(_SURE):
        return True
    return fold(headers.get("precedence") or "").strip() in _BULK


def is_bulk(mail: Mail) -> bool:
    """Is it mail that a machine sends to many, rather than a person's post to a list?"""
    headers = mail.headers
    if "list-post" in headers or "x-beenthere" in headers or "x-mailing-list" in headers:
        return False
    return is_list(mail) and (
        "list-unsubscribe" in headers or fold(headers.get("precedence") or "").strip() in _BULK
    )


def is_calendar(mail: Mail) -> bool:
    """An invitation or an answer to one: a text/calendar part that carries a method, or a whole mail of
    that type.
    """
    if mail.content_type == "text/calendar":
        return True
    for content_type, params in mail.parts_info:
        if content_type == "text/calendar" and params.get("method"):
            return True
    if "calendar" in fold(mail.headers.get("content-class") or ""):
        return True
    return fold(mail.headers.get("x-mailer-type") or "") == "calendar" or any(
        attachment.content_type in {"text/calendar", "application/ics"} and _has_method(attachment.content)
        for attachment in mail.attachments
    )


def _has_method(content: bytes) -> bool:
    return b"METHOD:" in content[:4000].upper()
