"""Is it the same mail? One message in a location for each mail, however many mailboxes have it (S21, I2).

Message-IDs are forged, repeated, rewritten and missing in the wild, so none counts alone. What counts:

- Our own stamp, from its author or in SENT: the same mail (the stamp).
- Same Message-ID, author and Date: the same mail (a strong key).
- Same Message-ID and author, neither has a Date, same subject: the same mail (a strong key).
- Same Message-ID, other author (forged, or a machine that repeats its ids): another mail.
- Same Message-ID and author, other Date (a machine that repeats its ids): another mail.
- A new id that tells the old one (`X-Gmail-Original-Message-ID` and the like): the same (a strong key of the old id).
- A From that a list has rewritten, telling the old one (`X-Original-From`): the same (its strong key).
- Message-ID rewritten without a trace, or missing; same author, Date, subject, To and Cc: the same mail where one
  text is within the other (a relay's footer or banner), another one where they differ (the weak key, and the text).
- The same, but this mailbox has it already under another Gmail id: two mails in one mailbox are two.
- A tag that a relay puts before the subject (`[EXT]`) does not matter.

Two mailboxes that keep the same mail at the same moment meet at a lock on author and Date (`lock_keys`), taken in
sorted order; the unique (location, key) of `match_keys` guards what the lock orders.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text as sql
from sqlmodel import Session

from crm.addresses import email_key
from crm.bulk import Rows
from crm.world import author_key, id_key, stamp_of
from mail.addresses import read_addresses
from mail.headers import raw_value
from mail.message import Mail
from mail.references import read_message_id
from models import MatchKey

ORIGINAL_ID_HEADERS = ("X-Gmail-Original-Message-ID", "X-Google-Original-Message-ID", "X-Original-Message-ID")
ORIGINAL_AUTHOR_HEADERS = ("X-Original-From", "X-Original-Sender")
MAX_COMPARED = 20_000
"""Characters of two texts that are compared: more tells nothing more."""

_TAG = re.compile(r"^\s*(?:\[[^\]]{1,40}\]\s*)+")
_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class MailKeys:
    """How a mail is known again.

    stamp: of our own mails. strong: any of them suffices. weak: suffices where the texts agree too; None where
    author or Date are missing. ids: keys by which answers find it, whatever id they name. lock: the same for two
    copies of one mail.
    """

    author: str
    stamp: str | None
    strong: tuple[str, ...]
    weak: str | None
    ids: tuple[str, ...]
    lock: str

    @property
    def all(self) -> tuple[str, ...]:
        """Every key to claim for a message, the sure ones first."""
        return (*self.strong, *((self.weak,) if self.weak else ()), *self.ids)


def keys_of(mail: Mail) -> MailKeys:
    """The keys of a mail, by the table above."""
    author = _original_author(mail)
    subject = normal_subject(mail.subject)
    moment = mail.date.replace(microsecond=0).isoformat() if mail.date else None
    ids = _ids(mail)
    recipients = " ".join(sorted({email_key(address.email) for address in (*mail.to, *mail.cc)}))
    weak = _key("weak", author, moment, subject, recipients) if author and moment else None
    return MailKeys(
        author=author,
        stamp=stamp_of(mail),
        strong=tuple(_key("mail", one, author, moment or f"undated {subject}") for one in ids),
        weak=weak,
        ids=tuple(id_key(one) for one in ids),
        lock=_key("lock", author, moment or f"undated {subject}"),
    )


def normal_subject(subject: str) -> str:
    """The subject without a relay's tags, in one case and with single spaces."""
    return _SPACE.sub(" ", _TAG.sub("", subject)).strip().casefold()


def same_text(one: str | None, other: str | None) -> bool:
    """Do two texts agree but for what relays add before or after (footers, banners)?"""
    first, second = sorted((_words(one), _words(other)), key=len)
    if not first:
        return not second
    return f" {first} " in f" {second} "


def _words(text: str | None) -> str:
    return " ".join(_WORD.findall((text or "")[:MAX_COMPARED].casefold()))


def _ids(mail: Mail) -> tuple[str, ...]:
    named = (read_message_id(mail.headers.get(name)) for name in ORIGINAL_ID_HEADERS)
    return tuple(dict.fromkeys(one for one in (mail.message_id, *named) if one))


def _original_author(mail: Mail) -> str:
    for name in ORIGINAL_AUTHOR_HEADERS:
        value = mail.headers.get(name)
        if value and (found := read_addresses(raw_value(value))):
            return email_key(found[0].email)
    return author_key(mail)


