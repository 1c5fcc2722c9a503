"""From Gmail ids to decisions: look, decide, fetch, keep, for a page of ids at a time.

Headers are looked at first, and only what the rules want is fetched whole. Everything of a part of a page is kept in
one transaction, so that a crash at any point repeats at most that part, which changes nothing. An id that fails gets
a row of its own with the time of its next try, and stops nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from types import MappingProxyType

import structlog
from sqlmodel import Session, col, select

from activities import outcomes
from activities.changes import Changes
from activities.fetching import Fetching
from crm import accounts, decisions, erasure, keeping, labels, policy
from crm.case import Verdict
from crm.facts import load_world
from crm.headline import Headline
from crm.keeping import Filed, Item
from crm.ledger import Limits
from gmail import errors
from gmail import values as gmail_values
from gmail.errors import GoogleError
from gmail.mailbox import Mailbox
from mail.parse import parse_headers
from models import Account, Decision, Message
from models.columns import now
from models.states import Outcome
from storage.database import Database

log = structlog.get_logger("collect")

FETCH_ROUNDS = 3
"""What the rules want may change while mail is fetched: a message before it opened the thread."""
LOOKS_AHEAD = 8
"""Accounts that catch up at one time; more of them look ahead one after the other."""
PART = 50
"""Ids in one transaction: bounds memory, and what a crash repeats."""
NOT_THERE_YET = timedelta(seconds=3)
GONE_AFTER = timedelta(seconds=2.5)
"""A fresh id may answer 404 for some seconds; only a later 404 means that it is gone (S31)."""
FIRST_RETRY = timedelta(seconds=5)
LAST_RETRY = timedelta(hours=1)
MOST_RETRIES_AT_ONCE = 200

STOPS = (
    errors.Throttled,
    errors.GrantRefused,
    errors.ConsentMissing,
    errors.ConfigurationRefused,
    errors.MailboxGone,
)
"""What stops the whole mailbox; anything else is about one message."""

Finish = Callable[[Session, Account], None]
Places = dict[str, tuple[str | None, datetime | None]]
"""Gmail thread and internal date of ids, as far as they are known."""


@dataclass(slots=True)
class Counts:
    """What became of the ids of a round."""

    looked: int = 0
    synced: int = 0
    skipped: int = 0
    failed: int = 0
    newly_failed: int = 0
    notices: int = 0
    """Mail that changed what became of mail of ours."""


class NotCollecting(Exception):
    """The account was paused or disconnected, or is to be, while its mail was being looked at."""


class Collecting:
    """Thread-safe; one account is worked on by one activity at a time."""

    def __init__(
        self, database: Database, fetching: Fetching, auto_bcc_domain: str, limits: Limits | None = None
    ) -> None:
        self._database = database
        self._fetching = fetching
        self._auto_bcc_domain = auto_bcc_domain
        self._limits = limits
        self._ahead = ThreadPoolExecutor(LOOKS_AHEAD, thread_name_prefix="look-ahead")

    def take(
        self,
        account: Account,
        mailbox: Mailbox,
        changes: Changes,
        counts: Counts,
        finish: Finish,
        *,
        gap_open: bool = False,
    ) -> None:
        """Everything that a page of history asks for; `finish` is called in the transaction of the last part.

        Args:
            gap_open: earlier mail is still to be read: answers to what is not known yet wait for it.

        Raises:
            GoogleError: the mailbox cannot go on; what was kept before stays.
        """
        known = self._decided(account.id, changes.all)
        wanted = [
            message_id
            for message_id in changes.to_look
            if _open(known.get(message_id), again=message_id in changes.again)
        ]

        def finish_page(session: Session, row: Account) -> None:
            _follow_labels(session, row, changes, known, frozenset(wanted))
            finish(session, row)

        self._collect(
            account, mailbox, wanted, known, counts, finish_page, changes.threads, gap_open=gap_open
        )

    def collect(
        self,
        account: Account,
        mailbox: Mailbox,
        ids: Sequence[str],
        counts: Counts,
        finish: Finish | None = None,
        *,
        gap_open: bool = False,
    ) -> None:
        """Decide ids that come from a list rather than from history; what is decided is left, but for S31."""
        known = self._decided(account.id, ids)
        wanted = [message_id for message_id in ids if _open(known.get(message_id), again=True)]
        self._collect(account, mailbox, wanted, known, counts, finish, gap_open=gap_open)

    def _decided(self, account_id: str, ids: Sequence[str]) -> dict[str, Decision]:
        with self._database.session() as session:
            found = decisions.of(session, account_id, ids)
            session.expunge_all()
        return found

    def _collect(
        self,
        account: Account,
        mailbox: Mailbox,
        ids: Sequence[str],
        known: dict[str, Decision],
        counts: Counts,
        finish: Finish | None,
        threads: Mapping[str, str] = MappingProxyType({}),
        *,
        gap_open: bool,
    ) -> None:
        """In parts; while one is written down, the next one is looked at."""
        parts = list(_parts(ids))
        if not parts:
            if finish:
                self._file(account, {}, {}, {}, known, counts, finish, gap_open=gap_open)
            return
        looks = mailbox.look_many(parts[0])
        for part, following in zip_longest(parts, parts[1:]):
            ahead = _Ahead(self._ahead, mailbox, following or ())
            found = dict(zip(part, looks, strict=True))
            last = finish if following is None else None
            self._part(account, mailbox, found, known, counts, last, threads, ahead, gap_open=gap_open)
            looks = ahead.looks()

    def _part(
        self,
        account: Account,
        mailbox: Mailbox,
        looks: dict[str, gmail_values.Headline | GoogleError],
        known: dict[str, Decision],
        counts: Counts,
        finish: Finish | None,
        threads: Mapping[str, str],
        ahead: _Ahead,
        *,
        gap_open: bool,
    ) -> None:
        errors_ = {one: found for one, found in looks.items() if isinstance(found, GoogleError)}
        items = {
            one: Item(headline_of(found))
            for one, found in looks.items()
            if not isinstance(found, GoogleError)
        }
        counts.looked += len(items)
        places: Places = {
            one: (item.headline.gmail_thread_id, item.headline.internal_date) for one, item in items.items()
        }
        places |= {one: (threads.get(one), None) for one in errors_}
        wanted = self._wanted(account, list(items.values()))
        for _ in range(FETCH_ROUNDS):
            errors_ |= self._fetch(mailbox, account.location_id, items, wanted)
            for message_id in errors_:
                items.pop(message_id, None)
            stopped = next((error for error in errors_.values() if isinstance(error, STOPS)), None)
            if stopped is None:
                ahead.begin()
            last = None if stopped else finish
            wanted = self._file(account, items, errors_, places, known, counts, last, gap_open=gap_open)
            if stopped is not None:
                raise stopped
            if not wanted:
                return
            items = {one: items[one] for one in wanted}
            errors_ = {}

    def _wanted(self, account: Account, items: Sequence[Item]) -> list[str]:
        """Which mails the rules want whole, going by their headers."""
        if not items:
            return []
        headlines = [item.headline for item in items]
        with self._database.session() as session:
            world = load_world(session, account, headlines, self._auto_bcc_domain)
        verdicts = policy.decide_page(headlines, world)
        return [gmail_id for gmail_id, verdict in verdicts.items() if verdict.wants_body]

    def _fetch(
        self, mailbox: Mailbox, location_id: str, items: dict[str, Item], wanted: Sequence[str]
    ) -> dict[str, GoogleError]:
        """Put the whole mails in their items; the errors of those that could not be had."""
        failed: dict[str, GoogleError] = {}
        headlines = [items[one].headline for one in wanted]
        for message_id, found in self._fetching.fetch(mailbox, location_id, headlines):
            if isinstance(found, GoogleError):
                failed[message_id] = found
            else:
                item = items[message_id]
                items[message_id] = Item(item.headline, found.mail, found.raw_blob, found.attachments)
        return failed

    def _file(
        self,
        account: Account,
        items: dict[str, Item],
        errors_: dict[str, GoogleError],
        places: Places,
        known: dict[str, Decision],
        counts: Counts,
        finish: Finish | None,
        *,
        gap_open: bool,
    ) -> list[str]:
        """One transaction: decisions and all that follows. The ids that are to be fetched after all."""
        stored = items
        with self._database.session() as session:
            row = accounts.locked(session, account.id)
            if row is None or not accounts.collects(session, row):
                self._let_go(account.location_id, stored)
                raise NotCollecting(account.id)
            items, errors_ = self._still_open(session, row, items, errors_, known)
            # First what could not be had: later mail of its thread waits for it.
            for message_id, error in errors_.items():
                if not isinstance(error, STOPS):
                    _could_not(session, row, message_id, places, error, known.get(message_id), counts)
            filed = keeping.file_page(
                session,
                row,
                list(items.values()),
                self._auto_bcc_domain,
                gap_open=gap_open,
                limits=self._limits,
            )
            unfetched = [one.gmail_id for one in filed if one.unfetched]
            for message_id in unfetched:
                # Told before the body is here, so that a crash now loses nothing.
                decisions.fail(session, row.id, message_id, "the body was not fetched yet", now())
            for one in filed:
                if one.waits:
                    counts.failed += 1
                elif not one.unfetched:
                    counts.synced += one.verdict.synced
                    counts.skipped += not one.verdict.synced
                    counts.notices += one.effect is not None
            erasure.doom(session, row.location_id, _not_needed(session, stored, items, filed))
            if finish:
                finish(session, row)
            called_off = row.disconnect_asked_at is not None and account.disconnect_asked_at is None
        # Since this round began: who waits for the disconnect waits for one part at most.
        if called_off:
            raise NotCollecting(account.id)
        return unfetched

    def _let_go(self, location_id: str, items: Mapping[str, Item]) -> None:
        """Nothing of these is kept: what was stored of them goes."""
        with self._database.session() as session:
            erasure.doom(session, location_id, (blob for item in items.values() for blob in _blobs(item)))

    @staticmethod
    def _still_open(
        session: Session,
        account: Account,
        items: dict[str, Item],
        errors_: dict[str, GoogleError],
        known: dict[str, Decision],
    ) -> tuple[dict[str, Item], dict[str, GoogleError]]:
        """Without ids that were to be tried again, and that somebody decided meanwhile (a review was undone)."""
        tried = [one for one in (*items, *errors_) if one in known and known[one].outcome == Outcome.FAILED]
        if not tried:
            return items, errors_
        now_known = decisions.of(session, account.id, tried)
        closed = {one for one, decision in now_known.items() if decision.outcome == Outcome.SKIPPED}
        return (
            {one: item for one, item in items.items() if one not in closed},
            {one: error for one, error in errors_.items() if one not in closed},
        )


class _Ahead:
    """Looks at the next part, begun when this part's mail is fetched: fetching comes first."""

    def __init__(self, pool: ThreadPoolExecutor, mailbox: Mailbox, part: Sequence[str]) -> None:
        self._pool = pool
        self._mailbox = mailbox
        self._part = part
        self._begun: Future[list[gmail_values.Headline | GoogleError]] | None = None

    def begin(self) -> None:
        if self._part and self._begun is None:
            self._begun = self._pool.submit(self._mailbox.look_many, self._part)

    def looks(self) -> list[gmail_values.Headline | GoogleError]:
        self.begin()
        return self._begun.result() if self._begun is not None else []


