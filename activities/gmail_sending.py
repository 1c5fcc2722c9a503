"""A message leaves through the user's Gmail exactly once (S27; design: "Sending exactly once").

Gmail has no idempotency key, so the message leaves as a draft: a draft can be sent once, whatever is repeated. Before
each call that changes something, the row says that it is about to be made; after a crash or an unknown outcome the
next try first looks what became of it. A failed look-up is never a "no".
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from activities.composing import Composer
from crm import identity, leaving, outbound
from crm.leaving import Next, Way
from gmail.budget import Priority
from gmail.errors import (
    ConfigurationRefused,
    ConsentMissing,
    GoogleError,
    GrantRefused,
    InvalidRequest,
    MailboxGone,
    NotFound,
    Throttled,
    ThrottleScope,
    Unavailable,
)
from gmail.mailbox import Mailbox
from gmail.values import Headline
from mail.parse import parse_headers
from models import Message
from models.columns import now
from models.states import MessageStatus
from storage.database import Database

DRAFTS_LOOKED_AT = 50
"""Ours is among the newest: it was made moments before."""
BEFORE_DRAFT = timedelta(minutes=10)
"""How far before our own clock a SENT copy may lie: clocks differ."""
MOST_LOOKUPS = 5
"""After so many look-ups that found neither draft nor copy, a person has to decide."""
LOOKUP_PAUSE = timedelta(seconds=2)
"""Before the second look-up, doubled for each further one."""
HELD_AFTER_ATTEMPTS = 4
"""Gmail cannot be asked for so long: the message shows as unknown until it can."""
SENDING_LIMIT_PAUSE = timedelta(hours=1)
"""Where Gmail refuses for its sending limit without saying until when."""
THROTTLE_PAUSE = timedelta(seconds=5)


class _Unaccounted(Exception):
    """Neither among the drafts nor in SENT."""


@dataclass(frozen=True, slots=True)
class _Progress:
    """What the row says, copied out of its transaction."""

    account_id: str
    stamp: str
    draft_asked_at: datetime | None
    draft_id: str | None
    send_asked_at: datetime | None
    sent_gmail_id: str | None
    gmail_thread_id: str | None
    answers_in: str | None


class GmailSender:
    """Sends one message at a time; every method may be repeated after any crash."""

    def __init__(
        self, database: Database, composer: Composer, mailbox_of: Callable[[str, Priority], Mailbox]
    ) -> None:
        self._database = database
        self._composer = composer
        self._mailbox_of = mailbox_of

    def leave(self, message_id: str, *, attempt: int) -> Next:
        """Send the message, or find out what an earlier try did.

        Raises:
            Unavailable: Gmail did not answer; asked again, the same message goes on where it stopped.
        """
        return self._guarded(message_id, attempt, self._send)

    def withdraw(self, message_id: str, *, attempt: int) -> Next:
        """Take a draft back out of a mailbox that is no longer the sender (S4)."""
        return self._guarded(message_id, attempt, self._take_back)

    def _guarded(self, message_id: str, attempt: int, act: Callable[[str], Next]) -> Next:
        try:
            return act(message_id)
        except _Unaccounted:
            return self._unaccounted(message_id)
        except Throttled as error:
            return self._throttled(message_id, error)
        except (GrantRefused, ConsentMissing, MailboxGone, ConfigurationRefused) as error:
            return self._cannot_ask(message_id, error)
        except InvalidRequest as error:
            return self._refused(message_id, error)
        except Unavailable:
            if attempt >= HELD_AFTER_ATTEMPTS:
                self._hold(
                    message_id, "Gmail cannot be asked whether it left; it is looked for until it can."
                )
            raise

    def _send(self, message_id: str) -> Next:
        progress = self._read(message_id)
        mailbox = self._mailbox_of(progress.account_id, Priority.INTERACTIVE)
        if progress.sent_gmail_id is None:
            progress = self._send_draft(message_id, mailbox, progress)
        return self._read_back(message_id, mailbox, progress)

    def _send_draft(self, message_id: str, mailbox: Mailbox, progress: _Progress) -> _Progress:
        draft_id = progress.draft_id
        if progress.send_asked_at is not None and draft_id is not None:
            if not self._draft_is_there(mailbox, draft_id):
                return self._found_in_sent(message_id, mailbox, progress)
        elif draft_id is None:
            draft_id = self._draft(message_id, mailbox, progress)
        self._note(message_id, send_asked_at=now())
        try:
            sent = mailbox.send_draft(draft_id)
        except NotFound:
            return self._found_in_sent(message_id, mailbox, self._read(message_id))
        self._note(message_id, sent_gmail_id=sent.id, gmail_thread_id=sent.thread_id)
        return self._read(message_id)

    def _draft(self, message_id: str, mailbox: Mailbox, progress: _Progress) -> str:
        if progress.draft_asked_at is not None:
            found = self._find_draft(mailbox, progress.stamp)
            if found is not None:
                self._note(message_id, draft_id=found)
                return found
        raw = self._composer.compose(message_id)
        self._note(message_id, draft_asked_at=now())
        try:
            draft = mailbox.create_draft(raw, progress.answers_in)
        except (NotFound, InvalidRequest):
            if progress.answers_in is None:
                raise
            # The thread is gone or not ours: the headers alone thread it (Gmail API: users.drafts.create).
            draft = mailbox.create_draft(raw)
        self._note(message_id, draft_id=draft.id)
        return draft.id

    def _find_draft(self, mailbox: Mailbox, stamp: str) -> str | None:
        for stub in mailbox.list_drafts(page_size=DRAFTS_LOOKED_AT).drafts:
            try:
                draft = mailbox.get_draft(stub.id)
            except NotFound:
                continue
            if draft.header(outbound.STAMP_HEADER) == stamp:
                return draft.id
        return None

    def _draft_is_there(self, mailbox: Mailbox, draft_id: str) -> bool:
        try:
            mailbox.get_draft(draft_id)
        except NotFound:
            return False
        return True

    def _found_in_sent(self, message_id: str, mailbox: Mailbox, progress: _Progress) -> _Progress:
        """The draft is gone: sent, or deleted by somebody. The stamp in SENT tells which.

        Raises:
            _Unaccounted: SENT has no such copy.
        """
        since = (progress.draft_asked_at or now()) - BEFORE_DRAFT
        for headline in mailbox.sent_since(int(since.timestamp() * 1000)):
            if isinstance(headline, NotFound):
                continue
            if not isinstance(headline, Headline):
                raise headline
            if headline.header(outbound.STAMP_HEADER) == progress.stamp:
                self._note(message_id, sent_gmail_id=headline.id, gmail_thread_id=headline.thread_id)
                return self._read(message_id)
        raise _Unaccounted

    def _read_back(self, message_id: str, mailbox: Mailbox, progress: _Progress) -> Next:
        """Gmail rewrote the Message-ID, and perhaps the From: record what the copy says.

        A fresh id may not be there for some seconds; it has left all the same, so in the end it is recorded without.
        """
        assert progress.sent_gmail_id is not None
        headline: Headline | None = None
        try:
            headline = mailbox.look(progress.sent_gmail_id)
        except NotFound:
            if (lookups := self._count_lookup(message_id)) < MOST_LOOKUPS:
                return Next(Way.WAIT, now() + LOOKUP_PAUSE * lookups, "Gmail does not show the copy yet")
        mail = parse_headers(headline.headers) if headline else None
        with self._database.session() as session:
            message = leaving.locked(session, message_id)
            leaving.record_sent(
                session,
                message,
                gmail_id=progress.sent_gmail_id,
                gmail_thread_id=headline.thread_id if headline else progress.gmail_thread_id or "",
                message_id_header=mail.message_id if mail else None,
                from_email=mail.sender.email if mail and mail.sender else None,
                at=datetime.fromtimestamp(headline.internal_date / 1000, UTC) if headline else now(),
            )
            if mail is not None:
                keys = identity.keys_of(mail)
                identity.claim_keys(session, message.location_id, [(key, message.id) for key in keys.all])
        return Next(Way.DONE)

    def _count_lookup(self, message_id: str) -> int:
        with self._database.session() as session:
            message = leaving.locked(session, message_id)
            message.lookups += 1
            return message.lookups

    def _take_back(self, message_id: str) -> Next:
        progress = self._read(message_id)
        mailbox = self._mailbox_of(progress.account_id, Priority.INTERACTIVE)
        draft_id = progress.draft_id or self._find_draft(mailbox, progress.stamp)
        if draft_id is not None:
            try:
                mailbox.delete_draft(draft_id)
            except NotFound:
                progress = self._found_in_sent(message_id, mailbox, progress)
                return self._read_back(message_id, mailbox, progress)
        self._forget_draft(message_id)
        return Next(Way.WAIT, now(), "goes on from the new address")

    def _forget_draft(self, message_id: str) -> None:
        """Nothing of it is in Gmail: it may be drafted again, under a new stamp."""
        self._note(
            message_id,
            draft_id=None,
            draft_asked_at=None,
            send_asked_at=None,
            lookups=0,
            stamp=secrets.token_urlsafe(18),
        )

    def _throttled(self, message_id: str, error: Throttled) -> Next:
        if error.scope is not ThrottleScope.SENDING:
            pause = timedelta(seconds=error.retry_after) if error.retry_after else THROTTLE_PAUSE
            return Next(Way.WAIT, now() + pause, "Gmail asked us to slow down")
        until = now() + (timedelta(seconds=error.retry_after) if error.retry_after else SENDING_LIMIT_PAUSE)
        progress = self._read(message_id)
        if progress.draft_id is not None:
            try:  # a mail that leaves tomorrow must not lie among the user's drafts, where it could be sent twice
                self._mailbox_of(progress.account_id, Priority.INTERACTIVE).delete_draft(progress.draft_id)
            except NotFound:
                raise Unavailable("The draft is gone after Gmail refused it.", effect_unknown=True) from None
            self._forget_draft(message_id)
        with self._database.session() as session:
            leaving.wait_for_limit(
                session, leaving.locked(session, message_id), until, "Gmail's sending limit is reached."
            )
        return Next(Way.WAIT, until, "Gmail's sending limit")

    def _cannot_ask(self, message_id: str, error: GoogleError) -> Next:
        with self._database.session() as session:
            message = leaving.locked(session, message_id)
            if message.send_asked_at is not None:
                outbound.set_status(
                    session,
                    message,
                    MessageStatus.HELD,
                    "Gmail cannot be asked whether it left; it is looked for once the mailbox is connected again.",
                )
            else:
                outbound.set_status(
                    session,
                    message,
                    MessageStatus.QUEUED,
                    "Waits until the connection to Gmail is authorised again.",
                )
                message.leaves_at = None
        return Next(Way.WAIT, why=f"Gmail refuses us ({type(error).__name__})")

    def _refused(self, message_id: str, error: InvalidRequest) -> Next:
        progress = self._read(message_id)
        if progress.draft_id is not None:
            try:
                self._mailbox_of(progress.account_id, Priority.INTERACTIVE).delete_draft(progress.draft_id)
            except NotFound as gone:
                raise Unavailable("The draft is gone after Gmail refused it.", effect_unknown=True) from gone
        with self._database.session() as session:
            leaving.fail(session, leaving.locked(session, message_id), f"Gmail refused it: {error.what}")
        return Next(Way.DONE)

    def _unaccounted(self, message_id: str) -> Next:
        with self._database.session() as session:
            message = leaving.locked(session, message_id)
            message.lookups += 1
            if message.lookups >= MOST_LOOKUPS:
                outbound.set_status(
                    session,
                    message,
                    MessageStatus.HELD,
                    "It is neither among Gmail's drafts nor in Sent: somebody may have deleted it there. "
                    "Look again, mark it as sent, or discard it.",
                )
                return Next(Way.WAIT, why="held: a person has to decide")
            return Next(Way.WAIT, now() + LOOKUP_PAUSE * 2 ** (message.lookups - 1), "looks for it in Gmail")

    def _hold(self, message_id: str, detail: str) -> None:
        with self._database.session() as session:
            message = leaving.locked(session, message_id)
            if message.send_asked_at is not None and message.sent_gmail_id is None:
                outbound.set_status(session, message, MessageStatus.HELD, detail)

    def _read(self, message_id: str) -> _Progress:
        with self._database.session() as session:
            message = session.get_one(Message, message_id)
            assert message.account_id is not None
            assert message.stamp is not None
            return _Progress(
                account_id=message.account_id,
                stamp=message.stamp,
                draft_asked_at=message.draft_asked_at,
                draft_id=message.draft_id,
                send_asked_at=message.send_asked_at,
                sent_gmail_id=message.sent_gmail_id,
                gmail_thread_id=message.gmail_thread_id,
                answers_in=leaving.gmail_thread_to_answer_in(session, message),
            )

    def _note(self, message_id: str, **facts: datetime | str | int | None) -> None:
        with self._database.session() as session:
            message = leaving.locked(session, message_id)
            for name, value in facts.items():
                setattr(message, name, value)
