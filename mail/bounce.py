"""Delivery notices: which recipient a mail did not reach, why, for good or for now, and which mail it was
(S20).

Read in this order: the fields of RFC 3464 (message/delivery-status), what mail services post as JSON,
`X-Failed-Recipients`, and the prose of servers that know none of these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from mail import bouncejson, bouncetext, notices
from mail.bouncereading import Reading, addresses_in, sentence, smtp_code, status_in
from mail.message import Headers, Mail

MAX_RECIPIENTS = 200
MAX_IDS = 30
MAX_GROUPS = 500

_MESSAGE_ID = re.compile(r"<[^<>\s]{1,250}@[^<>\s]{1,250}>|<[^<>\s]{6,250}>")
_BARE_ID = re.compile(r"^[^<>\s]{1,250}@[^<>\s]{1,250}$")
_ID_HEADERS = (
    "message-id",
    "x-original-message-id",
    "x-gmail-original-message-id",
    "x-google-original-message-id",
    "x-microsoft-original-message-id",
    "resent-message-id",
)
_NOTICE_ID_HEADERS = (
    "x-original-message-id",
    "original-message-id",
    "x-gmail-original-message-id",
    "x-failed-message-id",
    "in-reply-to",
    "references",
)
_RECIPIENT_FIELDS = ("original-recipient", "x-actual-recipient", "final-recipient", "x-failed-recipient")
_NO_REPORT = frozenset({"disposition-notification", "feedback-report"})
_GENERIC = re.compile(r"^[245]\.0\.0$")


@dataclass(frozen=True, slots=True)
class Bounce:
    """What a delivery notice says.

    recipients: addresses as the notice writes them, the one that was mailed before the one that it led to.
    original_message_ids: with angle brackets, the surest first. status: "5.1.1" (RFC 3463). reason: for
    people, at most 300 characters. permanent: the server gave up for good (5.x.x). delayed: the server
    still tries.
    """

    recipients: tuple[str, ...]
    original_message_ids: tuple[str, ...]
    permanent: bool
    status: str | None
    reason: str
    delayed: bool


def read(mail: Mail) -> Bounce | None:
    """The failure or delay that the mail reports; None where it reports none, or a limit of the mailbox.
    Never raises.
    """
    if not _may_be_notice(mail) or notices.is_limit_notice(mail):
        return None
    if mail.delivery_status:
        found = _from_fields(mail)
        if found is not None:
            return found
        if _says_success(mail):
            return None
    posted = bouncejson.read(mail.text or "")
    if posted is not None:
        return _bounce(mail, posted)
    if notices.is_header_only(mail):
        return _from_headers(mail) if notices.headers_say_notice(mail) else None
    reading = bouncetext.read(mail)
    failed = addresses_in(", ".join(mail.headers.get_all("x-failed-recipients")))
    if failed:
        return _bounce(mail, replace(reading, recipients=failed))
    if bouncetext.is_notice(mail, reading):
        return _bounce(mail, reading)
    return None


def original_ids(mail: Mail, notice: Bounce | None) -> tuple[str, ...]:
    """The ids of the mail that a notice is about, the surest first.

    Args:
        notice: what `read` gave; Gmail's notice of a sending limit, which is no bounce, names ids as well.
    """
    if notice is not None:
        return notice.original_message_ids
    return _original_ids(mail, _status_ids(mail)) if notices.is_limit_notice(mail) else ()


def _may_be_notice(mail: Mail) -> bool:
    """A cheap first look, which only ordinary mail fails."""
    kind = notices.report_type(mail)
    if kind in _NO_REPORT:
        # Mail filters reject with a receipt (RFC 5429).
        return "reject" in (mail.headers.get("auto-submitted") or "").lower()
    if kind or mail.delivery_status or "x-failed-recipients" in mail.headers:
        return bool(kind) or not notices.is_reply_subject(mail)
    return (
        notices.is_daemon(mail)
        or notices.has_null_return_path(mail)
        or (notices.has_failure_subject(mail) and not notices.is_reply_subject(mail))
        or bouncejson.may_be(mail.text or "")
    )


def _from_fields(mail: Mail) -> Bounce | None:
    """From the field groups of message/delivery-status; None where no recipient failed or is delayed."""
    failed: list[Reading] = []
    delayed: list[Reading] = []
    for fields in _groups(mail):
        action = fields.get("action", "").strip().lower()
        recipients = _field_recipients(fields)
        if not recipients and not action:
            continue
        status = status_in(fields.get("status", ""))
        diagnostic = fields.get("diagnostic-code", "") or fields.get("x-diagnostic-code", "")
        status = _surer(status, status_in(diagnostic), smtp_code(diagnostic))
        if not action:
            action = "failed" if status and not status.startswith("2") else "" if status else "failed"
        reading = Reading(
            recipients, status, _reason(diagnostic, fields), smtp_code(diagnostic), (), False, 0
        )
        if action.startswith("fail"):
            failed.append(reading)
        elif action.startswith(("delay", "deferred")):
            delayed.append(replace(reading, delayed=True))
    chosen = failed or delayed
    if not chosen:
        return None
    recipients = _unique(address for reading in chosen for address in reading.recipients)
    told = recipients and chosen[0].status and chosen[0].reason
    # Exchange Online returns no mail, but lists its header among its own words.
    prose = None if told and mail.embedded else bouncetext.read(mail)
    if prose is not None and not recipients:
        recipients = addresses_in(", ".join(mail.headers.get_all("x-failed-recipients"))) or prose.recipients
    status = next((reading.status for reading in chosen if reading.status), None) or (
        prose.status if prose else None
    )
    code = next((reading.code for reading in chosen if reading.code), None) or (prose.code if prose else None)
    reason = next((reading.reason for reading in chosen if reading.reason), "") or (
        prose.reason if prose else ""
    )
    ids = _status_ids(mail)
    if prose is not None:
        ids += prose.message_ids
    return _bounce(mail, Reading(recipients, status, reason, code, ids, not failed, 0))


def _status_ids(mail: Mail) -> tuple[str, ...]:
    return tuple(
        value
        for group in mail.delivery_status[:MAX_GROUPS]
        for name, value in group
        if name.lower().endswith("message-id")
    )


def _groups(mail: Mail) -> list[dict[str, str]]:
    """The fields of each recipient, by lower-case name; also where no blank line parts one from the next."""
    groups: list[dict[str, str]] = []
    for group in mail.delivery_status[:MAX_GROUPS]:
        groups.append({})
        for name, value in group:
            key = name.lower()
            if key in _RECIPIENT_FIELDS and key in groups[-1]:
                groups.append({})
            groups[-1].setdefault(key, value)
    return groups[:MAX_GROUPS]


def _surer(status: str | None, diagnostic: str | None, code: str | None) -> str | None:
    """The more telling of two status codes: servers often give 5.0.0 and leave the real one in the
    diagnosis.
    """
    if status is None:
        return diagnostic
    if diagnostic and _GENERIC.match(status) and not _GENERIC.match(diagnostic):
        return diagnostic
    return status


def _field_recipients(fields: dict[str, str]) -> tuple[str, ...]:
    return _unique(
        address
        for name in _RECIPIENT_FIELDS
        if name in fields
        for address in addresses_in(fields[name].partition(";")[2] or fields[name])[:1]
    )


def _reason(diagnostic: str, fields: dict[str, str]) -> str:
    kind, semicolon, rest = diagnostic.partition(";")
    text = rest if semicolon and len(kind) < 20 else diagnostic
    if not text.strip():
        comment = fields.get("status", "")
        text = comment.partition("(")[2].rstrip(") ") if "(" in comment else ""
    return sentence(text)


def _says_success(mail: Mail) -> bool:
    """Every recipient of the report was reached: delivered, relayed or expanded."""
    actions = [
        value.strip().lower()
        for group in mail.delivery_status[:MAX_GROUPS]
        for name, value in group
        if name.lower() == "action"
    ]
    return bool(actions) and all(action.startswith(("deliver", "relay", "expand")) for action in actions)


def _from_headers(mail: Mail) -> Bounce:
    """What a notice's header alone tells (format=metadata)."""
    failed = addresses_in(", ".join(mail.headers.get_all("x-failed-recipients")))
    delayed = notices.has_delay_subject(mail) and not failed
    return _bounce(mail, Reading(failed, None, sentence(mail.subject), None, (), delayed, 0))


