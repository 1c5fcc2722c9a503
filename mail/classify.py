"""What kind of mail it is: a person's message, or which of the things that machines send."""

from __future__ import annotations

from typing import Literal

from mail import autoreply, bounce, lists, notices
from mail.message import Mail

Kind = Literal["message", "bounce", "delay", "limit_notice", "auto_reply", "list", "calendar", "receipt"]


def kind(mail: Mail) -> Kind:
    """The first that holds of: bounce, delay, limit_notice, receipt, auto_reply, calendar, list, message.

    Works on mails of which only the header was read (format=metadata) as far as headers tell. Never raises.
    """
    return kind_given(mail, bounce.read(mail))


def kind_given(mail: Mail, found: bounce.Bounce | None) -> Kind:
    """As `kind`, where `bounce.read` has been asked already."""
    if found is not None:
        return "delay" if found.delayed else "bounce"
    if notices.is_limit_notice(mail):
        return "limit_notice"
    if autoreply.is_receipt(mail):
        return "receipt"
    calendar = lists.is_calendar(mail)
    if autoreply.is_auto_reply(mail) and not (calendar and autoreply.is_only_generated(mail)):
        return "auto_reply"
    if calendar:
        return "calendar"
    if lists.is_list(mail):
        return "list"
    return "message"


def headers_suffice_notice(mail: Mail) -> bool:
    """Do the headers alone show a bounce, delay or limit notice, so that it is read whoever sends it (S9)?"""
    return notices.headers_say_notice(mail)
