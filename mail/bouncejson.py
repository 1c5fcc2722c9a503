"""Bounces that a mail service posts as JSON: Amazon SES, alone or inside an SNS notification."""

from __future__ import annotations

import json
from typing import Any

from mail.bouncereading import Reading, sentence, smtp_code, status_in

MAX_JSON = 300_000


def may_be(text: str) -> bool:
    """Could the text be such a notice?"""
    return text[:200].lstrip().startswith("{") and (
        "otificationType" in text[:MAX_JSON] or "eventType" in text[:MAX_JSON]
    )


def read(text: str) -> Reading | None:
    """The bounce or delay that the JSON reports; None where it is something else."""
    if not may_be(text):
        return None
    value = _load(text[:MAX_JSON])
    if isinstance(value.get("Message"), str):
        value = _load(value["Message"][:MAX_JSON])
    kind = str(value.get("notificationType") or value.get("eventType") or "")
    mail = _object(value.get("mail"))
    ids = [str(mail.get("messageId"))] if mail.get("messageId") else []
    common = _object(mail.get("commonHeaders")).get("messageId")
    headers = mail.get("headers")
    for header in headers if isinstance(headers, list) else []:
        if str(_object(header).get("name", "")).lower() == "message-id":
            common = common or _object(header).get("value")
    message_ids = tuple([str(common)] if common else []) + tuple(
        f"<{found}@email.amazonses.com>" for found in ids
    )
    if kind == "Bounce":
        details = _object(value.get("bounce"))
        recipients, status, reason = _recipients(details.get("bouncedRecipients"))
        permanent = str(details.get("bounceType", "")).lower() != "transient"
        status = status or ("5.0.0" if permanent else "4.0.0")
        return Reading(
            recipients,
            status,
            reason or sentence(str(details.get("bounceSubType", ""))),
            None,
            message_ids,
            False,
            9,
        )
    if kind == "DeliveryDelay":
        recipients, status, reason = _recipients(_object(value.get("deliveryDelay")).get("delayedRecipients"))
        return Reading(recipients, status, reason, None, message_ids, True, 9)
    return None


def _load(text: str) -> dict[str, Any]:
    try:
        value, _ = json.JSONDecoder(strict=False).raw_decode(text.lstrip())
    except (ValueError, RecursionError):
        return {}
    return _object(value)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _recipients(values: object) -> tuple[tuple[str, ...], str | None, str]:
    found: list[str] = []
    status: str | None = None
    reason = ""
    for value in values if isinstance(values, list) else []:
        entry = _object(value)
        if entry.get("emailAddress"):
            found.append(str(entry["emailAddress"]).strip("<> ")[:320])
        diagnostic = str(entry.get("diagnosticCode") or "")
        status = status or status_in(str(entry.get("status") or "")) or status_in(diagnostic)
        reason = reason or sentence(diagnostic.partition(";")[2] or diagnostic)
        if status is None and (code := smtp_code(diagnostic)):
            status = f"{code[0]}.0.0"
    return tuple(found), status, reason