def due_again(session: Session, account_id: str) -> Sequence[str]:
    """Ids that failed before and are due again."""
    return session.exec(
        select(Decision.gmail_id)
        .where(
            Decision.account_id == account_id,
            Decision.outcome == Outcome.FAILED,
            col(Decision.next_try_at) <= now(),
        )
        .order_by(col(Decision.next_try_at))
        .limit(MOST_RETRIES_AT_ONCE)
    ).all()


def _open(decision: Decision | None, *, again: bool) -> bool:
    """Is the id to be looked at? What has its decision is not, unless its placement changed (S31)."""
    if decision is None or decision.outcome == Outcome.FAILED:
        return True
    return again and decision.outcome == Outcome.SKIPPED and decision.rule == "S31"


def _blobs(item: Item) -> Iterator[str]:
    """What was stored of a mail."""
    if item.raw_blob is not None:
        yield item.raw_blob
    yield from (one.blob for one in item.attachments if one.blob is not None)


def _not_needed(
    session: Session, stored: Mapping[str, Item], items: Mapping[str, Item], filed: Sequence[Filed]
) -> set[str]:
    """Blobs of mail that was not kept after all (its contact was erased meanwhile), or is kept already (S21)."""
    fetched = {gmail_id: item for gmail_id, item in stored.items() if item.raw_blob is not None}
    if not fetched:
        return set()
    open_ = {one.gmail_id for one in filed if one.waits or one.unfetched}
    kept = {one.gmail_id: one.message_id for one in filed if one.message_id is not None}
    raws = set(session.exec(select(Message.raw_blob).where(col(Message.id).in_(set(kept.values())))))
    unneeded: set[str] = set()
    for gmail_id, item in fetched.items():
        if gmail_id in open_:
            continue  # fetched again soon
        if gmail_id not in kept or gmail_id not in items:
            unneeded.update(_blobs(item))
        elif item.raw_blob not in raws:
            unneeded.add(item.raw_blob or "")
    return unneeded


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + PART] for start in range(0, len(ids), PART))


