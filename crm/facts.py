"""Loads the facts by which a page is decided (`crm.world`): one query, however many headlines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from crm.addresses import domain_of, email_key, mailbox_key
from crm.headline import Headline
from crm.world import (
    ContactRef,
    KnownMessage,
    Pause,
    ThreadRef,
    World,
    ancestors,
    id_hash,
    id_key,
    people,
    stamp_of,
)
from mail import bounce, forward
from mail.message import Mail
from models import Account
from models.states import Direction

A_FEW_TRIES = 3
"""About half a minute; so long a mail that syncs by itself waits for an earlier one of its Gmail thread."""

# OFFSET 0 keeps each look-up what it is, one index probe per key: before a young table has statistics the planner
# would rather read a whole location for every message. Where another index begins with the account, account_id || ''
# leaves only the primary key, which begins with gmail_id: a plan made for a small table is kept while it grows.
_FACTS = text(
    r"""
SELECT 'location' AS fact, jsonb_build_array(inbound_scope, internal_domains, internal_addresses) AS data
  FROM locations WHERE id = :location_id
UNION ALL
SELECT 'user', jsonb_build_array(email_key) FROM (
    SELECT email_key FROM users WHERE location_id = :location_id
    UNION ALL
    SELECT email_key FROM accounts WHERE location_id = :location_id
    UNION ALL
    SELECT l.email_key FROM accounts a JOIN account_aliases l ON l.account_id = a.id AND l.verified
     WHERE a.location_id = :location_id
  ) own
 WHERE email_key = ANY(:keys)
    OR (email_key ~ '@(gmail|googlemail)\.com$'
        AND replace(split_part(split_part(email_key, '@', 1), '+', 1), '.', '') || '@gmail.com' = ANY(:keys))
UNION ALL
SELECT 'own', jsonb_build_array(email_key)
  FROM account_aliases WHERE account_id = :account_id AND verified
UNION ALL
SELECT 'pause', jsonb_build_array(rule, extract(epoch FROM started_at), extract(epoch FROM ended_at))
  FROM account_pauses WHERE account_id = :account_id
UNION ALL
SELECT 'kept', jsonb_build_array(d.gmail_id, g.message_id)
  FROM unnest(CAST(:gmail_ids AS text[])) AS i(id)
 CROSS JOIN LATERAL (
    SELECT gmail_id FROM decisions
     WHERE gmail_id = i.id AND account_id || '' = :account_id AND outcome = 'synced' OFFSET 0) d
 CROSS JOIN LATERAL (
    SELECT message_id FROM gmail_messages
     WHERE gmail_id = i.id AND account_id || '' = :account_id OFFSET 0) g
UNION ALL
SELECT 'pending', jsonb_build_array(gmail_thread_id, gmail_id, extract(epoch FROM internal_date), attempts)
  FROM decisions
 WHERE account_id = :account_id AND gmail_thread_id = ANY(:gmail_threads)
   AND outcome = 'failed' AND attempts <= 8
UNION ALL
SELECT 'auto_bcc', jsonb_build_array(auto_bcc_token, id)
  FROM users WHERE auto_bcc_token = ANY(:tokens) AND location_id = :location_id
UNION ALL
SELECT 'contact', jsonb_build_array(
           a.email_key, c.id, c.assigned_user_id, extract(epoch FROM c.created_at), v.id)
  FROM contact_addresses a JOIN contacts c ON c.id = a.contact_id AND c.deleted_at IS NULL
  LEFT JOIN conversations v ON v.contact_id = c.id
 WHERE a.location_id = :location_id AND a.email_key = ANY(:keys)
UNION ALL
SELECT 'thread', jsonb_build_array(
           g.gmail_thread_id, t.id, v.contact_id, t.mixed, extract(epoch FROM g.created_at), v.id)
  FROM gmail_threads g JOIN threads t ON t.id = g.thread_id
  JOIN conversations v ON v.id = t.conversation_id
  JOIN contacts c ON c.id = v.contact_id AND c.deleted_at IS NULL
 WHERE g.account_id = :account_id AND g.gmail_thread_id = ANY(:gmail_threads) AND t.message_count > 0
