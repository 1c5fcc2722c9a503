"""A small webmail: both sides of a conversation, by hand, in two windows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

from devstack.gmail import arrival, delivery, ui
from devstack.gmail.compose import build
from devstack.gmail.content import Content, addresses, written
from devstack.gmail.errors import ApiError
from devstack.gmail.mailbox import SYSTEM_LABELS, Mailbox, Message
from devstack.gmail.pages import page
from devstack.gmail.payload import shown_labels
from devstack.gmail.search import Query
from devstack.gmail.wire import Request, Response, as_html, redirect
from devstack.gmail.world import World

PAGE = 50
FOLDERS = ("INBOX", "SENT", "DRAFT", "STARRED", "SPAM", "TRASH")
ACTIONS: dict[str, tuple[list[str], list[str]]] = {
    "archive": ([], ["INBOX"]),
    "inbox": (["INBOX"], ["SPAM", "TRASH"]),
    "spam": (["SPAM"], ["INBOX"]),
    "trash": (["TRASH"], ["INBOX", "SPAM"]),
    "unread": (["UNREAD"], []),
    "star": (["STARRED"], []),
    "unstar": ([], ["STARRED"]),
}


class Webmail:
    """The pages under /webmail."""

    def __init__(self, world: World) -> None:
        self.world = world

    def handle(self, request: Request) -> Response:
        """One page, or one form and a redirect."""
        parts = [unquote(part) for part in request.path.split("/")[2:] if part]
        form = (
            {name: values[-1] for name, values in request.form().items()} if request.method == "POST" else {}
        )
        try:
            if not parts:
                return self._home(form)
            if parts[0] == "outside":
                return self._outside(request, form, parts[1:])
            mailbox = self.world.find(parts[0])
            if mailbox is None:
                return as_html(page("message.html", title="No such mailbox", text=parts[0]), 404)
            return self._mailbox(request, mailbox, form, parts[1:])
        except ApiError as error:
            return as_html(page("message.html", title="Gmail refused that", text=error.message), 400)

    # --- everybody

    def _home(self, form: dict[str, str]) -> Response:
        if form.get("email"):
            self.world.create_mailbox(form["email"].strip(), form.get("name", "").strip())
            return redirect("/webmail")
        accounts = sorted(self.world.mailboxes.values(), key=lambda mailbox: mailbox.email)
        shown = [
            (
                mailbox,
                sum(1 for message in mailbox.messages.values() if {"UNREAD", "INBOX"} <= message.labels),
            )
            for mailbox in accounts[:200]
        ]
        return as_html(page("home.html", accounts=shown, total=len(accounts), left=len(self.world.outbox)))

    # --- a mailbox

    def _mailbox(
        self, request: Request, mailbox: Mailbox, form: dict[str, str], parts: list[str]
    ) -> Response:
        place = parts[0] if parts else ""
        if place == "act" and form:
            return self._act(mailbox, form)
        if place == "send" and form:
            return self._send(mailbox, form)
        if place == "label" and form.get("name"):
            mailbox.new_label(form["name"].strip())
            return redirect(address_of(mailbox))
        if place == "write":
            return self._write(request, mailbox)
        if place == "m" and len(parts) == 2:
            return self._read(mailbox, parts[1])
        return self._list(request, mailbox)

    def _list(self, request: Request, mailbox: Mailbox) -> Response:
        label, text = request.one("label", "INBOX"), request.one("q")
        query = Query(text, mailbox) if text else None
        hidden = set() if label in ("SPAM", "TRASH") or (query and query.anywhere) else {"SPAM", "TRASH"}
        found: list[Message] = []
        for message in mailbox.newest_first():
            if not hidden.isdisjoint(message.labels - (query.places if query else frozenset())):
                continue
            if query.matches(message) if query else label in message.labels:
                found.append(message)
            if len(found) == PAGE:
                break
        rows = [summary(mailbox, message) for message in found]
        return as_html(page("mailbox.html", **self._frame(mailbox), rows=rows, label=label, q=text))

    def _frame(self, mailbox: Mailbox) -> dict[str, Any]:
        return {
            "mailbox": mailbox,
            "base": address_of(mailbox),
            "folders": FOLDERS,
            "labels": {label_id: str(label["name"]) for label_id, label in mailbox.labels.items()},
        }

    def _read(self, mailbox: Mailbox, message_id: str) -> Response:
        message = mailbox.messages.get(message_id)
        if message is None:
            return as_html(page("message.html", title="Gone", text="That message is not here any more."), 404)
        thread = mailbox.thread(message.thread_id)
        mailbox.change_labels(thread, [], ["UNREAD"])
        mails = [
            {**summary(mailbox, item), "body": item.content.text(), "files": files(item.content)}
            for item in thread
        ]
        return as_html(
            page("thread.html", **self._frame(mailbox), mails=mails, subject=message.content.get("Subject"))
        )

    def _write(self, request: Request, mailbox: Mailbox) -> Response:
        mode, message = request.one("mode"), mailbox.messages.get(request.one("id"))
        fields = {"to": request.one("to"), "cc": "", "subject": "", "mode": mode, "id": ""}
        if message is not None:
            own = {address.lower() for address in mailbox.send_as}
            content = message.content
            asked = content.get_all("Reply-To") or content.get_all("From")
            to = [written(*pair) for pair in addresses(asked) if pair[1].lower() not in own]
            to = to or [written(*pair) for pair in addresses(content.get_all("To"))]
            others = [written(*p) for p in addresses(content.get_all("To", "Cc")) if p[1].lower() not in own]
            fields["to"] = "" if mode == "forward" else ", ".join(to)
            fields["cc"] = ", ".join(item for item in others if item not in to) if mode == "reply-all" else ""
            fields["subject"] = ui.prefixed(content.get("Subject"), "Fwd:" if mode == "forward" else "Re:")
            fields["id"] = message.id
        return as_html(
            page("write.html", **self._frame(mailbox), fields=fields, senders=list(mailbox.send_as))
        )

    def _send(self, mailbox: Mailbox, form: dict[str, str]) -> Response:
        fields: dict[str, Any] = {
            name: form[name] for name in ("to", "cc", "bcc", "subject") if form.get(name, "").strip()
        }
        fields["text"] = form.get("text", "")
        if form.get("from"):
            sender = mailbox.send_as.get(form["from"].lower())
            fields["from"] = written((sender.name if sender else "") or mailbox.name, form["from"])
        message = mailbox.messages.get(form.get("id", ""))
        if message is None:
            sent = ui.write(self.world, mailbox, fields)
        elif form.get("mode") == "forward":
            sent = ui.forward(self.world, mailbox, message, fields)
        else:
            fields.setdefault("cc", "")
            sent = ui.reply(self.world, mailbox, message, fields, everyone=form.get("mode") == "reply-all")
        return redirect(f"{address_of(mailbox)}/m/{sent.id}")

    def _act(self, mailbox: Mailbox, form: dict[str, str]) -> Response:
        message = mailbox.messages.get(form.get("id", ""))
        action = form.get("action", "")
        if message is not None and action == "delete":
            arrival.erase(mailbox, message.id)
        elif message is not None and action in ACTIONS:
            mailbox.change_labels([message], *ACTIONS[action])
        elif message is not None and form.get("label") in mailbox.labels:
            label = form["label"]
            have = label in message.labels
            mailbox.change_labels([message], [] if have else [label], [label] if have else [])
        back = form.get("back", "")
        return redirect(back if back.startswith("/webmail/") else address_of(mailbox))

    # --- persons outside

    def _outside(self, request: Request, form: dict[str, str], parts: list[str]) -> Response:
        if form:
            fields = {name: form.get(name, "") for name in ("from", "to", "cc", "subject", "text")}
            fields |= {name: form[name] for name in ("in_reply_to", "references") if form.get(name)}
            content = Content(build(fields, self.world.clock.now()))
            to = [email for _, email in addresses(content.get_all("To", "Cc"))]
            sender = next((email for _, email in addresses([form.get("from", "")])), "")
            delivery.deliver(self.world, content, to, sender, spam=bool(form.get("spam")))
            return redirect("/webmail/outside")
        left = list(enumerate(self.world.outbox))[-PAGE:]
        rows = [
            {
                "n": n,
                "to": ", ".join(m.recipients),
                "subject": Content(m.raw).get("Subject"),
                "when": when(m.at),
            }
            for n, m in reversed(left)
        ]
        fields = {
            "from": request.one("from", "Lead <lead@out.example>"),
            "to": request.one("to"),
            "subject": "",
        }
        fields |= {"in_reply_to": "", "references": ""}
        opened: dict[str, str] | None = None
        if parts and parts[0].isdigit() and int(parts[0]) < len(self.world.outbox):
            mail = self.world.outbox[int(parts[0])]
            content = Content(mail.raw)
            opened = {"from": content.get("From"), "subject": content.get("Subject"), "body": content.text()}
            chain = ui.answered_chain(content)
            fields = {
                "from": mail.recipients[0],
                "to": content.get("Reply-To") or content.get("From"),
                "subject": ui.prefixed(content.get("Subject"), "Re:"),
                "in_reply_to": content.message_id,
                "references": " ".join(chain),
            }
        return as_html(page("outside.html", rows=rows, fields=fields, opened=opened))


def address_of(mailbox: Mailbox) -> str:
    """The mailbox's first page."""
    return f"/webmail/{quote(mailbox.email, safe='@')}"


def when(seconds: float) -> str:
    """A time as pages show it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%d %b %Y %H:%M")


def summary(mailbox: Mailbox, message: Message) -> dict[str, Any]:
    """What lists and threads show of a message."""
    content = message.content
    named = [
        str(mailbox.labels[label]["name"]) if label in mailbox.labels else label
        for label in shown_labels(message)
    ]
    return {
        "id": message.id,
        "from": content.get("From"),
        "to": ", ".join(content.get_all("To")),
        "cc": ", ".join(content.get_all("Cc")),
        "bcc": ", ".join(content.get_all("Bcc")),
        "subject": content.get("Subject") or "(no subject)",
        "snippet": " ".join(content.text()[:400].split())[:120],
        "when": when(message.internal_date / 1000),
        "unread": "UNREAD" in message.labels,
        "labels": [name for name in named if name not in ("UNREAD", "CATEGORY_PERSONAL")],
        "system": [name for name in SYSTEM_LABELS if name in message.labels],
    }


def files(content: Content) -> list[str]:
    """The names of the attachments."""
    return [str(part.get_filename()) for part in content.mime().walk() if part.get_filename()]
