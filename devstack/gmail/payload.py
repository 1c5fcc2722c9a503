"""A message as the API shows it: minimal, metadata, full and raw."""

from __future__ import annotations

from email.message import Message as MimeMessage
from functools import cache

from devstack.gmail.content import (
    Content,
    Pairs,
    decode_words,
    decoded_text,
    parse_header_block,
    payload_bytes,
)
from devstack.gmail.errors import invalid
from devstack.gmail.ids import api_bytes, attachment_id
from devstack.gmail.mailbox import Message
from devstack.gmail.wire import Json

FORMATS = ("minimal", "metadata", "full", "raw")
LABEL_ORDER = {
    name: i for i, name in enumerate(("UNREAD", "STARRED", "IMPORTANT", "SENT", "DRAFT", "TRASH", "SPAM"))
}


@cache
def in_order(labels: frozenset[str]) -> tuple[str, ...]:
    """Label ids in a stable order, INBOX last as Gmail tends to."""
    return tuple(
        sorted(labels, key=lambda name: (LABEL_ORDER.get(name, 50 if name != "INBOX" else 90), name))
    )


def shown_labels(message: Message) -> list[str]:
    """The message's label ids in that order."""
    return list(in_order(message.labels))


def stub(message: Message) -> Json:
    """{id, threadId}."""
    return {"id": message.id, "threadId": message.thread_id}


def stub_with_labels(message: Message) -> Json:
    """{id, threadId, labelIds}: what writes answer."""
    shown: Json = {"id": message.id, "threadId": message.thread_id}
    if message.labels:
        shown["labelIds"] = shown_labels(message)
    return shown


def header_pairs(message: Message) -> Pairs:
    """Header fields of the stored message: those of its way here, then its own."""
    return parse_header_block(message.trace + message.content.head())


def represent(
    message: Message, form: str, wanted: list[str], text_limit: int = 0, *, snippet: bool = True
) -> Json:
    """The message resource in one of the four formats. Gmail API: messages.get

    `wanted` are metadataHeaders; texts above `text_limit` bytes (0: none) come by attachment id. Without `snippet`
    the mail need not be parsed for one.
    """
    form = form.lower() or "full"
    if form not in FORMATS:
        raise invalid(
            f"Invalid value at 'format' (type.googleapis.com/google.apps.gmail.v1.Format), \"{form}\""
        )
    shown = stub_with_labels(message)
    if snippet:
        shown["snippet"] = message.content.snippet()
    if form == "metadata":
        pairs = header_pairs(message)
        payload: Json = {"mimeType": mime_type(pairs)}
        if wanted:
            names = {name.lower() for name in wanted}
            pairs = [pair for pair in pairs if pair[0].lower() in names]
        if pairs:
            payload["headers"] = [{"name": name, "value": value} for name, value in pairs]
        shown["payload"] = payload
    elif form == "full":
        payload = part_tree(message.content.mime(), "", text_limit)
        payload["headers"] = [{"name": name, "value": value} for name, value in header_pairs(message)]
        shown["payload"] = payload
    shown["sizeEstimate"] = message.size
    shown["historyId"] = str(message.history_id)
    shown["internalDate"] = str(message.internal_date)
    if form == "raw":
        shown["raw"] = api_bytes(message.trace + message.content.raw)
    return shown


def mime_type(pairs: Pairs) -> str:
    """The top-level content type without parameters."""
    written = next((value for name, value in pairs if name.lower() == "content-type"), "")
    value = written.split(";")[0].strip().lower()
    return value if value.count("/") == 1 else "text/plain"


def part_tree(part: MimeMessage, part_id: str, text_limit: int) -> Json:
    """The MessagePart resource; texts without a file name come inline in UTF-8, all else by attachment id."""
    filename = part_filename(part)
    kind = part.get_content_type()
    shown: Json = {"partId": part_id, "mimeType": kind, "filename": filename}
    if part_id:
        shown["headers"] = [{"name": str(k), "value": decode_words(str(v))} for k, v in part.items()]
    children = part.get_payload() if part.is_multipart() else None
    if isinstance(children, list):
        shown["body"] = {"size": 0}
        if kind in ("message/rfc822", "message/global"):
            size = sum(len(child.as_bytes()) for child in children if isinstance(child, MimeMessage))
            shown["body"] = {"attachmentId": attachment_id(part_id), "size": size}
        prefix = f"{part_id}." if part_id else ""
        shown["parts"] = [
            part_tree(child, f"{prefix}{i}", text_limit)
            for i, child in enumerate(children)
            if isinstance(child, MimeMessage)
        ]
        return shown
    if kind.startswith("text/") and not filename:
        data = decoded_text(part).encode("utf-8", "replace")
        if text_limit and len(data) > text_limit:
            shown["body"] = {"attachmentId": attachment_id(part_id), "size": len(payload_bytes(part))}
            return shown
        shown["body"] = {"size": len(data), "data": api_bytes(data)} if data else {"size": 0}
        return shown
    shown["body"] = {"attachmentId": attachment_id(part_id), "size": len(payload_bytes(part))}
    return shown


def part_filename(part: MimeMessage) -> str:
    """The part's file name, or an empty string."""
    return decode_words(str(part.get_filename() or ""))


def part_bytes(content: Content, part_id: str) -> bytes | None:
    """The decoded bytes of the part with that id, or None."""
    part = content.mime()
    for step in part_id.split(".") if part_id else []:
        children = part.get_payload() if part.is_multipart() else None
        if not isinstance(children, list) or not step.isdigit() or int(step) >= len(children):
            return None
        child = children[int(step)]
        if not isinstance(child, MimeMessage):
            return None
        part = child
    if part.is_multipart():
        children = part.get_payload()
        embedded = (
            [child.as_bytes() for child in children if isinstance(child, MimeMessage)] if children else []
        )
        return b"".join(embedded)
    return payload_bytes(part)
