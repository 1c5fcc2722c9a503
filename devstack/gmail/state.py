"""The emulator's state on disk: one JSON file of facts, and beside it one file of mails that only grows.

`FILE` names every mail by its place in `FILE.mails`, so that a save writes only mails that are new.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from devstack.gmail.content import Content
from devstack.gmail.grants import AccessToken, RefreshToken
from devstack.gmail.history import Change, Record
from devstack.gmail.mailbox import Mailbox, Message, Rules, SendAs, Watch, label_set, place
from devstack.gmail.people import Book, books
from devstack.gmail.people import Person as Contact
from devstack.gmail.world import Outgoing, Person, World

VERSION = 1
Place = tuple[int, int]


class StateFile:
    """Where a world is kept."""

    def __init__(self, path: Path, world: World) -> None:
        self.path = path
        self.mails = path.with_name(path.name + ".mails")
        self.world = world
        self.places: dict[int, tuple[Content, Place]] = {}
        self.saved: tuple[int, ...] = ()

    def signature(self) -> tuple[int, ...]:
        """Numbers that differ once something worth saving has happened."""
        world = self.world
        return (
            len(world.mailboxes),
            sum(mailbox.history.current for mailbox in world.mailboxes.values()),
            len(world.grants.refresh),
            sum(1 for token in world.grants.refresh.values() if token.dead),
            sum(
                book.version
                for mailbox in world.mailboxes.values()
                for book in books(world.extensions, mailbox.email)
            ),
            len(world.persons),
        )

    def save_changes(self) -> None:
        """Save if something happened since the last time."""
        if self.signature() != self.saved:
            self.save()

    # --- saving

    def save(self) -> None:
        """Write everything; a crash in between leaves the former state."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        end = self.mails.stat().st_size if self.mails.exists() else 0
        with self.mails.open("ab") as out:

            def keep(content: Content) -> Place:
                nonlocal end
                known = self.places.get(id(content))
                if known is not None:
                    return known[1]
                where = (end, len(content.raw))
                out.write(content.raw)
                end += len(content.raw)
                self.places[id(content)] = (content, where)
                return where

            world = self.world
            grants = world.grants
            facts = {
                "version": VERSION,
                "clock_offset": world.clock.offset,
                "mailboxes": [saved_mailbox(mailbox, world, keep) for mailbox in world.mailboxes.values()],
                "aliases": world.aliases,
                "persons": [dataclasses.asdict(person) for person in world.persons.values()],
                "outbox": [
                    [m.at, m.sender, m.recipients, keep(Content(m.raw))] for m in world.outbox[-1000:]
                ],
                "refresh": [dataclasses.asdict(token) for token in grants.refresh.values()],
                "access": {
                    key: {**dataclasses.asdict(token), "scopes": sorted(token.scopes)}
                    for key, token in grants.access.items()
                    if token.expires_at > world.clock.now()
                },
                "consented": [[*key, sorted(scopes)] for key, scopes in grants.consented.items()],
            }
        partial = self.path.with_name(self.path.name + ".new")
        partial.write_text(json.dumps(facts, separators=(",", ":")))
        partial.replace(self.path)
        self.saved = self.signature()

    # --- loading

    def load(self) -> None:
        """Read the state into the world; nothing happens where there is none."""
        if not self.path.exists():
            return
        facts = json.loads(self.path.read_text())
        blob = self.mails.read_bytes() if self.mails.exists() else b""
        known: dict[Place, Content] = {}

        def content_at(where: list[int]) -> Content:
            key = (where[0], where[1])
            if key not in known:
                known[key] = content = Content(blob[key[0] : key[0] + key[1]])
                self.places[id(content)] = (content, key)
            return known[key]

        world = self.world
        world.clock.offset = float(facts["clock_offset"])
        for item in facts["mailboxes"]:
            load_mailbox(world, item, content_at)
        world.aliases.update(facts["aliases"])
        for person in facts["persons"]:
            world.persons[person["email"].lower()] = Person(**person)
        world.outbox += [
            Outgoing(at, who, to, content_at(where).raw) for at, who, to, where in facts["outbox"]
        ]
        grants = world.grants
        for token in facts["refresh"]:
            grants.remember(RefreshToken(**{**token, "scopes": tuple(token["scopes"])}))
        for key, token in facts["access"].items():
            grants.access[key] = AccessToken(**{**token, "scopes": frozenset(token["scopes"])})
        for email, project, scopes in facts["consented"]:
            grants.consented[(email, project)] = set(scopes)