def _bounce(mail: Mail, reading: Reading) -> Bounce:
    return Bounce(
        recipients=reading.recipients[:MAX_RECIPIENTS],
        original_message_ids=_original_ids(mail, reading.message_ids),
        permanent=not reading.delayed and reading.is_permanent(),
        status=reading.status,
        reason=reading.reason or sentence(mail.subject),
        delayed=reading.delayed,
    )


def _original_ids(mail: Mail, read_ids: Iterable[str]) -> tuple[str, ...]:
    """Every id that the notice carries of the mail it is about: the returned mail's first, then the
    notice's own fields.
    """
    returned: list[str] = []
    for embedded in mail.embedded:
        returned += _id_values(embedded.headers, _ID_HEADERS)
    returned += read_ids
    # Filters at the door give their notice the id of the mail that they refuse: what is read off that mail stays.
    own = mail.message_id
    named = (found for found in _ids(_id_values(mail.headers, _NOTICE_ID_HEADERS)) if found != own)
    return _unique((*_ids(returned), *named))[:MAX_IDS]


def _id_values(headers: Headers, names: Iterable[str]) -> list[str]:
    return [value for name in names for value in headers.get_all(name)]


def _ids(values: Iterable[str]) -> Iterable[str]:
    for value in values:
        bounded = value[:8000]
        found = _MESSAGE_ID.findall(bounded)
        if found:
            yield from found
        elif _BARE_ID.match(bounded.strip()):
            yield f"<{bounded.strip()}>"


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    seen: dict[str, str] = {}
    for value in values:
        seen.setdefault(value.lower(), value)
    return tuple(seen.values())
