"""users.messages. Gmail API: messages"""

from __future__ import annotations

from devstack.gmail import arrival, payload, sending
from devstack.gmail.api.call import Call, serves
from devstack.gmail.api.listing import chooser, matching, page_token
from devstack.gmail.content import Content
from devstack.gmail.errors import invalid, not_found
from devstack.gmail.ids import api_bytes, part_of_attachment
from devstack.gmail.mailbox import Message
from devstack.gmail.threads import find_thread
from devstack.gmail.wire import Json

FIXED = frozenset(("SENT", "DRAFT", "CHAT"))
MAX_MODIFY = 1000


def wanted_labels(call: Call, body: Json) -> tuple[list[str], list[str]]:
    """addLabelIds and removeLabelIds, checked as Gmail checks them."""
    add = [str(label) for label in body.get("addLabelIds") or []]
    remove = [str(label) for label in body.get("removeLabelIds") or []]
    if not add and not remove:
        raise invalid("No label add or removes specified")
    for label in add + remove:
        if not call.mailbox.label_exists(label):
            raise invalid(f"Invalid label: {label}")
        if label in FIXED:
            raise invalid(f"Invalid label: {label}")
    if set(add) & set(remove):
        raise invalid("Cannot both add and remove the same label")
    return add, remove


@serves("messages.list")
def list_messages(call: Call) -> Json:
    """Ids and thread ids, newest first."""
    most = call.max_results()
    found: list[Message] = []
    more = ""
    for message in matching(call, chooser(call)):
        if len(found) == most:
            more = page_token(found[-1])
            break
        found.append(message)
    shown: Json = {}
    if found:
        shown["messages"] = [payload.stub(message) for message in found]
    if more:
        shown["nextPageToken"] = more
    shown["resultSizeEstimate"] = len(found) if not more else max(201, len(found))
    return shown


@serves("messages.get")
def get_message(call: Call) -> Json:
    """One message in one of four formats."""
    form = call.format()
    message = call.readable(call.params["id"])
    wanted = call.request.many("metadataHeaders")
    return payload.represent(message, form, wanted, call.text_limit, snippet=call.shows("snippet"))


@serves("messages.attachments.get")
def get_attachment(call: Call) -> Json:
    """The bytes of a part; the id only has to be one that this message once gave."""
    message = call.readable(call.params["messageId"])
    part_id = part_of_attachment(call.params["id"])
    if part_id is None:
        raise invalid("Invalid attachment token")
    data = payload.part_bytes(message.content, part_id)
    if data is None:
        raise not_found()
    return {"size": len(data), "data": api_bytes(data)}


@serves("messages.send")
def send(call: Call) -> Json:
    """Send a mail; the answer has no Message-ID."""
    raw = call.raw_mail(call.body)
    message = sending.send(call.world, call.mailbox, raw, thread_id=str(call.body.get("threadId") or ""))
    return payload.stub_with_labels(message)


def store(call: Call, *, date_default: str) -> Json:
    """insert and import: keep the mail as it is, Message-ID included."""
    raw = call.raw_mail(call.body)
    if not raw.strip():
        raise invalid("'raw' RFC822 payload message string or uploading message via /upload/* URL required")
    labels = [str(label) for label in call.body.get("labelIds") or []]
    for label in labels:
        if not call.mailbox.label_exists(label):
            raise invalid(f"Invalid label: {label}")
    content = Content(raw)
    source = call.request.one("internalDateSource") or date_default
    internal_date = content.date_ms() if source == "dateHeader" else None
    thread = sending.check_thread(call.mailbox, str(call.body.get("threadId") or ""))
    thread = thread or find_thread(call.mailbox, content)
    message = call.mailbox.add(content, labels, thread_id=thread, internal_date=internal_date)
    return payload.stub_with_labels(message)


@serves("messages.insert")
def insert(call: Call) -> Json:
    """Like IMAP APPEND."""
    return store(call, date_default="receivedTime")


@serves("messages.import")
def import_message(call: Call) -> Json:
    """Like arriving mail, without sending anything."""
    return store(call, date_default="dateHeader")


@serves("messages.modify")
def modify(call: Call) -> Json:
    """Change labels."""
    message = call.message(call.params["id"])
    add, remove = wanted_labels(call, call.body)
    call.mailbox.change_labels([message], add, remove)
    return payload.stub_with_labels(message)


@serves("messages.batchModify")
def batch_modify(call: Call) -> None:
    """Change labels of up to 1,000 messages; unknown ids are passed over."""
    chosen = call.body.get("ids") or []
    if len(chosen) > MAX_MODIFY:
        raise invalid("Too many ids")
    add, remove = wanted_labels(call, call.body)
    known = [call.mailbox.messages[i] for i in dict.fromkeys(chosen) if i in call.mailbox.messages]
    call.mailbox.change_labels(known, add, remove)


@serves("messages.batchDelete")
def batch_delete(call: Call) -> None:
    """Delete for ever."""
    chosen = call.body.get("ids") or []
    if len(chosen) > MAX_MODIFY:
        raise invalid("Too many ids")
    for message_id in dict.fromkeys(chosen):
        if message_id in call.mailbox.messages:
            arrival.erase(call.mailbox, message_id)


@serves("messages.trash")
def trash(call: Call) -> Json:
    """Move to the trash."""
    message = call.message(call.params["id"])
    arrival.to_trash(call.mailbox, [message])
    return payload.stub_with_labels(message)


@serves("messages.untrash")
def untrash(call: Call) -> Json:
    """Take out of the trash."""
    message = call.message(call.params["id"])
    call.mailbox.change_labels([message], [], ["TRASH"])
    return payload.stub_with_labels(message)


@serves("messages.delete")
def delete(call: Call) -> None:
    """Delete for ever."""
    arrival.erase(call.mailbox, call.message(call.params["id"]).id)
