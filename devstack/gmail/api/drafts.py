"""users.drafts: a draft id is stable, its message id changes at every save. Gmail API: drafts"""

from __future__ import annotations

from devstack.gmail import drafts, payload, sending
from devstack.gmail.api.call import Call, serves
from devstack.gmail.api.listing import page_start, page_token
from devstack.gmail.errors import invalid, not_found
from devstack.gmail.mailbox import Message
from devstack.gmail.search import Query
from devstack.gmail.wire import Json


def draft_message(call: Call, draft_id: str) -> Message:
    """The draft's current message, or 404."""
    message_id = call.mailbox.drafts.get(draft_id)
    if message_id is None:
        raise not_found()
    return call.mailbox.messages[message_id]


def brought(call: Call) -> tuple[bytes, str]:
    """The mail and the thread of a draft in the request."""
    resource = call.body.get("message") or {}
    raw = call.raw_mail(resource)
    if not raw.strip() and call.media is None and "raw" not in resource:
        raise invalid("Missing draft message")
    return raw, str(resource.get("threadId") or "")


@serves("drafts.create")
def create(call: Call) -> Json:
    """Save a new draft."""
    raw, thread_id = brought(call)
    draft_id, message = drafts.create(call.world, call.mailbox, raw, thread_id)
    return {"id": draft_id, "message": payload.stub_with_labels(message)}


@serves("drafts.update")
def update(call: Call) -> Json:
    """Replace a draft's mail; its message gets a new id."""
    draft_message(call, call.params["id"])
    raw, thread_id = brought(call)
    message = drafts.save(call.world, call.mailbox, call.params["id"], raw, thread_id)
    return {"id": call.params["id"], "message": payload.stub_with_labels(message)}


@serves("drafts.get")
def get(call: Call) -> Json:
    """A draft with its message."""
    message = draft_message(call, call.params["id"])
    return {
        "id": call.params["id"],
        "message": payload.represent(message, call.format(), [], call.text_limit),
    }


@serves("drafts.list")
def list_drafts(call: Call) -> Json:
    """Drafts, newest first."""
    most = call.max_results()
    text = call.request.one("q")
    query = Query(text, call.mailbox) if text else None
    by_message = {message_id: draft_id for draft_id, message_id in call.mailbox.drafts.items()}
    start = page_start(call.request.one("pageToken"))
    found = sorted((call.mailbox.messages[m] for m in by_message), key=lambda m: m.key, reverse=True)
    found = [m for m in found if (start is None or m.key < start) and (query is None or query.matches(m))]
    shown: Json = {}
    if found:
        shown["drafts"] = [{"id": by_message[m.id], "message": payload.stub(m)} for m in found[:most]]
    if len(found) > most:
        shown["nextPageToken"] = page_token(found[most - 1])
    shown["resultSizeEstimate"] = len(found)
    return shown


@serves("drafts.delete")
def delete(call: Call) -> None:
    """Delete a draft for ever."""
    message = draft_message(call, call.params["id"])
    del call.mailbox.drafts[call.params["id"]]
    call.mailbox.remove(message.id)


@serves("drafts.send")
def send(call: Call) -> Json:
    """Send a draft; once sent it is gone, so that a second call finds nothing."""
    draft_id = str(call.body.get("id") or "")
    resource = call.body.get("message") or {}
    if not draft_id:
        message = sending.send(
            call.world, call.mailbox, call.raw_mail(resource), thread_id=str(resource.get("threadId") or "")
        )
        return payload.stub_with_labels(message)
    draft = draft_message(call, draft_id)
    raw = draft.content.raw
    if call.media is not None or resource.get("raw"):
        raw = call.raw_mail(resource)
    message = sending.send(call.world, call.mailbox, raw, draft=draft)
    del call.mailbox.drafts[draft_id]
    return payload.stub_with_labels(message)