def headline_of(found: gmail_values.Headline) -> Headline:
    """What the rules read, out of Gmail's answer."""
    return Headline(
        gmail_id=found.id,
        gmail_thread_id=found.thread_id,
        label_ids=found.label_ids,
        internal_date=datetime.fromtimestamp(found.internal_date / 1000, UTC),
        size_estimate=found.size_estimate,
        mail=parse_headers(found.headers),
    )


def _could_not(
    session: Session,
    account: Account,
    message_id: str,
    places: Places,
    error: GoogleError,
    before: Decision | None,
    counts: Counts,
) -> None:
    """One message could not be had: it is gone (S31), or tried again later and later."""
    tries = before.attempts if before is not None and before.outcome == Outcome.FAILED else 0
    if isinstance(error, errors.NotFound):
        if tries and before is not None and before.at < now() - GONE_AFTER:
            keeping.skip(session, account, message_id, policy.gone(), gmail_thread_id=before.gmail_thread_id)
            counts.skipped += 1
            return
        next_try = NOT_THERE_YET
    else:
        next_try = min(LAST_RETRY, FIRST_RETRY * 4 ** min(tries, 10))
    thread_id, internal_date = places.get(message_id, (None, None))
    decisions.fail(
        session,
        account.id,
        message_id,
        outcomes.why(error),
        now() + next_try,
        gmail_thread_id=thread_id,
        internal_date=internal_date,
    )
    counts.failed += 1
    counts.newly_failed += not tries


def _follow_labels(
    session: Session,
    account: Account,
    changes: Changes,
    known: dict[str, Decision],
    looked_at: frozenset[str],
) -> None:
    """What a page says of messages that we have, and of those that their own labels set aside (S24, S31, S32)."""
    for message_id, words in changes.aside.items():
        if message_id not in known:
            thread_id = changes.threads.get(message_id)
            verdict = Verdict(Outcome.SKIPPED, "S31", words)
            keeping.skip(session, account, message_id, verdict, gmail_thread_id=thread_id)
    for message_id in changes.deleted:
        if _open(known.get(message_id), again=False) and message_id not in changes.aside:
            keeping.skip(session, account, message_id, policy.gone())
    # What was looked at just now is newer than what the page says.
    unread = {one: value for one, value in changes.unread.items() if one not in looked_at}
    trashed = {one: value for one, value in changes.trashed.items() if one not in looked_at}
    deleted = trashed | dict.fromkeys(changes.deleted, True)
    if unread:
        labels.set_unread(session, account, unread)
    if deleted:
        labels.set_deleted(session, account, deleted)