def saved_mailbox(mailbox: Mailbox, world: World, keep: Any) -> dict[str, Any]:
    """A mailbox as JSON."""
    history = mailbox.history
    return {
        "email": mailbox.email,
        "name": mailbox.name,
        "sub": mailbox.sub,
        "password": mailbox.password,
        "mail_enabled": mailbox.mail_enabled,
        "labels": mailbox.labels,
        "next_label": mailbox.next_label,
        "drafts": mailbox.drafts,
        "send_as": [dataclasses.asdict(address) for address in mailbox.send_as.values()],
        "watches": {project: dataclasses.asdict(watch) for project, watch in mailbox.watches.items()},
        "rules": dataclasses.asdict(mailbox.rules),
        "sent_at": mailbox.sent_at,
        "history": [history.current, history.floor],
        "records": [
            [r.id, r.at, [[c.kind, c.message_id, c.thread_id, c.labels, c.after] for c in r.changes]]
            for r in history.records
        ],
        "messages": [
            [
                m.id,
                m.thread_id,
                sorted(m.labels),
                m.internal_date,
                m.added_at,
                m.history_id,
                keep(m.content),
                m.trace.decode("latin-1"),
            ]
            for m in mailbox.messages.values()
        ],
        "books": [dataclasses.asdict(book) for book in books(world.extensions, mailbox.email)],
    }


def load_mailbox(world: World, item: dict[str, Any], content_at: Any) -> None:
    """A mailbox from JSON."""
    mailbox = world.create_mailbox(item["email"], item["name"], item["password"])
    mailbox.sub, mailbox.mail_enabled = item["sub"], item["mail_enabled"]
    mailbox.labels, mailbox.next_label, mailbox.drafts = item["labels"], item["next_label"], item["drafts"]
    mailbox.send_as = {address["email"].lower(): SendAs(**address) for address in item["send_as"]}
    mailbox.watches = {
        project: Watch(**{**watch, "label_ids": tuple(watch["label_ids"])})
        for project, watch in item["watches"].items()
    }
    mailbox.rules = Rules(**item["rules"])
    mailbox.sent_at = [(at, count) for at, count in item["sent_at"]]
    for message_id, thread_id, labels, internal_date, added_at, history_id, where, trace in item["messages"]:
        message = Message(message_id, content_at(where), trace.encode("latin-1"), internal_date, added_at)
        message.thread_id, message.labels, message.history_id = thread_id, label_set(labels), history_id
        mailbox.restore(message)
    mailbox.order.sort(key=place)
    history = mailbox.history
    history.current, history.floor = item["history"]
    for record_id, at, changes in item["records"]:
        made = tuple(
            Change(kind, mid, tid, tuple(labels), tuple(after)) for kind, mid, tid, labels, after in changes
        )
        history.records.append(Record(record_id, at, made))
        history.ids.append(record_id)
    for book, saved in zip(books(world.extensions, mailbox.email), item["books"], strict=True):
        load_book(book, saved)


def load_book(book: Book, saved: dict[str, Any]) -> None:
    """A contact list from JSON."""
    book.version = saved["version"]
    book.tokens = {token: (version, at, shape) for token, (version, at, shape) in saved["tokens"].items()}
    for name, person in saved["persons"].items():
        book.persons[name] = Contact(**{**person, "previous": tuple(person["previous"])})