UNION ALL
SELECT k.fact, jsonb_build_array(
           k.key, m.id, m.thread_id, m.contact_id, m.mixed, m.author,
           m.direction, extract(epoch FROM m.created_at), m.conversation_id)
  FROM (
    SELECT 'known' AS fact, i.id AS key, f.id
      FROM unnest(CAST(:ids AS text[])) AS i(id)
     CROSS JOIN LATERAL (
        SELECT id FROM messages WHERE location_id = :location_id AND message_id_header = i.id OFFSET 0) f
    UNION ALL
    SELECT 'key', i.key, f.message_id
      FROM unnest(CAST(:id_keys AS text[])) AS i(key)
     CROSS JOIN LATERAL (
        SELECT message_id FROM match_keys WHERE location_id = :location_id AND key = i.key OFFSET 0) f
    UNION ALL
    SELECT 'stamp', stamp, id FROM messages WHERE stamp = ANY(:stamps) AND location_id = :location_id
  ) k
 CROSS JOIN LATERAL (
    SELECT m.id, m.thread_id, m.direction, m.created_at, m.conversation_id, v.contact_id, t.mixed,
           coalesce((SELECT p.email_key FROM participants p
                      WHERE p.message_id = m.id AND p.role = 'from' AND p.position = 0),
                    m.from_email) AS author
      FROM messages m
      JOIN threads t ON t.id = m.thread_id
      JOIN conversations v ON v.id = t.conversation_id
      JOIN contacts c ON c.id = v.contact_id AND c.deleted_at IS NULL
     WHERE m.id = k.id AND m.hidden_by IS NULL
    OFFSET 0) m
UNION ALL
SELECT 'left', jsonb_build_array(d.message_id_hash)
  FROM decisions d JOIN accounts a ON a.id = d.account_id AND a.location_id = :location_id
 WHERE d.left_thread AND d.message_id_hash = ANY(:id_hashes)
