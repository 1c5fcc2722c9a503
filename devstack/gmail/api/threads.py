"""users.threads. Gmail API: threads"""

from __future__ import annotations

from devstack.gmail import arrival, payload
from devstack.gmail.api.call import HEX, Call, serves
from devstack.gmail.api.listing import chooser, matching, page_start, page_token
from devstack.gmail.api.messages import wanted_labels
from devstack.gmail.errors import invalid, not_found
from devstack.gmail.mailbox import Message
from devstack.gmail.wire import Json


def members(call: Call) -> list[Message]:
    """The thread's messages, oldest first, or 404."""
    thread_id = call.params["id"]
    if not thread_id or len(thread_id) > 16 or not set(thread_id) <= HEX:
        raise invalid("Invalid id value")
    found = call.mailbox.thread(thread_id)
    if not found:
        raise not_found()
    return found


@serves("threads.list")
def list_threads(call: Call) -> Json:
    """Threads by their newest matching message."""
    most = call.max_results()
    start = page_start(call.request.one("pageToken"))
    chosen = chooser(call)
    found: dict[str, Message] = {}
    more = ""
    last: Message | None = None
    for message in matching(call, chosen):
        if message.thread_id in found:
            continue
        if start and any(m.key >= start and chosen(m) for m in call.mailbox.thread(message.thread_id)):
            continue  # on an earlier page
        if len(found) == most and last is not None:
            more = page_token(last)
            break
        found[message.thread_id] = last = message
    shown: Json = {}
    if found:
        shown["threads"] = [thread_stub(call, thread_id) for thread_id in found]
    if more:
        shown["nextPageToken"] = more
    shown["resultSizeEstimate"] = len(found) if not more else max(201, len(found))
    return shown


def thread_stub(call: Call, thread_id: str) -> Json:
    """{id, snippet, historyId}."""
    messages = call.mailbox.thread(thread_id)
    history_id = max(message.history_id for message in messages)
    return {"id": thread_id, "snippet": messages[-1].content.snippet(), "historyId": str(history_id)}


@serves("threads.get")
def get_thread(call: Call) -> Json:
    """A thread with its messages."""
    form = call.format()
    if form == "raw":
        raise invalid("Invalid value at 'format', \"raw\"")
    wanted = call.request.many("metadataHeaders")
    messages = members(call)
    return {
        "id": call.params["id"],
        "historyId": str(max(message.history_id for message in messages)),
        "messages": [payload.represent(message, form, wanted, call.text_limit) for message in messages],
    }


def shown_thread(call: Call) -> Json:
    """What thread writes answer."""
    messages = [payload.stub_with_labels(message) for message in call.mailbox.thread(call.params["id"])]
    return {"id": call.params["id"], "messages": messages}


@serves("threads.modify")
def modify_thread(call: Call) -> Json:
    """Change labels of all messages of a thread."""
    messages = members(call)
    add, remove = wanted_labels(call, call.body)
    call.mailbox.change_labels(messages, add, remove)
    return shown_thread(call)


@serves("threads.trash")
def trash_thread(call: Call) -> Json:
    """Move a thread to the trash."""
    arrival.to_trash(call.mailbox, members(call))
    return shown_thread(call)


@serves("threads.untrash")
def untrash_thread(call: Call) -> Json:
    """Take a thread out of the trash."""
    call.mailbox.change_labels(members(call), [], ["TRASH"])
    return shown_thread(call)


@serves("threads.delete")
def delete_thread(call: Call) -> None:
    """Delete a thread for ever."""
    for message in members(call):
        arrival.erase(call.mailbox, message.id)