def _key(kind: str, *facts: str | None) -> str:
    return f"{kind}:{hashlib.sha256(chr(0).join(fact or '' for fact in facts).encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message that a mail may be: `text` to compare where only the weak key says so."""

    message_id: str
    text: str | None
    in_account: bool
    """Has the mailbox that asks a copy of it already?"""
    weak: bool


class Matches:
    """What is known of the mails of a page, asked in one query; also finds mails that the page itself brought."""

    def __init__(self, stamped: Mapping[str, tuple[str, str]], found: Mapping[str, Candidate]) -> None:
        self._stamped = dict(stamped)
        self._found = dict(found)

    def find(self, keys: MailKeys, text: str | None, *, sent: bool = False) -> str | None:
        """The id of the message that the mail is, or None for a mail that is new.

        Args:
            sent: it lies in SENT, so a stamp on it is not somebody else's.
        """
        ours = self._stamped.get(keys.stamp) if keys.stamp else None
        if ours is not None and (sent or ours[1] == keys.author):
            return ours[0]
        for key in keys.strong:
            if key in self._found:
                return self._found[key].message_id
        candidate = self._found.get(keys.weak) if keys.weak else None
        if candidate is None or candidate.in_account or not same_text(candidate.text, text):
            return None
        return candidate.message_id

    def add(self, keys: MailKeys, message_id: str, text: str | None) -> None:
        """A mail of this page is kept as `message_id`."""
        for key in keys.all:
            self._found.setdefault(key, Candidate(message_id, text, True, key == keys.weak))


def lock_keys(session: Session, location_id: str, names: Iterable[str]) -> None:
    """Hold these names of the location until the transaction ends; sorted, so that two holders never cross."""
    ordered = sorted({f"{location_id}/{name}" for name in names})
    if ordered:
        session.execute(_LOCK, {"names": ordered})


_LOCK = sql(
    "SELECT count(pg_advisory_xact_lock(hash)) FROM ("
    " SELECT hashtextextended(name, 0) AS hash FROM unnest(CAST(:names AS text[])) AS n(name)"
    " GROUP BY 1 ORDER BY 1) AS ordered"
)


def find_matches(
    session: Session, location_id: str, keys: Sequence[MailKeys], account_id: str | None = None
) -> Matches:
    """What is known of mails with these keys, in one query however many they are. Call under their locks.

    Args:
        account_id: the mailbox that they are in; None for the SMTP listener.
    """
    wanted = {key for one in keys for key in (*one.strong, *((one.weak,) if one.weak else ()))}
    rows = session.execute(
        _MATCHES,
        {
            "location_id": location_id,
            "account_id": account_id or "",
            "keys": list(wanted),
            "stamps": [one.stamp for one in keys if one.stamp],
        },
    )
    stamped: dict[str, tuple[str, str]] = {}
    found: dict[str, Candidate] = {}
    for is_stamp, key, message_id, text, in_account in rows:
        if is_stamp:
            stamped[key] = (message_id, email_key(text or ""))
        else:
            found[key] = Candidate(message_id, text, in_account, key.startswith("weak:"))
    return Matches(stamped, found)


# OFFSET 0: one index probe per key, also before a young table has statistics (see crm.facts).
_MATCHES = sql(
    """
SELECT false, i.key, m.id, CASE WHEN i.key LIKE 'weak:%' THEN left(m.text, 20000) END,
       EXISTS (SELECT 1 FROM gmail_messages g WHERE g.message_id = m.id AND g.account_id || '' = :account_id)
  FROM unnest(CAST(:keys AS text[])) AS i(key)
 CROSS JOIN LATERAL (
    SELECT message_id FROM match_keys WHERE location_id = :location_id AND key = i.key OFFSET 0) k
 CROSS JOIN LATERAL (SELECT id, text FROM messages WHERE id = k.message_id OFFSET 0) m
UNION ALL
SELECT true, stamp, id, from_email, false
  FROM messages WHERE stamp = ANY(:stamps) AND location_id = :location_id
"""
)


def claim_keys(session: Session, location_id: str, claims: Sequence[tuple[str, str]]) -> None:
    """Make messages known by keys: (key, message id) pairs; a key that is another message's stays that one's."""
    rows = Rows()
    for key, message_id in sorted(dict(reversed(claims)).items()):
        rows.add(MatchKey, {"location_id": location_id, "key": key, "message_id": message_id})
    rows.write(session)


def key_rows(location_id: str, keys: MailKeys, message_id: str) -> list[dict[str, str]]:
    """Rows by which a message is known."""
    return [{"location_id": location_id, "key": key, "message_id": message_id} for key in keys.all]
