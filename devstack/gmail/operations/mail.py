"""Control operations: mail that arrives, and what users and outside persons do with it."""

from __future__ import annotations

import base64
import dataclasses

from devstack.gmail import arrival, delivery, drafts, filling, ui
from devstack.gmail.compose import as_list, build
from devstack.gmail.content import Content, addresses, without_headers
from devstack.gmail.operations.base import Operations, Refused, shown_message
from devstack.gmail.people import books
from devstack.gmail.threads import find_thread
from devstack.gmail.wire import Json
from devstack.gmail.world import Person


class MailOperations(Operations):
    """What people do."""

    def _raw(self, args: Json) -> bytes:
        if args.get("raw") is not None:
            return base64.b64decode(args["raw"])
        return build(args.get("fields") or {}, self.world.clock.now())

    def op_deliver(self, args: Json) -> Json:
        """A mail from outside arrives: raw (base64) or fields; to? (envelope), mail_from?, spam?, auth?."""
        content = Content(self._raw(args))
        recipients = as_list(args.get("to")) or [
            email for _, email in addresses(content.get_all("To", "Cc", "Bcc"))
        ]
        if content.get_all("Bcc") and args.get("raw") is None:
            content = Content(without_headers(content.raw, "Bcc"))
        sender = args.get("mail_from")
        if sender is None:
            sender = next((email for _, email in addresses(content.get_all("From"))), "")
        arrived = delivery.deliver(
            self.world,
            content,
            recipients,
            str(sender),
            spam=bool(args.get("spam")),
            auth=str(args.get("auth") or "pass"),
        )
        return {
            "message_id": content.message_id,
            "ids": {email: message.id for email, message in arrived.items()},
            "threads": {email: message.thread_id for email, message in arrived.items()},
        }

    def op_insert(self, args: Json) -> Json:
        """Put mails into a mailbox as they are: mails = [{raw|fields, labels?, internal_date? (ms), thread_id?}]."""
        mailbox = self._mailbox(args)
        made = []
        for item in args["mails"]:
            content = Content(self._raw(item))
            thread = item.get("thread_id") or find_thread(mailbox, content)
            labels = item.get("labels", ["INBOX"])
            made.append(
                mailbox.add(content, labels, thread_id=thread, internal_date=item.get("internal_date"))
            )
        return {"ids": [message.id for message in made]}

    def op_fill(self, args: Json) -> Json:
        """Made-up mail for a mailbox: count, senders?, seed?, text_bytes?."""
        made = filling.fill(
            self._mailbox(args),
            int(args["count"]),
            as_list(args.get("senders")) or ["lead@out.example"],
            seed=int(args.get("seed") or 1),
            text_bytes=int(args.get("text_bytes") or 600),
        )
        return {"ids": [message.id for message in made]}

    def op_open_many(self, args: Json) -> Json:
        """Many accounts at once: count, prefix?, domain?, messages?, senders?, history_start?, granted? (tokens)."""
        opened = filling.open_many(
            self.world,
            int(args["count"]),
            prefix=str(args.get("prefix") or "user"),
            domain=str(args.get("domain") or "corp.example"),
            messages=int(args.get("messages") or 0),
            senders=as_list(args.get("senders")) or ["lead@out.example"],
            history_start=int(args.get("history_start") or 0),
        )
        if not args.get("granted"):
            return {"emails": opened}
        client, now = next(iter(self.world.settings.clients.values())), self.world.clock.now()
        tokens = [self.world.grants.give(email, client.id, client.project, now) for email in opened]
        return {"emails": opened, "tokens": tokens}

    def op_send(self, args: Json) -> Json:
        """The user sends from Gmail's page: fields or raw, thread_id?, autosaves?."""
        mailbox = self._mailbox(args)
        raw = base64.b64decode(args["raw"]) if args.get("raw") is not None else None
        sent = ui.write(
            self.world,
            mailbox,
            args.get("fields") or {},
            thread_id=str(args.get("thread_id") or ""),
            autosaves=int(args.get("autosaves") or 0),
            raw=raw,
        )
        return shown_message(sent)

    def op_reply(self, args: Json) -> Json:
        """The user answers: id, fields (text, cc, ...), everyone?, autosaves?."""
        mailbox = self._mailbox(args)
        (message,) = self._messages(mailbox, args)
        fields = args.get("fields") or {}
        saves = int(args.get("autosaves") or 0)
        return shown_message(
            ui.reply(
                self.world, mailbox, message, fields, everyone=bool(args.get("everyone")), autosaves=saves
            )
        )

    def op_forward(self, args: Json) -> Json:
        """The user forwards: id, fields (to, text, ...)."""
        mailbox = self._mailbox(args)
        (message,) = self._messages(mailbox, args)
        saves = int(args.get("autosaves") or 0)
        return shown_message(
            ui.forward(self.world, mailbox, message, args.get("fields") or {}, autosaves=saves)
        )

    def op_draft(self, args: Json) -> Json:
        """Gmail saves a draft: fields or raw, draft_id? (an existing one), thread_id?."""
        mailbox = self._mailbox(args)
        fields = {"from": mailbox.email, **(args.get("fields") or {})}
        raw = self._raw({"raw": args.get("raw"), "fields": fields})
        thread = str(args.get("thread_id") or "")
        if args.get("draft_id"):
            draft_id = str(args["draft_id"])
            message = drafts.save(self.world, mailbox, draft_id, raw, thread)
        else:
            draft_id, message = drafts.create(self.world, mailbox, raw, thread)
        return {"draft_id": draft_id, **shown_message(message)}

    def op_modify(self, args: Json) -> Json:
        """The user changes labels: id or ids, add?, remove?."""
        mailbox = self._mailbox(args)
        ui.file(mailbox, self._messages(mailbox, args), args.get("add"), args.get("remove"))
        return {}

    def op_move(self, args: Json) -> Json:
        """The user moves mails: id or ids, to = trash, spam, inbox, archive, or nowhere (for ever)."""
        mailbox = self._mailbox(args)
        messages = self._messages(mailbox, args)
        place = str(args["to"])
        if place == "trash":
            ui.trash(mailbox, messages)
        elif place == "spam":
            ui.spam(mailbox, messages)
        elif place == "inbox":
            mailbox.change_labels(messages, ["INBOX"], ["TRASH", "SPAM"])
        elif place == "archive":
            mailbox.change_labels(messages, [], ["INBOX"])
        elif place == "nowhere":
            for message in messages:
                arrival.erase(mailbox, message.id)
        else:
            raise Refused(f"no place {place}")
        return {}

    def op_expire_history(self, args: Json) -> Json:
        """Forget the history so far (or up to `upto`)."""
        mailbox = self._mailbox(args)
        mailbox.history.expire(int(args["upto"]) if args.get("upto") else None)
        return {"history_id": str(mailbox.history.current)}

    def op_publish(self, args: Json) -> Json:
        """Send a notification now: history_id? (current), whatever is watched."""
        mailbox = self.world.find(str(args["email"]))
        current = mailbox.history.current if mailbox else 1
        self.pusher.publish(str(args["email"]), int(args.get("history_id") or current))
        return {}

    def op_put_contact(self, args: Json) -> Json:
        """Add or change Google contacts: people = [{name, emails, phones?, resource_name?}], other?."""
        book = books(self.world.extensions, self._mailbox(args).email)[1 if args.get("other") else 0]
        names = []
        for person in args["people"]:
            emails, phones = as_list(person.get("emails")), as_list(person.get("phones"))
            names.append(
                book.put(
                    str(person.get("name") or ""), emails, phones, str(person.get("resource_name") or "")
                )
            )
            if person.get("replaces"):
                book.move(str(person["replaces"]), names[-1])
        return {"resource_names": names}

    def op_delete_contact(self, args: Json) -> Json:
        """Delete a Google contact: resource_name."""
        name = str(args["resource_name"])
        books(self.world.extensions, self._mailbox(args).email)[name.startswith("otherContacts/")].delete(
            name
        )
        return {}

    def op_expire_sync_tokens(self, args: Json) -> Json:
        """All People sync tokens of a mailbox die."""
        for book in books(self.world.extensions, self._mailbox(args).email):
            book.tokens.clear()
        return {}

    def op_person(self, args: Json) -> Json:
        """What somebody outside does with mail; the fields of `world.Person`, `email` may be `*@domain`."""
        person = Person(**args)
        self.world.persons[person.email.lower()] = person
        return dataclasses.asdict(person)

    def op_rules(self, args: Json) -> Json:
        """The mailbox's settings: filters = [{criteria, action}], forward_to, forward_disposition, vacation."""
        rules = self._mailbox(args).rules
        for i, rule in enumerate(args.get("filters") or []):
            rules.filters[f"ANe1Bm{len(rules.filters)}{i}"] = rule
        rules.forward_to = str(args.get("forward_to", rules.forward_to) or "")
        rules.forward_disposition = str(args.get("forward_disposition") or rules.forward_disposition)
        rules.vacation = dict(args.get("vacation", rules.vacation) or {})
        return dataclasses.asdict(rules)

    def op_create_label(self, args: Json) -> Json:
        """The user makes a label: name. Answers its id."""
        mailbox = self._mailbox(args)
        label_id = mailbox.new_label(str(args["name"]))
        return {"id": label_id}