"""
)


def load_world(
    session: Session,
    account: Account,
    headlines: Sequence[Headline],
    auto_bcc_domain: str,
    bodies: Mapping[str, Mail] | None = None,
) -> World:
    """The facts for a page of one mailbox.

    Args:
        auto_bcc_domain: the domain of the auto-BCC addresses (S16).
        bodies: whole mails by Gmail id, as far as they were fetched: notices name the mail that they are about.
    """
    world = load_location_world(
        session,
        account.location_id,
        headlines,
        auto_bcc_domain,
        bodies=bodies,
        account_id=account.id,
        own=(account.email,),
    )
    world.user_id = account.user_id
    world.account_id = account.id
    world.connected_at = account.connected_at
    return world


def load_location_world(
    session: Session,
    location_id: str,
    headlines: Sequence[Headline],
    auto_bcc_domain: str,
    *,
    bodies: Mapping[str, Mail] | None = None,
    account_id: str = "",
    own: Iterable[str] = (),
) -> World:
    """The facts of a location for mails of no connected mailbox; `load_world` is the one of a mailbox.

    Args:
        own: addresses of the person whose mail it is, so that they do not count as a colleague's.
    """
    mails = [headline.mail for headline in headlines]
    whole = list((bodies or {}).values())
    keys = {email_key(address.email) for mail in (*mails, *whole) for address in people(mail)}
    keys.update(email_key(address) for address in own)
    keys.update(email_key(sender.email) for mail in whole if (sender := forward.original_sender(mail)))
    ids = {own for mail in mails for own in (mail.message_id, *ancestors(mail)) if own}
    for mail in whole:
        notice = bounce.read(mail)
        ids.update(bounce.original_ids(mail, notice))
        keys.update(email_key(one) for one in (notice.recipients if notice else ()))
    domain = auto_bcc_domain.lower()
    tokens = [key.rpartition("@")[0] for key in keys if domain_of(key) == domain]
    rows = session.execute(
        _FACTS,
        {
            "location_id": location_id,
            "account_id": account_id,
            "keys": list(keys | {mailbox_key(key) for key in keys}),
            "tokens": tokens,
            "gmail_ids": [headline.gmail_id for headline in headlines],
            "gmail_threads": list({headline.gmail_thread_id for headline in headlines}),
            "ids": list(ids),
            "id_keys": [id_key(one) for one in ids],
            "id_hashes": [id_hash(one) for one in ids],
            "stamps": [stamp for mail in mails if (stamp := stamp_of(mail))],
        },
    )
    world = _World(location_id, domain).read(rows)
    world.own_keys = world.own_keys.union(mailbox_key(address) for address in own)
    return world


class _World:
    """Builds a World out of the rows of `_FACTS`."""

    def __init__(self, location_id: str, auto_bcc_domain: str) -> None:
        self.world = World(location_id, auto_bcc_domain=auto_bcc_domain)
        self.users: set[str] = set()
        self.own: set[str] = set()
        self.auto_bcc: dict[str, str] = {}
        self.pauses: list[Pause] = []
        self.staff: set[str] = set()

    def read(self, rows: Iterable[Any]) -> World:
        for fact, data in rows:
            getattr(self, f"_{fact}")(*data)
        world = self.world
        world.user_keys = frozenset(self.users)
        world.internal_keys = frozenset(self.users | self.staff)
        world.own_keys = frozenset(self.own)
        world.auto_bcc = self.auto_bcc
        world.pauses = tuple(sorted(self.pauses, key=lambda pause: pause.started_at))
        world.contacts = {key: _by_age(refs) for key, refs in world.contacts.items()}
        world.threads = {key: _by_age(refs) for key, refs in world.threads.items()}
        world.known = {key: _by_age(refs) for key, refs in world.known.items()}
        return world

    def _location(self, scope: str, domains: list[str], addresses: list[str]) -> None:
        self.world.inbound_scope = scope
        self.world.internal_domains = frozenset(d.strip().lower().lstrip("@") for d in domains if d.strip())
        self.staff = {mailbox_key(address) for address in addresses}

    def _user(self, key: str) -> None:
        self.users.add(mailbox_key(key))

    def _own(self, key: str) -> None:
        self.own.add(mailbox_key(key))

    def _pause(self, rule: str, started: float, ended: float | None) -> None:
        end = None if ended is None else datetime.fromtimestamp(float(ended), UTC)
        self.pauses.append(Pause(rule, datetime.fromtimestamp(float(started), UTC), end))

    def _kept(self, gmail_id: str, message_id: str) -> None:
        self.world.kept[gmail_id] = message_id

    def _pending(self, gmail_thread_id: str, gmail_id: str, since: float | None, attempts: int) -> None:
        self.world.pending.setdefault(gmail_thread_id, {})[gmail_id] = float(since or 0)
        if attempts <= A_FEW_TRIES:
            self.world.just_failed.add(gmail_id)

    def _auto_bcc(self, token: str, user_id: str) -> None:
        self.auto_bcc[f"{token}@{self.world.auto_bcc_domain}"] = user_id

    def _contact(
        self, key: str, contact_id: str, assigned_user_id: str | None, since: float, conversation: str | None
    ) -> None:
        if conversation is not None:
            self.world.conversations[contact_id] = conversation
        ref = ContactRef(contact_id, assigned_user_id, float(since))
        self.world.contacts[key] = (*self.world.contacts.get(key, ()), ref)

    def _thread(
        self, gmail_id: str, thread_id: str, contact_id: str, mixed: bool, since: float, conversation: str
    ) -> None:
        self.world.conversations[contact_id] = conversation
        ref = ThreadRef(thread_id, contact_id, mixed, float(since))
        self.world.threads[gmail_id] = (*self.world.threads.get(gmail_id, ()), ref)

    def _known(self, message_id: str, *message: Any) -> None:
        self._add_known(id_hash(message_id), self._message(*message))

    def _key(self, key: str, *message: Any) -> None:
        self._add_known(key.removeprefix("id:"), self._message(*message))

    def _stamp(self, stamp: str, *message: Any) -> None:
        self.world.stamped[stamp] = self._message(*message)

    def _left(self, hashed: str) -> None:
        self.world.left.add(hashed)

    def _add_known(self, key: str, message: KnownMessage) -> None:
        before = self.world.known.get(key, ())
        if all(known.id != message.id for known in before):
            self.world.known[key] = (*before, message)

    def _message(
        self,
        message_id: str,
        thread_id: str,
        contact_id: str,
        mixed: bool,
        author: str | None,
        direction: str,
        since: float,
        conversation: str,
    ) -> KnownMessage:
        self.world.conversations[contact_id] = conversation
        thread = ThreadRef(thread_id, contact_id, mixed, float(since))
        outbound = direction == Direction.OUTBOUND
        return KnownMessage(message_id, thread, email_key(author or ""), outbound, float(since))


def _by_age(refs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(sorted(refs, key=lambda ref: (ref.since, ref.id)))
