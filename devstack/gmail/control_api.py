"""The control API under /emulator/: JSON in, JSON out, one operation a path."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from devstack.gmail import arrival, delivery, drafts, filling, ui
from devstack.gmail.behaviour import AWKWARD, Behaviour, Client
from devstack.gmail.compose import as_list, build
from devstack.gmail.content import Content, addresses, without_headers
from devstack.gmail.errors import ApiError
from devstack.gmail.faults import Fault, Faults
from devstack.gmail.grants import REVOKED
from devstack.gmail.mailbox import Mailbox, Message, SendAs
from devstack.gmail.methods import AUTH, FULL
from devstack.gmail.oauth import OAuth, consent_query
from devstack.gmail.payload import shown_labels
from devstack.gmail.people import books
from devstack.gmail.push import Pusher
from devstack.gmail.threads import find_thread
from devstack.gmail.wire import Json, Request, Response, as_json
from devstack.gmail.world import Person, World

GMAIL_SCOPES = (FULL, AUTH + "gmail.")


class Refused(Exception):
    """A control call that makes no sense; its text goes back with 400."""


class ControlApi:
    """Operations for tests, demos and benchmarks; every `op_<name>` is one path."""

    def __init__(self, world: World, faults: Faults, oauth: OAuth, pusher: Pusher) -> None:
        self.world = world
        self.faults = faults
        self.oauth = oauth
        self.pusher = pusher

    def handle(self, request: Request) -> Response:
        """Run the operation that the path names."""
        name = request.path.removeprefix("/emulator/").strip("/").replace("-", "_")
        operation: Callable[[Json], Any] | None = getattr(self, f"op_{name}", None)
        if operation is None:
            return as_json({"error": f"no operation {name}"}, 404)
        try:
            args: Json = json.loads(request.body) if request.body.strip() else {}
            args = {key: values[-1] for key, values in request.query.items()} | args
            return as_json(operation(args))
        except ApiError as error:
            return error.response()
        except (Refused, KeyError, ValueError, TypeError) as error:
            return as_json({"error": f"{type(error).__name__}: {error}"}, 400)

    # --- who

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

    def op_health(self, args: Json) -> Json:
        """Whether it runs."""
        return {"ok": True}

    def op_configure(self, args: Json) -> Json:
        """Change identities: where pushes go, the topic, the OAuth clients, smtp_routes."""
        settings = self.world.settings
        for name in ("push_endpoint", "push_audience", "push_service_account", "topic", "subscription"):
            if name in args:
                setattr(settings, name, str(args[name] or ""))
        for client in args.get("clients") or []:
            self.world.add_client(Client(**client))
        if args.get("client_id"):
            client_id = str(args["client_id"])
            project = settings.topic.split("/")[1]
            self.world.add_client(
                Client(client_id, str(args.get("client_secret") or ""), args.get("project") or project)
            )
        for domain, target in (args.get("smtp_routes") or {}).items():
            host, _, port = str(target).rpartition(":")
            settings.smtp_routes[str(domain).lower()] = (host or "127.0.0.1", int(port))
        return {"topic": settings.topic, "push_endpoint": settings.push_endpoint}

    def op_behaviour(self, args: Json) -> Json:
        """Set switches by name; answers all of them."""
        known = {field.name: field.type for field in dataclasses.fields(Behaviour)}
        for name, value in args.items():
            if name not in known:
                raise Refused(f"no switch {name}")
            setattr(self.world.behaviour, name, value)
        if "seed" in args:
            self.world.random.seed(args["seed"])
        return dataclasses.asdict(self.world.behaviour)

    def op_reset_behaviour(self, args: Json) -> Json:
        """All switches back to their defaults, no faults."""
        self.faults.active.clear()
        return self.op_behaviour(dataclasses.asdict(Behaviour()))

    def op_awkward(self, args: Json) -> Json:
        """Turn on all that real Gmail may do; `except` names switches to leave alone."""
        left = set(as_list(args.get("except")))
        return self.op_behaviour({name: value for name, value in AWKWARD.items() if name not in left})

    def op_clock(self, args: Json) -> Json:
        """Move the clock: `offset` seconds from real time, or `advance` by seconds."""
        clock = self.world.clock
        clock.offset = (
            float(args["offset"]) if "offset" in args else clock.offset + float(args.get("advance", 0))
        )
        return {"now": clock.now(), "offset": clock.offset}

    def op_rotate_keys(self, args: Json) -> Json:
        """Sign with a new key; `keep_old` (default true) keeps the former one published."""
        self.world.keys.rotate(keep_old=bool(args.get("keep_old", True)))
        return {"kids": [key.kid for key in self.world.keys.keys]}

    # --- accounts

    def op_create_mailbox(self, args: Json) -> Json:
        """Open an account: email, password?, name?, aliases?, history_start?."""
        aliases = tuple(as_list(args.get("aliases")))
        mailbox = self.world.create_mailbox(
            str(args["email"]),
            str(args.get("name") or ""),
            str(args.get("password") or ""),
            aliases,
            int(args.get("history_start") or 0),
        )
        if args.get("contacts"):
            self.op_put_contact({"email": mailbox.email, "people": args["contacts"]})
        return {"email": mailbox.email, "sub": mailbox.sub, "history_id": str(mailbox.history.current)}

    def op_mail_service(self, args: Json) -> Json:
        """Turn the account's Gmail off or on: `enabled`."""
        mailbox = self._mailbox(args)
        mailbox.mail_enabled = bool(args.get("enabled", True))
        return {"enabled": mailbox.mail_enabled}

    def op_send_as(self, args: Json) -> Json:
        """Add or change an address that the user may write as: address, verified?, name?, receives?, default?."""
        mailbox = self._mailbox(args)
        address = str(args["address"])
        self.world.add_alias(
            mailbox,
            address,
            verified=bool(args.get("verified", True)),
            receives=bool(args.get("receives", True)),
        )
        entry: SendAs = mailbox.send_as[address.lower()]
        entry.name = str(args.get("name") or entry.name)
        if args.get("default"):
            for other in mailbox.send_as.values():
                other.default = other is entry
        return {"addresses": list(mailbox.send_as)}

    def op_change_password(self, args: Json) -> Json:
        """A new password ends every grant with Gmail scopes."""
        mailbox = self._mailbox(args)
        mailbox.password = str(args.get("password") or "changed")
        grants, now = self.world.grants, self.world.clock.now()
        works = self.world.behaviour.revoked_access_token_works_s
        projects = {
            token.project
            for token in grants.refresh.values()
            if token.email == mailbox.email and any(scope.startswith(GMAIL_SCOPES) for scope in token.scopes)
        }
        died = sum(grants.kill(mailbox.email, project, now, access_works_s=works) for project in projects)
        return {"tokens_ended": died}

    def op_revoke_grant(self, args: Json) -> Json:
        """The user removes the app; `why` gives another token error, `subtype` a re-auth one."""
        mailbox = self._mailbox(args)
        works = self.world.behaviour.revoked_access_token_works_s
        if args.get("subtype"):
            tokens = [t for t in self.world.grants.refresh.values() if t.email == mailbox.email]
            for token in tokens:
                token.subtype = str(args["subtype"])
            return {"tokens_ended": len(tokens)}
        died = self.world.grants.kill(
            mailbox.email,
            args.get("project"),
            self.world.clock.now(),
            why=str(args.get("why") or REVOKED),
            access_works_s=works,
        )
        return {"tokens_ended": died}

    def op_expire_access_tokens(self, args: Json) -> Json:
        """End all access tokens (of one mailbox), refresh tokens stay."""
        email = self._mailbox(args).email if args.get("email") else None
        now = self.world.clock.now()
        for access in self.world.grants.access.values():
            if email in (None, access.email):
                access.dead_at = access.dead_at or now
        return {}

    def op_token(self, args: Json) -> Json:
        """An access token for a mailbox without the consent flow: `scopes`."""
        mailbox = self._mailbox(args)
        client = next(iter(self.world.settings.clients.values()))
        scopes = tuple(as_list(args.get("scopes")) or [FULL])
        expires = self.world.clock.now() + float(args.get("expires_in") or 3599)
        return {
            "access_token": self.world.grants.new_access(
                mailbox.email, client.id, client.project, scopes, expires
            )
        }

    def op_consent(self, args: Json) -> Json:
        """Go through the consent page: authorization_url, email, scopes? (those ticked), deny?, lasts_s?."""
        url = str(args["authorization_url"])
        query = consent_query(url)
        problem = self.oauth.check_request(query)
        if problem is not None:
            raise Refused(f"the consent page shows an error: {problem.body[:2000].decode()}")
        if args.get("deny"):
            return {"redirect": self.oauth.deny(query)}
        ticked = args.get("scopes")
        chosen = None if ticked is None else as_list(ticked)
        redirect = self.oauth.grant(
            query, self._mailbox(args), chosen, lasts_s=float(args.get("lasts_s") or 0)
        )
        return {"redirect": redirect, "path": urlsplit(redirect).path}

    # --- mail

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

    # --- faults

    def op_fault(self, args: Json) -> Json:
        """Add a fault; see `faults.Fault` for its fields."""
        self.faults.active.append(Fault(**args))
        return {"active": len(self.faults.active)}

    def op_faults(self, args: Json) -> Json:
        """The faults and how often each struck."""
        return {"faults": [{"method": f.method, "struck": f.struck} for f in self.faults.active]}

    def op_clear_faults(self, args: Json) -> Json:
        """No faults any more."""
        self.faults.active.clear()
        return {}

    # --- looking

    def op_mailboxes(self, args: Json) -> Json:
        """All accounts with their totals."""
        return {
            "mailboxes": [
                {
                    "email": m.email,
                    "name": m.name,
                    "messages": len(m.messages),
                    "history_id": str(m.history.current),
                }
                for m in self.world.mailboxes.values()
            ]
        }

    def op_mailbox(self, args: Json) -> Json:
        """All messages of a mailbox, oldest first; `raw` adds the bytes (base64)."""
        mailbox = self._mailbox(args)
        with_raw = str(args.get("raw", "")).lower() in ("true", "1")
        messages = [entry[2] for entry in mailbox.order]
        return {
            "email": mailbox.email,
            "history_id": str(mailbox.history.current),
            "messages": [shown_message(message, with_raw=with_raw) for message in messages],
            "drafts": dict(mailbox.drafts),
            "watches": {
                p: {"topic": w.topic, "expires_at": w.expires_at} for p, w in mailbox.watches.items()
            },
        }

    def op_outbox(self, args: Json) -> Json:
        """Mails that left for addresses outside; `to` filters, `since` skips the first ones."""
        wanted = str(args.get("to") or "").lower()
        found = [m for m in self.world.outbox if not wanted or wanted in [r.lower() for r in m.recipients]]
        return {
            "mails": [
                {
                    "at": m.at,
                    "sender": m.sender,
                    "recipients": m.recipients,
                    "raw": base64.b64encode(m.raw).decode(),
                }
                for m in found[int(args.get("since") or 0) :]
            ]
        }

    def op_request_log(self, args: Json) -> Json:
        """Requests that match: method, mailbox, path_id (or id), form (or format), status; newest last."""
        method, mailbox = args.get("method"), str(args.get("mailbox") or "").lower()
        path_id = args.get("path_id") or args.get("id")
        form = args.get("form") or args.get("format")
        status, since = args.get("status"), float(args.get("since") or 0)
        found = [
            entry
            for entry in self.world.requests
            if (not method or entry.method in (method, f"gmail.users.{method}"))
            and (not mailbox or entry.mailbox.lower() == mailbox)
            and (not path_id or entry.path_id == path_id)
            and (not form or entry.form == form)
            and (not status or entry.status == int(status))
            and entry.at >= since
        ]
        if args.get("count"):
            return {
                "count": len(found),
                "units": sum(e.units for e in found if e.status != 429),
                "bytes": sum(e.bytes for e in found),
            }
        return {"requests": [dataclasses.asdict(entry) for entry in found]}

    def op_push_log(self, args: Json) -> Json:
        """Pushes as they left, with the endpoint's status (0: no answer)."""
        wanted = str(args.get("email") or "").lower()
        return {
            "pushes": [
                dataclasses.asdict(p) for p in self.world.pushes if not wanted or p.mailbox.lower() == wanted
            ]
        }

    def op_clear_log(self, args: Json) -> Json:
        """Empty the request and push logs."""
        self.world.requests.clear()
        self.world.pushes.clear()
        return {}

    def op_clear(self, args: Json) -> Json:
        """Forget all accounts, grants, mails, logs and faults; identities and switches stay."""
        world = self.world
        for state in (
            world.mailboxes,
            world.aliases,
            world.persons,
            world.outbox,
            world.requests,
            world.pushes,
            world.extensions,
        ):
            state.clear()
        world.grants = type(world.grants)()
        self.faults.active.clear()
        return {}

    def op_stats(self, args: Json) -> Json:
        """Counts."""
        world = self.world
        return {
            "mailboxes": len(world.mailboxes),
            "messages": sum(len(m.messages) for m in world.mailboxes.values()),
            "requests": len(world.requests),
            "units": sum(entry.units for entry in world.requests),
            "pushes": len(world.pushes),
            "outbox": len(world.outbox),
            "refresh_tokens": sum(1 for token in world.grants.refresh.values() if not token.dead),
        }


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
