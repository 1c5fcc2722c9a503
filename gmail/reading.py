"""From Gmail's JSON to values. Where something necessary lacks: KeyError, ValueError or TypeError."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from gmail.values import (
    Change,
    ChangeKind,
    Draft,
    DraftPage,
    FullMessage,
    HeaderPairs,
    Headline,
    HistoryPage,
    IdPage,
    Part,
    Profile,
    RawMessage,
    SendAs,
    SentMessage,
    Stub,
    WatchState,
)

Json = dict[str, Any]

_KINDS = (
    ("messagesAdded", ChangeKind.ADDED),
    ("labelsAdded", ChangeKind.LABELS_ADDED),
    ("labelsRemoved", ChangeKind.LABELS_REMOVED),
    ("messagesDeleted", ChangeKind.DELETED),
)


def decode(data: str) -> bytes:
    """base64url as Gmail writes it, with or without padding.

    Raises:
        ValueError: where it is not.
    """
    try:
        return base64.b64decode(
            data.rstrip("=") + "=" * (-len(data.rstrip("=")) % 4), altchars=b"-_", validate=True
        )
    except binascii.Error as error:
        raise ValueError("not base64url") from error


def profile(answer: Json) -> Profile:
    return Profile(
        answer["emailAddress"].lower(), int(answer["historyId"]), int(answer.get("messagesTotal", 0))
    )


def history_page(answer: Json) -> HistoryPage:
    changes = tuple(
        _change(kind, item)
        for record in answer.get("history", ())
        for key, kind in _KINDS
        for item in record.get(key, ())
    )
    records = answer.get("history", ())
    last = max((int(record["id"]) for record in records if "id" in record), default=None)
    return HistoryPage(changes, int(answer["historyId"]), answer.get("nextPageToken") or None, last)


def _change(kind: ChangeKind, item: Json) -> Change:
    message = item["message"]
    labels = message.get("labelIds")
    return Change(
        kind,
        message["id"],
        message.get("threadId", ""),
        None if labels is None else frozenset(labels),
        frozenset(item.get("labelIds", ())),
    )


def id_page(answer: Json) -> IdPage:
    stubs = tuple(Stub(item["id"], item.get("threadId", "")) for item in answer.get("messages", ()))
    return IdPage(stubs, answer.get("nextPageToken") or None)


def headers(payload: Json) -> HeaderPairs:
    return tuple((item["name"], item.get("value", "")) for item in payload.get("headers", ()))


def headline(answer: Json) -> Headline:
    return Headline(*_common(answer), headers(answer.get("payload", {})))


def raw_message(answer: Json) -> RawMessage:
    return RawMessage(*_common(answer), decode(answer["raw"]))


def full_message(answer: Json) -> FullMessage:
    return FullMessage(*_common(answer), _part(answer["payload"]))


def _common(answer: Json) -> tuple[str, str, frozenset[str], int, int]:
    return (
        answer["id"],
        answer["threadId"],
        frozenset(answer.get("labelIds", ())),
        int(answer["internalDate"]),
        int(answer.get("sizeEstimate", 0)),
    )


def _part(value: Json) -> Part:
    body = value.get("body", {})
    data = body.get("data")
    return Part(
        part_id=value.get("partId", ""),
        mime_type=value.get("mimeType", ""),
        filename=value.get("filename", ""),
        headers=headers(value),
        size=int(body.get("size", 0)),
        data=None if data is None else decode(data),
        attachment_id=body.get("attachmentId") or None,
        parts=tuple(_part(part) for part in value.get("parts", ())),
    )


def attachment(answer: Json) -> bytes:
    return decode(answer["data"])


def sent_message(answer: Json) -> SentMessage:
    return SentMessage(answer["id"], answer["threadId"], frozenset(answer.get("labelIds", ())))


def draft(answer: Json) -> Draft:
    message = answer.get("message", {})
    return Draft(
        answer["id"], message.get("id", ""), message.get("threadId", ""), headers(message.get("payload", {}))
    )


def draft_page(answer: Json) -> DraftPage:
    return DraftPage(
        tuple(draft(item) for item in answer.get("drafts", ())), answer.get("nextPageToken") or None
    )


def labels(answer: Json) -> frozenset[str]:
    return frozenset(answer.get("labelIds", ()))


def thread_ids(answer: Json) -> tuple[str, ...]:
    return tuple(message["id"] for message in answer.get("messages", ()))


def watch_state(answer: Json) -> WatchState:
    return WatchState(int(answer["historyId"]), int(answer["expiration"]))


def send_as(answer: Json) -> tuple[SendAs, ...]:
    return tuple(_send_as(item) for item in answer.get("sendAs", ()))


def _send_as(item: Json) -> SendAs:
    primary = bool(item.get("isPrimary", False))
    return SendAs(
        email=item["sendAsEmail"].lower(),
        name=item.get("displayName", ""),
        primary=primary,
        default=bool(item.get("isDefault", False)),
        verified=primary or item.get("verificationStatus") == "accepted",
        reply_to=item.get("replyToAddress", ""),
        signature=item.get("signature", ""),
        treat_as_alias=bool(item.get("treatAsAlias", True)),
    )


def nothing(answer: Json) -> None:
    """An answer without content."""
    if not isinstance(answer, dict):
        raise TypeError("not an object")
