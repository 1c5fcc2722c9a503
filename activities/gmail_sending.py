"""A message leaves through the user's Gmail exactly once (S27; design: "Sending exactly once").

Gmail has no idempotency key, so the message leaves as a draft: a draft can be sent once, whatever is repeated. Before
each call that changes something, the row says that it is about to be made; after a crash or an unknown outcome the
next try first looks what became of it. A failed look-up is never a "no". Of two tries at the same time the one that
writes first goes on (`crm.progress`).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from activities.composing import Composer
from crm import following, identity, leaving, outbound, progress
from crm.leaving import Next, Way
from crm.progress import Fact, Overtaken, Progress
from gmail.budget import Priority
from gmail.errors import (
    AccessTokenRefused,
    ConfigurationRefused,
    ConsentMissing,
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
from mail.encode import ComposeError
from mail.parse import parse_headers
from models import Account
from models.columns import now
from models.states import MessageStatus
from storage.blobs import BlobMissing
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
RETRY_PAUSE = timedelta(minutes=1)
"""Said of a mail that Gmail does not answer for: the longest that the next try is away."""
FAULT_PAUSE = timedelta(minutes=2)
"""While our own settings are refused: a correction of theirs is found out by trying."""
OVERTAKEN_PAUSE = timedelta(seconds=1)

_DEAD = (GrantRefused, ConsentMissing, MailboxGone)


class _Unaccounted(Exception):
    """Neither among the drafts nor in SENT."""


class GmailSender:
    """Sends one message at a time; every method may be repeated after any crash, also while an earlier try still
    runs."""

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
        one = self._open(message_id)
        try:
            return self._guarded(one, attempt)
        except Overtaken:
            return Next(Way.WAIT, now() + OVERTAKEN_PAUSE, "another try of it goes on")

    def withdraw(self, message_id: str) -> Next:
        """Take back the draft of a message that is no longer to leave from this mailbox (S4), or not at all.

        Raises:
            Unavailable: Gmail did not answer.
        """
        one = self._open(message_id)
        try:
            return self._withdrawn(one, may_have_left=one.progress.to_be_taken_back)
        except Overtaken:
            return Next(Way.WAIT, now() + OVERTAKEN_PAUSE, "another try of it goes on")

    def _withdrawn(self, one: _Try, *, may_have_left: bool) -> Next:
        try:
            one.take_back()
            return one.read_back() if one.has_left else Next(Way.WAIT, now(), "its draft is taken back")
        except _Unaccounted:
            return one.unaccounted()
        except _DEAD:
            if one.has_left:
                return one.record(None)
            if one.is_given_up():
                # Its draft stays known, and is taken back when the mailbox is connected again.
                return Next(Way.DONE, refused=one.progress.account_id)
            if may_have_left:
                return one.hold_for_its_mailbox()
            one.forget_draft()  # it was never asked to be sent; what may lie there is a draft
            return Next(Way.WAIT, now(), "its draft is out of reach")

    def _open(self, message_id: str) -> _Try:
        with self._database.session() as session:
            read = progress.read(session, message_id)
        mailbox = self._mailbox_of(read.account_id, Priority.INTERACTIVE)
        return _Try(self._database, self._composer, mailbox, read)

    def _guarded(self, one: _Try, attempt: int) -> Next:
        try:
            return one.send()
        except _Unaccounted:
            return one.unaccounted()
        except Throttled as error:
            return self._throttled(one, error)
        except _DEAD as error:
            return one.cannot_ask(f"Gmail refuses us ({type(error).__name__})")
        except ConfigurationRefused:
            return one.is_our_fault()
        except InvalidRequest as error:
            return self._refused(one, error)
        except (ComposeError, BlobMissing) as error:
            return one.fail(f"It cannot be written as a mail: {error}")
        except (Unavailable, AccessTokenRefused):
            if attempt >= HELD_AFTER_ATTEMPTS:
                if one.has_left:
                    return one.record(None)
                one.hold("Gmail cannot be asked whether it left; it is looked for until it can.")
            one.say_why_it_waits("Gmail does not answer; it is tried again by itself.", RETRY_PAUSE)
            raise

    def _throttled(self, one: _Try, error: Throttled) -> Next:
        if error.scope is not ThrottleScope.SENDING or one.has_left:
            pause = timedelta(seconds=error.retry_after) if error.retry_after else THROTTLE_PAUSE
            one.say_why_it_waits("Gmail asked us to slow down; it goes on by itself.", pause)
            return Next(Way.WAIT, now() + pause, "Gmail asked us to slow down")
        until = now() + (timedelta(seconds=error.retry_after) if error.retry_after else SENDING_LIMIT_PAUSE)
        with self._database.session() as session:
            leaving.block_sends(session, session.get_one(Account, one.progress.account_id), until)
        # A mail that leaves tomorrow must not lie among the user's drafts, where it could be sent twice.
        return self._taken_back(one, lambda: one.wait_for_limit(until, "Gmail's sending limit is reached."))

    def _refused(self, one: _Try, error: InvalidRequest) -> Next:
        if one.has_left:
            raise error
        return self._taken_back(one, lambda: one.fail(f"Gmail refused it: {error.what}"))

    def _taken_back(self, one: _Try, then: Callable[[], Next]) -> Next:
        """Gmail refused it, so it has not left by this try; an earlier one may have sent the draft all the same."""
        try:
            one.take_back()
        except _Unaccounted:
            return one.unaccounted()
        return one.read_back() if one.has_left else then()


class _Try:
    """One try to let one message leave; `progress` is what its row says."""

    def __init__(self, database: Database, composer: Composer, mailbox: Mailbox, read: Progress) -> None:
        self._database = database
        self._composer = composer
        self._mailbox = mailbox
        self.progress = read

    @property
    def has_left(self) -> bool:
        return self.progress.sent_gmail_id is not None

    def send(self) -> Next:
        if self.progress.to_be_taken_back:
            self.take_back()
            if not self.has_left:
                return self._wait_again()
        if not self.has_left:
            self._send_draft()
        return self.read_back()

    def _send_draft(self) -> None:
        if self.progress.send_asked_at is not None and self.progress.draft_id is not None:
            if not self._draft_is_there(self.progress.draft_id):
                self._find_copy()
                return
        elif self.progress.draft_id is None:
            self._draft()
        assert self.progress.draft_id is not None
        self._ask(send_asked_at=now())
        try:
            sent = self._mailbox.send_draft(self.progress.draft_id)
        except NotFound:
            self._find_copy()
        else:
            self._note(sent_gmail_id=sent.id, gmail_thread_id=sent.thread_id)

    def _draft(self) -> None:
        asked_before = self.progress.draft_asked_at is not None
        if asked_before:
            found = next(self._drafts_of_ours(), None)
            if found is not None:
                self._note(draft_id=found)
                return
        raw = self._composer.compose(self.progress.message_id)
        self._ask(draft_asked_at=now())
        draft_id = self._create(raw)
        try:
            self._note(draft_id=draft_id)
        except Overtaken:
            self._delete(draft_id)  # the other try has a draft of its own
            raise
        if asked_before:
            for stray in list(self._drafts_of_ours()):  # the first one, which was not listed yet
                if stray != draft_id:
                    self._delete(stray)

    def _create(self, raw: bytes) -> str:
        answers_in = self.progress.answers_in
        try:
            return self._mailbox.create_draft(raw, answers_in).id
        except (NotFound, InvalidRequest):
            if answers_in is None:
                raise
            # The thread is gone or not ours: the headers alone thread it (Gmail API: users.drafts.create).
            return self._mailbox.create_draft(raw).id

    def _drafts_of_ours(self) -> Iterator[str]:
        for stub in self._mailbox.list_drafts(page_size=DRAFTS_LOOKED_AT).drafts:
            try:
                draft = self._mailbox.get_draft(stub.id)
            except NotFound:
                continue
            if draft.header(outbound.STAMP_HEADER) == self.progress.stamp:
                yield draft.id

    def _draft_is_there(self, draft_id: str) -> bool:
        try:
            self._mailbox.get_draft(draft_id)
        except NotFound:
            return False
        return True

    def _delete(self, draft_id: str) -> bool:
        try:
            self._mailbox.delete_draft(draft_id)
        except NotFound:
            return False
        return True

    def _find_copy(self) -> None:
        """The draft is gone: sent, or deleted by somebody. The stamp in SENT tells which.

        Raises:
            _Unaccounted: SENT has no such copy.
        """
        since = (self.progress.draft_asked_at or self._created_at()) - BEFORE_DRAFT
        for headline in self._mailbox.sent_since(int(since.timestamp() * 1000)):
            if isinstance(headline, NotFound):
                continue
            if not isinstance(headline, Headline):
                raise headline
            if headline.header(outbound.STAMP_HEADER) == self.progress.stamp:
                self._note(sent_gmail_id=headline.id, gmail_thread_id=headline.thread_id)
                return
        raise _Unaccounted

    def _created_at(self) -> datetime:
        with self._database.session() as session:
            return leaving.locked(session, self.progress.message_id).created_at

    def read_back(self) -> Next:
        """Gmail rewrote the Message-ID, and perhaps the From: record what the copy says.

        A fresh id may not be there for some seconds; it has left all the same, so in the end it is recorded without.
        """
        assert self.progress.sent_gmail_id is not None
        try:
            return self.record(self._mailbox.look(self.progress.sent_gmail_id))
        except NotFound:
            if (lookups := self._count_lookup()) < MOST_LOOKUPS:
                return Next(Way.WAIT, now() + LOOKUP_PAUSE * lookups, "Gmail does not show the copy yet")
            return self.record(None)

    def record(self, headline: Headline | None) -> Next:
        """It has left; what is missing without the copy's headline the sync adds when it meets the copy."""
        gmail_id = self.progress.sent_gmail_id
        assert gmail_id is not None
        mail = parse_headers(headline.headers) if headline else None
        with self._database.session() as session:
            message = progress.locked(session, self.progress)
            leaving.record_sent(
                session,
                message,
                gmail_id=gmail_id,
                gmail_thread_id=headline.thread_id if headline else self.progress.gmail_thread_id or "",
                message_id_header=mail.message_id if mail else None,
                from_email=mail.sender.email if mail and mail.sender else None,
                at=datetime.fromtimestamp(headline.internal_date / 1000, UTC) if headline else now(),
            )
            if mail is not None:
                keys = identity.keys_of(mail)
                identity.claim_keys(session, message.location_id, [(key, message.id) for key in keys.all])
        return Next(Way.DONE)

    def take_back(self) -> None:
        """Nothing of it stays among the drafts; until that is sure the row says that it is to be taken back.

        Where somebody sent the draft in Gmail, it has left (`has_left`).

        Raises:
            _Unaccounted: neither draft nor copy is there; asked again it is found, or given up as deleted.
        """
        draft_id = self.progress.draft_id
        if draft_id is None and self.progress.draft_asked_at is not None:
            draft_id = next(self._drafts_of_ours(), None)
        if draft_id is not None:
            if not self.progress.to_be_taken_back:
                self._note(draft_asked_at=None, draft_id=draft_id, send_asked_at=None, lookups=0)
            if not self._delete(draft_id):
                self._find_copy()
                return
        self.forget_draft()

    def forget_draft(self) -> None:
        """Nothing of it is in Gmail: it may be drafted again, under a new stamp."""
        self._note(
            draft_id=None,
            draft_asked_at=None,
            send_asked_at=None,
            lookups=0,
            stamp=secrets.token_urlsafe(18),
        )

    def unaccounted(self) -> Next:
        """Look again after a pause that grows; in the end a person decides, unless it is only to be taken back."""
        lookups = self._count_lookup()
        if lookups < MOST_LOOKUPS:
            return Next(Way.WAIT, now() + LOOKUP_PAUSE * 2 ** (lookups - 1), "looks for it in Gmail")
        if self.progress.to_be_taken_back:
            self.forget_draft()  # an earlier try deleted it, and died before it could say so
            return self._wait_again()
        self._set(
            MessageStatus.HELD,
            "It is neither among Gmail's drafts nor in Sent: somebody may have deleted it there. "
            "Look again, mark it as sent, or discard it.",
        )
        return Next(Way.WAIT, why="held: a person has to decide")

    def hold(self, detail: str) -> None:
        """It shows as unknown where it may have left."""
        if self.progress.send_asked_at is not None and not self.has_left:
            self._set(MessageStatus.HELD, detail)

    def hold_for_its_mailbox(self) -> Next:
        """It may have left from a mailbox that cannot be asked: it leaves from no other."""
        with self._database.session() as session:
            message = progress.locked(session, self.progress, unsettled=True)
            following.hold(session, message, session.get_one(Account, self.progress.account_id))
        return Next(Way.WAIT, why="held: its mailbox cannot be asked")

    def cannot_ask(self, why: str) -> Next:
        """Gmail refuses us for this mailbox: unknown where it may have left, else it waits."""
        if self.has_left:
            return self.record(None)
        if self.progress.send_asked_at is not None:
            self._set(
                MessageStatus.HELD,
                "Gmail cannot be asked whether it left; it is looked for once the mailbox is connected again.",
            )
            return Next(Way.WAIT, why=why, refused=self.progress.account_id)
        with self._database.session() as session:
            message = progress.locked(session, self.progress, unsettled=True)
            waits = "Waits until the connection to Gmail is authorised again."
            outbound.set_status(session, message, MessageStatus.QUEUED, waits)
            message.leaves_at = None
        # The account finds out the same; should Google take the grant after all, the mail does not wait for long.
        return Next(Way.WAIT, now() + FAULT_PAUSE, why, refused=self.progress.account_id)

    def is_our_fault(self) -> Next:
        """Google refuses our own settings: whoever wrote the mail can do nothing, and it goes on by itself."""
        if self.has_left:
            return self.record(None)
        until = now() + FAULT_PAUSE
        if self.progress.send_asked_at is not None:
            self._set(
                MessageStatus.HELD,
                "Our own access to Google is set up wrongly, so Gmail cannot be asked whether it left. "
                "You need do nothing: it is looked for until it can.",
            )
            return Next(Way.WAIT, until, "our access to Google is set up wrongly")
        with self._database.session() as session:
            message = progress.locked(session, self.progress, unsettled=True)
            words = (
                "Our own access to Google is set up wrongly; we look into it. You need do nothing: "
                "it leaves by itself afterwards."
            )
            outbound.set_status(session, message, MessageStatus.QUEUED, words)
            message.leaves_at = until
        return Next(Way.WAIT, until, "our access to Google is set up wrongly")

    def is_given_up(self) -> bool:
        """A person cancelled or discarded it."""
        with self._database.session() as session:
            return leaving.locked(session, self.progress.message_id).status == MessageStatus.CANCELLED

    def say_why_it_waits(self, detail: str, pause: timedelta) -> None:
        """While it is being sent and cannot go on."""
        with self._database.session() as session:
            message = leaving.locked(session, self.progress.message_id)
            if message.status == MessageStatus.SENDING and not self.has_left:
                outbound.set_status(session, message, MessageStatus.SENDING, detail)
                message.leaves_at = now() + pause

    def fail(self, reason: str) -> Next:
        """It will not leave."""
        with self._database.session() as session:
            leaving.fail(session, progress.locked(session, self.progress, unsettled=True), reason)
        return Next(Way.DONE)

    def wait_for_limit(self, until: datetime, reason: str) -> Next:
        """Gmail's own limit is reached: it waits with the address's queue."""
        with self._database.session() as session:
            message = progress.locked(session, self.progress, unsettled=True)
            leaving.wait_for_limit(session, message, until, reason)
        return Next(Way.WAIT, until, "Gmail's sending limit")

    def _wait_again(self) -> Next:
        """Back into the queue of its address: Gmail refused the try before."""
        with self._database.session() as session:
            leaving.queue_again(session, progress.locked(session, self.progress, unsettled=True))
        return Next(Way.WAIT, now(), "its turn")

    def _set(self, status: MessageStatus, detail: str) -> None:
        with self._database.session() as session:
            message = progress.locked(session, self.progress, unsettled=True)
            outbound.set_status(session, message, status, detail)

    def _count_lookup(self) -> int:
        with self._database.session() as session:
            message = progress.locked(session, self.progress)
            message.lookups += 1
            return message.lookups

    def _ask(self, **moments: datetime) -> None:
        """Written before something is asked for; not where the message was settled meanwhile."""
        with self._database.session() as session:
            self.progress = progress.note(session, self.progress, moments, unsettled=True)

    def _note(self, **facts: Fact) -> None:
        with self._database.session() as session:
            self.progress = progress.note(session, self.progress, facts)
