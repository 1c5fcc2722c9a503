"""users.labels. Gmail API: labels"""

from __future__ import annotations

from devstack.gmail.api.call import Call, serves
from devstack.gmail.errors import ApiError, invalid, not_found
from devstack.gmail.mailbox import SYSTEM_LABELS
from devstack.gmail.wire import Json

HIDE = {"messageListVisibility": "hide", "labelListVisibility": "labelHide"}
CATEGORY = "CATEGORY_"


def shown_label(call: Call, label_id: str) -> Json:
    """The label without counts."""
    if label_id in SYSTEM_LABELS:
        hidden = HIDE if label_id.startswith(CATEGORY) or label_id == "CHAT" else {}
        return {"id": label_id, "name": label_id, "type": "system", **hidden}
    label = call.mailbox.labels.get(label_id)
    if label is None:
        raise not_found()
    return {"id": label_id, **label, "type": "user"}


@serves("labels.list")
def list_labels(call: Call) -> Json:
    """All labels, without counts."""
    return {"labels": [shown_label(call, label_id) for label_id in (*SYSTEM_LABELS, *call.mailbox.labels)]}


@serves("labels.get")
def get_label(call: Call) -> Json:
    """A label with its counts."""
    label = shown_label(call, call.params["id"])
    name = call.params["id"]
    having = [message for message in call.mailbox.messages.values() if name in message.labels]
    unread = [message for message in having if "UNREAD" in message.labels]
    return label | {
        "messagesTotal": len(having),
        "messagesUnread": len(unread),
        "threadsTotal": len({message.thread_id for message in having}),
        "threadsUnread": len({message.thread_id for message in unread}),
    }


def fields(call: Call) -> Json:
    """The writable fields in the request."""
    names = ("name", "messageListVisibility", "labelListVisibility", "color")
    return {name: call.body[name] for name in names if name in call.body}


def check_name(call: Call, name: str, own_id: str = "") -> None:
    """409 where the name is taken, 400 where it cannot be one."""
    if not name.strip():
        raise invalid("Invalid label name")
    taken = {str(label["name"]).lower() for i, label in call.mailbox.labels.items() if i != own_id}
    if name.lower() in taken or name.upper() in SYSTEM_LABELS:
        raise ApiError(409, "Label name exists or conflicts", "aborted", rpc="ABORTED")


@serves("labels.create")
def create_label(call: Call) -> Json:
    """A new user label."""
    label = fields(call)
    check_name(call, str(label.get("name") or ""))
    label_id = call.mailbox.new_label(**label)
    return shown_label(call, label_id)


def change_label(call: Call) -> Json:
    """update and patch."""
    label_id = call.params["id"]
    if label_id in SYSTEM_LABELS:
        raise invalid("Invalid update request")
    shown_label(call, label_id)
    change = fields(call)
    if "name" in change:
        check_name(call, str(change["name"]), label_id)
    call.mailbox.labels[label_id] |= change
    return shown_label(call, label_id)


serves("labels.update")(change_label)
serves("labels.patch")(change_label)


@serves("labels.delete")
def delete_label(call: Call) -> None:
    """Delete a user label and take it off all messages."""
    label_id = call.params["id"]
    if label_id in SYSTEM_LABELS:
        raise invalid("Invalid delete request")
    shown_label(call, label_id)
    having = [message for message in call.mailbox.messages.values() if label_id in message.labels]
    call.mailbox.change_labels(having, [], [label_id])
    del call.mailbox.labels[label_id]
