"""What all operations of the control API share."""

from __future__ import annotations

import base64

from devstack.gmail.compose import as_list
from devstack.gmail.faults import Faults
from devstack.gmail.mailbox import Mailbox, Message
from devstack.gmail.oauth import OAuth
from devstack.gmail.payload import shown_labels
from devstack.gmail.push import Pusher
from devstack.gmail.wire import Json
from devstack.gmail.world import World


class Refused(Exception):
    """A control call that makes no sense; its text goes back with 400."""


class Operations:
    """Every `op_<name>` of a subclass is one path under /emulator/."""

    def __init__(self, world: World, faults: Faults, oauth: OAuth, pusher: Pusher) -> None:
        self.world = world
        self.faults = faults
        self.oauth = oauth
        self.pusher = pusher

    def _mailbox(self, args: Json) -> Mailbox:
        mailbox = self.world.find(str(args["email"]))
        if mailbox is None:
            raise Refused(f"no mailbox {args['email']}")
        return mailbox

    def _messages(self, mailbox: Mailbox, args: Json) -> list[Message]:
        chosen = as_list(args.get("id")) + as_list(args.get("ids"))
        missing = [message_id for message_id in chosen if message_id not in mailbox.messages]
        if missing:
            raise Refused(f"no message {missing[0]}")
        return [mailbox.messages[message_id] for message_id in chosen]


def shown_message(message: Message, *, with_raw: bool = False) -> Json:
    """A message for assertions."""
    content = message.content
    shown: Json = {
        "id": message.id,
        "thread_id": message.thread_id,
        "labels": shown_labels(message),
        "message_id": content.message_id,
        "subject": content.get("Subject"),
        "internal_date": message.internal_date,
        "history_id": str(message.history_id),
    }
    if with_raw:
        shown["raw"] = base64.b64encode(message.trace + content.raw).decode()
    return shown
