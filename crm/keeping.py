"""What was decided is written down: messages, their copies in mailboxes, decisions; replaying changes nothing.

`file_page` is the whole of it for mail that was looked at and fetched: under the locks of the mails it loads the
facts anew, decides, and keeps, so that two mailboxes with the same mail, or a mail and its answer, meet in order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import load_only
from sqlmodel import Session, col, select

from crm import (
    contacts,
    decisions,
    events,
    identity,
    leaving,
    ledger,
    notices,
    outbound,
    policy,
    recording,
    replies,
    reviews,
)
from crm.addresses import domain_of, email_key
from crm.attachments import StoredAttachment
from crm.bulk import Rows
from crm.case import NewContact, Verdict
from crm.facts import load_world
from crm.headline import Headline
from crm.identity import MailKeys
from crm.ledger import Ledger, Limits
from crm.notices import NoticeEffect
from crm.recording import NewMessage
from crm.replies import Answer
from crm.world import NEW_CONTACT, NEW_MESSAGE, NEW_THREAD, World, ancestors, id_key, people
from mail import classify
from mail.message import Mail
from models import Account, Decision, GmailMessage, GmailThread, Message, Participant
from models.columns import now
from models.ids import new_id
from models.states import ContactSource, Direction, Role

COUNTS_AS_REPLY = frozenset({recording.OWN_KIND, "list", "calendar"})
"""Kinds that somebody may have written; what machines answer is no reply (S20)."""
LOCKED_ANCESTORS = 3
MAY_BELONG = frozenset({"S7", "S9", "S14"})
"""Rules that keep a message out only as long as its thread does not sync."""
WAIT = timedelta(seconds=10)
WAIT_FOR_GAP = timedelta(seconds=30)
"""Each try looks at its headers again, 20 units; a long gap takes hours."""


@dataclass(frozen=True, slots=True)
class Item:
    """One Gmail message with what was fetched of it; `mail` is None where only the headers were."""

    headline: Headline
    mail: Mail | None = None
    raw_blob: str | None = None
    attachments: Sequence[StoredAttachment] = ()


@dataclass(slots=True)
class Filed:
    """What became of an item. `unfetched`: it is wanted after all, but its body is not here; nothing was written.

    waits: an earlier message of its thread is not decided yet; it is tried again after that one.
    """

    gmail_id: str
    verdict: Verdict
    message_id: str | None = None
    created: bool = False
    unfetched: bool = False
    waits: bool = False
    effect: NoticeEffect | None = None


def file_page(
    session: Session,
    account: Account,
    items: Sequence[Item],
    auto_bcc_domain: str,
    *,
    gap_open: bool = False,
    limits: Limits | None = None,
) -> list[Filed]:
    """Decide and keep a page of a mailbox, in the caller's transaction; in the order of the items.

    Args:
        limits: with them, what its owner sent moves the estimates of the mail that waits (S26).
        gap_open: earlier mail of the mailbox is still to be read (S6): an answer to what is not known yet waits.
    """
    if not items:
        return []
    bodies = {item.headline.gmail_id: item.mail for item in items if item.mail is not None}
    identity.lock_keys(session, account.location_id, locks_of(items, auto_bcc_domain))
    headlines = [item.headline for item in items]
    world = load_world(session, account, headlines, auto_bcc_domain, bodies)
    verdicts = policy.decide_page(headlines, world, bodies)
    if _count_sent(session, account, headlines) and limits is not None:
        Ledger.of_account(session, account, limits=limits).tell_estimates()
    return Keeper(session, account.location_id, world, account, gap_open=gap_open).keep(
        [(item, verdicts[item.headline.gmail_id]) for item in items]
    )


def _count_sent(session: Session, account: Account, headlines: Sequence[Headline]) -> int:
    """Whatever leaves the mailbox counts against its daily limit, also mail that does not sync (S26)."""
    sent = [
        ledger.SentMail(
            headline.gmail_id,
            len({address.key for address in (*headline.mail.to, *headline.mail.cc, *headline.mail.bcc)}),
            headline.internal_date,
            headline.mail.headers.get(outbound.STAMP_HEADER),
        )
        for headline in headlines
        if headline.sent and not headline.draft
    ]
    return ledger.count_sent(session, account.email_key, sent) if sent else 0


def locks_of(items: Sequence[Item], auto_bcc_domain: str) -> set[str]:
    """What may be decided at one time only: the mail itself, what it answers, and a contact that it may make."""
    names: set[str] = set()
    for item in items:
        mail = item.mail or item.headline.mail
        keys = identity.keys_of(mail)
        names.add(keys.lock)
        names.update(keys.ids)
        names.update(id_key(one) for one in ancestors(mail)[:LOCKED_ANCESTORS])
        if auto_bcc_domain and any(domain_of(a.email) == auto_bcc_domain for a in people(mail)):
            names.update(f"contact/{email_key(address.email)}" for address in mail.to)
    return names


class Keeper:
    """Keeps decided mail of one location. Call under the locks of the mails (`file_page` does).

    account: the mailbox that it lies in; None for a mail that only the SMTP listener saw.
    """

    def __init__(
        self,
        session: Session,
        location_id: str,
        world: World,
        account: Account | None,
        *,
        gap_open: bool = False,
    ) -> None:
        self._gap_open = gap_open
        self._session = session
        self._location_id = location_id
        self._world = world
        self._account = account
        self._real: dict[str, str] = {}
        """Ids by provisional ones."""
        self._made: dict[str, str] = {}
        """Contacts made here, by address key."""
        self._new: dict[str, NewMessage] = {}
        self._existing: dict[str, Message] = {}
        self._conversations: dict[str, str] = {}
        self._open: dict[str, set[str]] = defaultdict(set)
        """Gmail ids of this page that stay undecided, by Gmail thread."""

    def keep(self, decided: Sequence[tuple[Item, Verdict]]) -> list[Filed]:
        """Write everything down; the answer is in the order of the items."""
        filed = {item.headline.gmail_id: Filed(item.headline.gmail_id, verdict) for item, verdict in decided}
        kept_before = self._world.kept if self._account is not None else {}
        synced: list[tuple[Item, Mail, Verdict]] = []
        skipped: list[tuple[Item, Verdict]] = []
        for item, verdict in sorted(decided, key=lambda one: _in_time(one[0])):
            result = filed[item.headline.gmail_id]
            if result.gmail_id in kept_before:
                result.message_id = kept_before[result.gmail_id]
            elif item.mail is None and verdict.wants_body:
                result.unfetched = True
                self._open[item.headline.gmail_thread_id].add(item.headline.gmail_id)
            elif self._must_wait(item.headline, verdict, filed) or self._overtakes(item.headline, verdict):
                result.waits = True
                self._open[item.headline.gmail_thread_id].add(item.headline.gmail_id)
            elif verdict.synced and item.mail is not None:
                synced.append((item, item.mail, verdict))
            else:
                skipped.append((item, verdict))
        self._take_all(synced, filed)
        self._postpone([item for item, _ in decided if filed[item.headline.gmail_id].waits])
        rows = Rows()
        if self._account is not None:
            self._note_copies(self._account, synced, filed, rows)
            self._decide(self._account, synced, skipped, filed, rows)
        self._conversations = recording.record(
            self._session, self._location_id, list(self._new.values()), rows, self._world.conversations
        )
        self._mark_replies(synced, filed)
        for item, verdict in (*((item, verdict) for item, _, verdict in synced), *skipped):
            filed[item.headline.gmail_id].effect = self._effect(item, verdict, filed[item.headline.gmail_id])
        self._tell(filed.values())
        return [filed[item.headline.gmail_id] for item, _ in decided]

    def _must_wait(self, headline: Headline, verdict: Verdict, page: Mapping[str, object]) -> bool:
        """Is its thread perhaps opened by an earlier message that could not be decided yet (S8)?"""
        if self._account is None:
            return False
        thread = headline.gmail_thread_id
        moment = headline.internal_date.timestamp()
        before = {
            gmail_id
            for gmail_id, since in self._world.pending.get(thread, {}).items()
            if gmail_id not in page and since <= moment
        }
        if verdict.synced:
            needed = {verdict.thread_id, verdict.owner}
            if any(
                prefix + gmail_id in needed
                for gmail_ids in self._open.values()
                for gmail_id in gmail_ids
                for prefix in (NEW_THREAD, NEW_CONTACT)
            ):
                return True
            # A forward or answer that overtakes its original would own the original's conversation (S15).
            opens = verdict.thread_id == NEW_THREAD + headline.gmail_id
            return opens and bool(before & self._world.just_failed)
        return verdict.rule in MAY_BELONG and bool(before or self._open[thread])

    def _overtakes(self, headline: Headline, verdict: Verdict) -> bool:
        """Does it answer mail that a gap still holds? Decided now, it would miss or take its thread (S8, S15)."""
        if not self._gap_open or not ancestors(headline.mail):
            return False
        return verdict.rule in MAY_BELONG or (
            verdict.synced and verdict.thread_id == NEW_THREAD + headline.gmail_id
        )

    def _postpone(self, items: Sequence[Item]) -> None:
        wait = WAIT_FOR_GAP if self._gap_open else WAIT
        for item in items:
            head = item.headline
            decisions.fail(
                self._session,
                self._account.id if self._account else "",
                head.gmail_id,
                "waits for an earlier message of its thread",
                now() + wait,
                gmail_thread_id=head.gmail_thread_id,
                internal_date=head.internal_date,
            )

    # Messages
    def _take_all(self, synced: Sequence[tuple[Item, Mail, Verdict]], filed: dict[str, Filed]) -> None:
        """Which are new, and which are copies of messages that exist; then write both."""
        keys = [identity.keys_of(mail) for _, mail, _ in synced]
        account_id = self._account.id if self._account else None
        matches = identity.find_matches(self._session, self._location_id, keys, account_id)
        copies: list[tuple[Item, Mail, MailKeys, str]] = []
        fresh: list[tuple[Item, Mail, Verdict, MailKeys, str]] = []
        for (item, mail, verdict), own in zip(synced, keys, strict=True):
            found = matches.find(own, mail.text, sent=item.headline.sent)
            message_id = found or new_id("msg")
            if found is None:
                fresh.append((item, mail, verdict, own, message_id))
                matches.add(own, message_id, mail.text)
            else:
                copies.append((item, mail, own, message_id))
            result = filed[item.headline.gmail_id]
            result.message_id, result.created = message_id, found is None
            self._real[NEW_MESSAGE + item.headline.gmail_id] = message_id
        self._load([message_id for *_, message_id in copies])
        for item, mail, verdict in synced:
            self._resolve(item, mail, verdict, filed[item.headline.gmail_id])
        for item, mail, verdict, own, message_id in fresh:
            self._new[message_id] = self._new_message(item, mail, verdict, own, message_id)
        self._add_copies([copy for copy in copies if copy[3] in self._existing])

    def _load(self, message_ids: Sequence[str]) -> None:
        if not message_ids:
            return
        light = load_only(
            *(
                getattr(Message, name)
                for name in ("location_id", "thread_id", "contact_id", "conversation_id")
            ),
            *(getattr(Message, name) for name in ("stamp", "account_id", "status", "direction", "kind")),
            *(
                getattr(Message, name)
                for name in ("message_id_header", "raw_blob", "from_email", "hidden_by")
            ),
        )
        query = select(Message).where(col(Message.id).in_(message_ids)).options(light)
        self._existing = {message.id: message for message in self._session.exec(query)}

    def _resolve(self, item: Item, mail: Mail, verdict: Verdict, result: Filed) -> None:
        """Give the provisional ids of a verdict their real ones, in the order in which the page was decided."""
        if verdict.new_contact is not None:
            made = verdict.new_contact
            self._real[made.id] = self._make_contact(made)
        existing = self._existing.get(result.message_id or "")
        thread = NEW_THREAD + item.headline.gmail_id
        if verdict.thread_id == thread and thread not in self._real:
            self._real[thread] = existing.thread_id if existing is not None else new_id("thr")

    def _make_contact(self, made: NewContact) -> str:
        key = email_key(made.email)
        if key not in self._made:
            contact = contacts.create(
                self._session,
                self._location_id,
                made.name or made.email,
                [made.email],
                assigned_user_id=made.assigned_user_id,
                source=ContactSource.AUTO_BCC,
            )
            self._made[key] = contact.id
        return self._made[key]

    def _id(self, maybe_provisional: str | None) -> str | None:
        return self._real.get(maybe_provisional or "", maybe_provisional)

    def _new_message(
        self, item: Item, mail: Mail, verdict: Verdict, keys: MailKeys, message_id: str
    ) -> NewMessage:
        headline, account = item.headline, self._account
        owner, thread_id = self._id(verdict.owner), self._id(verdict.thread_id)
        assert owner is not None
        assert thread_id is not None
        return NewMessage(
            id=message_id,
            mail=mail,
            keys=keys,
            direction=verdict.direction,
            owner=owner,
            thread_id=thread_id,
            opens_thread=verdict.thread_id == NEW_THREAD + headline.gmail_id,
            sent_at=headline.internal_date,
            kind=recording.kind_of(verdict.kind or classify.kind(mail)),
            mixes=verdict.mixes,
            forwarded=verdict.forwarded,
            answers=self._id(verdict.answers),
            raw_blob=item.raw_blob,
            attachments=item.attachments,
            user_id=self._world.user_id if headline.sent or account is None else None,
            account_id=account.id if account and headline.sent else None,
            gmail_thread_id=headline.gmail_thread_id if headline.sent else None,
            contacts=self._links(mail),
        )

    def _links(self, mail: Mail) -> dict[str, str]:
        links: dict[str, str] = {}
        for address in (*people(mail), *mail.reply_to):
            key = email_key(address.email)
            ref = self._world.contact(key)
            contact_id = ref.id if ref is not None else self._made.get(key)
            if contact_id is not None:
                links[key] = contact_id
        return links

    def _add_copies(self, copies: Sequence[tuple[Item, Mail, MailKeys, str]]) -> None:
        """What another copy adds: its ids, its bytes, and the Bcc that only the sender's copy has (S13, S17)."""
        if not copies:
            return
        claims = [(key, message_id) for _, _, keys, message_id in copies for key in keys.all]
        identity.claim_keys(self._session, self._location_id, claims)
        for item, mail, keys, message_id in copies:
            message = self._existing[message_id]
            self._note_leaving(item, mail, keys, message)
            message.raw_blob = message.raw_blob or item.raw_blob
            message.message_id_header = message.message_id_header or mail.message_id
            self._session.add(message)
        reviews.show(self._session, [m.id for m in self._existing.values() if m.hidden_by is not None])
        self._add_bcc([(mail, message_id) for _, mail, _, message_id in copies if mail.bcc])

    def _note_leaving(self, item: Item, mail: Mail, keys: MailKeys, message: Message) -> None:
        """The SENT copy of a mail of ours proves that it has left (S27)."""
        account, headline = self._account, item.headline
        if account is None or not headline.sent or not message.stamp or message.stamp != keys.stamp:
            return
        if message.account_id != account.id:
            return
        author = mail.from_[0] if mail.from_ else mail.sender
        leaving.record_sent(
            self._session,
            message,
            gmail_id=headline.gmail_id,
            gmail_thread_id=headline.gmail_thread_id,
            message_id_header=mail.message_id,
            from_email=author.email if author else None,
            at=headline.internal_date,
        )

    def _add_bcc(self, copies: Sequence[tuple[Mail, str]]) -> None:
        if not copies:
            return
        there: dict[str, dict[str, int]] = defaultdict(dict)
        for message_id, key, position in self._session.exec(
            select(Participant.message_id, Participant.email_key, Participant.position).where(
                col(Participant.message_id).in_([message_id for _, message_id in copies]),
                Participant.role == Role.BCC,
            )
        ):
            there[message_id][key] = position
        rows = []
        for mail, message_id in copies:
            known = there[message_id]
            added = tuple(address for address in mail.bcc if email_key(address.email) not in known)
            start = max(known.values(), default=-1) + 1
            rows += recording.participant_rows(
                self._location_id,
                message_id,
                Mail(bcc=added),
                self._links(mail),
                roles=(Role.BCC,),
                start=start,
            )
            known.update({email_key(address.email): start for address in added})
        if rows:
            self._session.execute(insert(Participant), rows)

    # What the mailbox has of them
    def _note_copies(
        self,
        account: Account,
        synced: Sequence[tuple[Item, Mail, Verdict]],
        filed: dict[str, Filed],
        rows: Rows,
    ) -> None:
        for item, _, _ in synced:
            headline = item.headline
            message_id = filed[headline.gmail_id].message_id or ""
            rows.add(
                GmailMessage,
                {
                    "account_id": account.id,
                    "gmail_id": headline.gmail_id,
                    "message_id": message_id,
                    "gmail_thread_id": headline.gmail_thread_id,
                    "internal_date": headline.internal_date,
                    "sent": headline.sent,
                    "unread": headline.unread,
                    "deleted": False,
                },
            )
            rows.add(
                GmailThread,
                {
                    "account_id": account.id,
                    "gmail_thread_id": headline.gmail_thread_id,
                    "thread_id": self._thread_of(message_id),
                    "created_at": now(),
                },
            )

    def _thread_of(self, message_id: str) -> str:
        new = self._new.get(message_id)
        return new.thread_id if new is not None else self._existing[message_id].thread_id

    def _decide(
        self,
        account: Account,
        synced: Sequence[tuple[Item, Mail, Verdict]],
        skipped: Sequence[tuple[Item, Verdict]],
        filed: dict[str, Filed],
        rows: Rows,
    ) -> None:
        for item, _, verdict in synced:
            head = item.headline
            message_id = filed[head.gmail_id].message_id
            rows.add(Decision, decisions.row(account.id, head.gmail_id, verdict, message_id, head))
        for item, verdict in skipped:
            head = item.headline
            about = self._id(verdict.about)
            rows.add(Decision, decisions.row(account.id, head.gmail_id, verdict, about, head))

    # What follows
    def _mark_replies(self, synced: Sequence[tuple[Item, Mail, Verdict]], filed: dict[str, Filed]) -> None:
        """An inbound answer of a person marks what it answers, else our newest mail before it (S24)."""
        answers = []
        for item, _, verdict in synced:
            new = self._new.get(filed[item.headline.gmail_id].message_id or "")
            if new is None or new.direction is not Direction.INBOUND or new.opens_thread:
                continue
            if new.kind in COUNTS_AS_REPLY:
                answers.append(Answer(new.thread_id, self._id(verdict.answers), new.sent_at))
        for answered in replies.mark(self._session, answers):
            events.emit(self._session, self._location_id, events.MESSAGE_UPDATED, answered)

    def _effect(self, item: Item, verdict: Verdict, result: Filed) -> NoticeEffect | None:
        if item.mail is None:
            return None
        at = item.headline.internal_date
        about = self._id(verdict.about)
        if verdict.rule == "S19":
            if about is not None:
                notices.note_auto_bcc_notice(self._session, about, at)
            return None
        if verdict.rule not in ("S20", "S8") or item.headline.sent:
            return None
        if verdict.kind not in notices.KINDS:
            return None
        if about is None and result.message_id is not None:
            thread_id = self._thread_of(result.message_id)
            about = notices.meant_by(self._session, item.mail, self._account, thread_id, at)
        return notices.apply_notice(self._session, item.mail, self._account, about, at)

    def _tell(self, filed: Iterable[Filed]) -> None:
        for result in filed:
            new = self._new.get(result.message_id or "")
            if new is not None:
                events.emit(self._session, self._location_id, events.MESSAGE_CREATED, new.id)
                conversation_id = self._conversations[new.owner]
            elif (existing := self._existing.get(result.message_id or "")) is not None:
                events.emit(self._session, self._location_id, events.MESSAGE_UPDATED, existing.id)
                conversation_id = existing.conversation_id
            else:
                continue
            if conversation_id is not None:
                events.emit(self._session, self._location_id, events.CONVERSATION_UPDATED, conversation_id)


def _in_time(item: Item) -> tuple[datetime, str]:
    return item.headline.internal_date, item.headline.gmail_id


def skip(
    session: Session,
    account: Account,
    gmail_id: str,
    verdict: Verdict,
    *,
    gmail_thread_id: str | None = None,
    internal_date: datetime | None = None,
) -> None:
    """Write down that an id does not sync; for ids of which no headline is there (S31: gone, aside)."""
    row = decisions.row(account.id, gmail_id, verdict, None)
    row["gmail_thread_id"], row["internal_date"] = gmail_thread_id, internal_date
    rows = Rows()
    rows.add(Decision, row)
    rows.write(session)
