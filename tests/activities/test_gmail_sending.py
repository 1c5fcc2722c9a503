"""S27: whatever breaks between us and Gmail, a mail leaves once, or is shown as not sent or unknown."""

from __future__ import annotations

import itertools
import os
import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, col, delete
from temporalio.testing import ActivityEnvironment

from activities import gmail_sending
from activities.composing import Composer
from crm import outbound, progress
from crm.ledger import Limits
from devstack.gmail.control import GmailControl
from devstack.stack import Stack
from gmail.errors import (
    AccessTokenRefused,
    ConfigurationRefused,
    GoogleError,
    GrantRefused,
    Unavailable,
)
from gmail.mailbox import Mailbox
from models import Account, LedgerEntry, Message, Participant, User
from models.columns import now
from models.ids import new_id
from models.states import AccountState, MessageStatus
from tests.activities.sender import Desk, WorkerDied, desk

pytestmark = pytest.mark.servers

CALLS = (
    "gmail.users.drafts.create",
    "gmail.users.drafts.send",
    "gmail.users.drafts.list",
    "gmail.users.drafts.get",
    "gmail.users.drafts.delete",
    "gmail.users.messages.list",
    "gmail.users.messages.get",
)
SENDING_LIMIT = {
    "status": 429,
    "reason": "userRateLimitExceeded",
    "message": "User-rate limit exceeded. (Mail sending)",
}
"""Gmail's answer, without until when."""
names = itertools.count(1)


@pytest.fixture(scope="module")
def gmail_stack(watched: str) -> Iterator[Stack]:
    with Stack.start(parts={"gmail"}, settings={"GMAIL_UNITS_PER_MINUTE": "100000000"}) as running:
        yield running


@pytest.fixture(scope="module")
def control(gmail_stack: Stack) -> GmailControl:
    return GmailControl(gmail_stack.gmail_url)


@pytest.fixture(scope="module")
def ann(
    gmail_stack: Stack, control: GmailControl, module_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("blobs")
    # Hundreds of cases are more than a day's 500 recipients.
    limits = Limits(consumer=10_000, window=timedelta(hours=24))
    with desk(
        module_database, gmail_stack.settings, control, folder, "ann@gmail.com", limits=limits
    ) as opened:
        yield opened


@pytest.fixture(autouse=True)
def quiet(control: GmailControl) -> Iterator[None]:
    yield
    control.clear_faults()


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses of the product, shortened."""
    monkeypatch.setattr(gmail_sending, "LOOKUP_PAUSE", timedelta(milliseconds=20))
    monkeypatch.setattr(gmail_sending, "SENDING_LIMIT_PAUSE", timedelta(milliseconds=50))
    monkeypatch.setattr(gmail_sending, "OVERTAKEN_PAUSE", timedelta(milliseconds=20))
    monkeypatch.setattr(gmail_sending, "THROTTLE_PAUSE", timedelta(milliseconds=20))


def subject() -> str:
    return f"Offer {next(names)}"


def test_s11_a_mail_leaves_through_gmail_and_its_real_message_id_is_recorded(ann: Desk) -> None:
    title = subject()
    message_id = ann.queue(title)
    assert ann.settle(message_id) == MessageStatus.SENT
    (copy,) = ann.in_sent(title)
    message = ann.message(message_id)
    assert message.message_id_header == copy["message_id"]
    assert (message.sent_gmail_id, message.gmail_thread_id) == (copy["id"], copy["thread_id"])
    assert ann.delivered(title) == 1
    assert ann.drafts(title) == []


def test_s11_an_answer_is_in_the_thread_of_what_it_answers(ann: Desk) -> None:
    first = ann.queue(title := subject())
    ann.settle(first)
    answer = ann.queue(f"Re: {title}", reply_to_message_id=first)
    assert ann.settle(answer) == MessageStatus.SENT
    assert ann.message(answer).gmail_thread_id == ann.message(first).gmail_thread_id
    assert ann.message(answer).thread_id == ann.message(first).thread_id
    assert ann.message(answer).references == [ann.message(first).message_id_header]


def test_s11_a_follow_up_that_was_handed_in_at_once_is_in_the_recipients_thread_too(ann: Desk) -> None:
    first = ann.queue(title := subject())
    follow_up = ann.queue(f"Re: {title}", reply_to_message_id=first)
    assert ann.step(follow_up).kind == "wait"
    step = ann.step(first)
    assert (step.kind, step.wake) == ("done", [follow_up])
    assert ann.settle(follow_up) == MessageStatus.SENT
    (copy,) = ann.in_sent(f"Re: {title}")
    assert copy["thread_id"] == ann.message(first).gmail_thread_id
    assert ann.message(follow_up).in_reply_to == [ann.message(first).message_id_header]


def test_s11_a_copy_that_gmail_does_not_show_yet_is_read_back_later(
    ann: Desk, control: GmailControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch)
    message_id = ann.queue(title := subject())
    control.fault(
        "gmail.users.messages.get",
        times=2,
        status=404,
        reason="notFound",
        message="Requested entity was not found.",
    )
    assert ann.settle(message_id) == MessageStatus.SENT
    (copy,) = ann.in_sent(title)
    assert ann.message(message_id).message_id_header == copy["message_id"]


@pytest.mark.parametrize("drop", ["before", "after"])
@pytest.mark.parametrize("call", CALLS)
def test_s27_a_connection_cut_at_any_call_sends_it_once(
    ann: Desk, control: GmailControl, monkeypatch: pytest.MonkeyPatch, call: str, drop: str
) -> None:
    # What comes before the cut makes the call happen: a draft of unknown fate, a limit that takes it back.
    message_id = ann.queue(title := subject())
    if call == "gmail.users.drafts.delete":
        control.fault("gmail.users.drafts.send", **SENDING_LIMIT)
        quick(monkeypatch)
    elif call not in ("gmail.users.drafts.create", "gmail.users.drafts.send"):
        control.fault("gmail.users.drafts.create", drop="after")
        control.fault("gmail.users.drafts.send", drop="after")
    control.fault(call, drop=drop)
    assert ann.settle(message_id) == MessageStatus.SENT
    assert len(ann.in_sent(title)) == 1
    assert ann.delivered(title) == 1
    assert ann.drafts(title) == []


@pytest.mark.parametrize("nth", range(1, 8))
def test_s27_a_worker_killed_at_any_write_sends_it_once(
    ann: Desk, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    message_id = ann.queue(title := subject())
    dies_at(monkeypatch, {nth})
    assert ann.settle(message_id) == MessageStatus.SENT
    assert len(ann.in_sent(title)) == 1
    assert ann.delivered(title) == 1
    assert ann.drafts(title) == []


def dies_at(monkeypatch: pytest.MonkeyPatch, moments: set[int]) -> None:
    """Kill the worker before its nth write, and in the next life after it."""
    written = itertools.count(1)
    note = progress.note

    def dying(session: Session, *what: Any, **more: Any) -> progress.Progress:
        moment = next(written)
        if moment in moments and moment % 2:
            raise WorkerDied
        after = note(session, *what, **more)
        if moment in moments:
            session.commit()
            raise WorkerDied
        return after

    monkeypatch.setattr(progress, "note", dying)


def broken(chance: random.Random) -> dict[str, Any]:
    """One thing that goes wrong at one call."""
    kind: dict[str, Any] = chance.choice(
        [
            {"drop": "before"},
            {"drop": "after"},
            {"status": 503},
            {"status": 500, "after_effect": True},
            {
                "status": 429,
                "reason": "rateLimitExceeded",
                "message": "Too many concurrent requests for user",
            },
            {"cut": 10},
            {"body": "<html>oops</html>", "status": 502, "content_type": "text/html"},
        ]
    )
    return {"method": chance.choice(CALLS), "skip": chance.randint(0, 1), **kind}


def refusal(chance: random.Random) -> dict[str, Any]:
    """Gmail does not take the mail: for its limit, or for good."""
    if chance.random() < 0.3:
        return {"status": 400, "reason": "invalidArgument", "message": "Invalid To header"}
    return SENDING_LIMIT


def crash_cases(
    ann: Desk, control: GmailControl, monkeypatch: pytest.MonkeyPatch, seed: int, cases: int
) -> Counter[str]:
    """Random faults and kills, by one or two workers; each mail ends once in SENT and at Lea's, or nowhere and
    `failed`."""
    quick(monkeypatch)
    chance = random.Random(seed)
    ended: Counter[str] = Counter()
    for case in range(cases):
        message_id = ann.queue(title := subject())
        if chance.random() < 0.25:
            control.fault("gmail.users.drafts.send", **refusal(chance))
        for _ in range(chance.randint(1, 4)):
            control.fault(**broken(chance))
        workers = chance.choice([1, 1, 2])
        with monkeypatch.context() as patch, ThreadPoolExecutor(workers) as threads:
            dies_at(patch, {chance.randint(1, 10) for _ in range(chance.randint(0, 2))})
            tries = [threads.submit(ann.settle, message_id, rounds=25) for _ in range(workers)]
            for one in tries:
                one.result()
        control.clear_faults()
        status = ann.settle(message_id, rounds=10)
        copies, delivered = len(ann.in_sent(title)), ann.delivered(title)
        where = f"seed {seed}, case {case}: {status}, {copies} in SENT, {delivered} delivered"
        assert (status, copies, delivered) in {("sent", 1, 1), ("failed", 0, 0)}, where
        assert ann.drafts(title) == [], where
        ended[status] += 1
    return ended


def test_s27_random_faults_and_kills_a_sample(
    ann: Desk, control: GmailControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = crash_cases(ann, control, monkeypatch, seed=27, cases=8)
    assert ended["sent"] >= 4


@pytest.mark.soak
def test_s27_random_faults_and_kills_in_full(
    ann: Desk, control: GmailControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = int(os.environ.get("SEED", random.SystemRandom().randrange(10**6)))
    print(f"seed {seed}")
    ended = crash_cases(ann, control, monkeypatch, seed=seed, cases=600)
    print(ended)
    assert ended["sent"] >= 400


def test_s27_a_draft_of_unknown_fate_that_shows_late_is_taken_away(ann: Desk, control: GmailControl) -> None:
    message_id = ann.queue(title := subject())
    control.fault("gmail.users.drafts.create", drop="after")
    control.fault("gmail.users.drafts.list", status=200, body="{}")
    assert ann.settle(message_id) == MessageStatus.SENT
    assert (len(ann.in_sent(title)), ann.delivered(title), ann.drafts(title)) == (1, 1, [])


def test_s27_a_discarded_mail_leaves_no_draft_behind(ann: Desk, control: GmailControl) -> None:
    message_id = ann.queue(title := subject())
    hold(ann, control, message_id, drop="before")
    assert len(ann.drafts(title)) == 1
    discard(ann, message_id)
    assert ann.settle(message_id) == MessageStatus.CANCELLED
    assert (ann.in_sent(title), ann.delivered(title), ann.drafts(title)) == ([], 0, [])


def test_s4_a_discarded_mail_leaves_no_draft_in_a_mailbox_that_was_switched_away_from(
    ann: Desk, control: GmailControl
) -> None:
    message_id = ann.queue(title := subject())
    hold(ann, control, message_id, drop="before")
    discard(ann, message_id)
    set_state(ann, AccountState.PAUSED)
    try:
        assert ann.settle(message_id) == MessageStatus.CANCELLED
    finally:
        set_state(ann, AccountState.ACTIVE)
    assert ann.drafts(title) == []


def test_s27_a_discarded_mail_that_had_left_says_so(ann: Desk, control: GmailControl) -> None:
    message_id = ann.queue(title := subject())
    hold(ann, control, message_id, drop="after")
    discard(ann, message_id)
    assert ann.settle(message_id) == MessageStatus.SENT
    assert (len(ann.in_sent(title)), ann.delivered(title)) == (1, 1)


def test_s27_a_discarded_mail_whose_draft_somebody_deleted_stays_discarded(
    ann: Desk, control: GmailControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch)
    message_id = ann.queue(title := subject())
    hold(ann, control, message_id, drop="before")
    (draft,) = ann.drafts(title)
    control.move(ann.mailbox, draft["id"], "nowhere")
    discard(ann, message_id)
    assert ann.settle(message_id) == MessageStatus.CANCELLED
    assert (ann.in_sent(title), ann.delivered(title)) == ([], 0)


def hold(ann: Desk, control: GmailControl, message_id: str, *, drop: str) -> None:
    """Gmail goes away while the mail is sent, so it is shown as unknown."""
    control.fault("gmail.users.drafts.send", drop=drop)
    with pytest.raises(GoogleError):
        ann.step(message_id)
    control.fault("gmail.users.drafts.get", status=503)
    with pytest.raises(GoogleError):
        ann.step(message_id, attempt=gmail_sending.HELD_AFTER_ATTEMPTS)
    assert ann.message(message_id).status == MessageStatus.HELD


def set_state(ann: Desk, state: AccountState) -> None:
    with ann.database.session() as session:
        session.get_one(Account, ann.account_id).state = state


def discard(ann: Desk, message_id: str) -> None:
    with ann.database.session() as session:
        outbound.resolve(session, message_id, "discard")


def test_a_cancelled_mails_draft_goes_once_the_mailbox_can_be_reached_again(
    ann: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = ann.queue(title := subject())
    refuse(monkeypatch, "send_draft", Unavailable("away"))
    with pytest.raises(Unavailable):
        ann.step(message_id)
    with ann.database.session() as session:
        session.get_one(Message, message_id).send_asked_at = None  # as where it was taken back
        outbound.cancel(session, message_id)
    with monkeypatch.context() as dead:
        refuse(dead, "delete_draft", GrantRefused("the password was changed"))
        step = ann.step(message_id)
    assert (step.kind, step.refused_account) == ("done", ann.account_id)
    assert len(ann.drafts(title)) == 1
    with ann.database.session() as session:
        assert message_id in outbound.waiting_of(session, ann.user_id), "it is woken when consent is given"
    ann.settle(message_id)
    assert ann.drafts(title) == []
    with ann.database.session() as session:
        assert message_id not in outbound.waiting_of(session, ann.user_id)


@pytest.mark.parametrize("call", ["create_draft", "send_draft"])
def test_our_own_refused_settings_are_not_put_on_the_user_and_tried_again_soon(
    ann: Desk, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    message_id = ann.queue(title := subject())
    with monkeypatch.context() as wrong:
        refuse(wrong, call, ConfigurationRefused("invalid_client"))
        step = ann.step(message_id)
    assert step.until is not None
    assert step.until < now() + timedelta(minutes=5)
    assert step.refused_account is None
    message = ann.message(message_id)
    assert "You need do nothing" in (message.status_detail or "")
    if message.send_asked_at is None:
        assert message.leaves_at == step.until, "the sweep finds it"
    assert ann.settle(message_id) == MessageStatus.SENT
    assert ann.delivered(title) == 1


def test_s6_a_grant_that_is_refused_while_a_mail_leaves_is_told_to_its_account(
    ann: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = ann.queue(subject())
    with monkeypatch.context() as dead:
        refuse(dead, "create_draft", GrantRefused("the password was changed"))
        assert ann.step(message_id).refused_account == ann.account_id
    assert ann.message(message_id).status == MessageStatus.QUEUED
    assert ann.settle(message_id) == MessageStatus.SENT


def test_s27_a_lasting_401_after_it_was_asked_to_be_sent_shows_it_as_unknown(
    ann: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = ann.queue(subject())
    with monkeypatch.context() as away:
        refuse(away, "send_draft", AccessTokenRefused("401"))
        with pytest.raises(AccessTokenRefused):
            ann.step(message_id, attempt=gmail_sending.HELD_AFTER_ATTEMPTS)
    assert ann.message(message_id).status == MessageStatus.HELD
    assert ann.settle(message_id) == MessageStatus.SENT


def test_a_mail_that_gmail_does_not_answer_for_says_so_and_can_be_cancelled(
    ann: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = ann.queue(title := subject())
    with monkeypatch.context() as away:
        refuse(away, "create_draft", Unavailable("503"))
        for _ in range(2):
            with pytest.raises(Unavailable):
                ann.step(message_id)
            message = ann.message(message_id)
            assert message.status == MessageStatus.SENDING
            assert "does not answer" in (message.status_detail or "")
            assert message.leaves_at is not None
            assert message.leaves_at > now()
    with ann.database.session() as session:
        outbound.cancel(session, message_id)
    assert ann.settle(message_id) == MessageStatus.CANCELLED
    assert (ann.drafts(title), ann.delivered(title)) == ([], 0)


@pytest.mark.parametrize("may_have_left", [False, True])
def test_s4_a_draft_out_of_reach_lets_the_mail_leave_elsewhere_only_if_it_cannot_have_left(
    ann: Desk, monkeypatch: pytest.MonkeyPatch, may_have_left: bool
) -> None:
    message_id = ann.queue(subject())
    refuse(monkeypatch, "send_draft", Unavailable("away"))
    with pytest.raises(Unavailable):
        ann.step(message_id)
    with ann.database.session() as session:
        message = session.get_one(Message, message_id)
        message.send_asked_at = None
        if may_have_left:
            message.draft_asked_at = None
        account = session.get_one(Account, ann.account_id)
        other = f"{new_id('ann')}@gmail.com"
        changed = {"id": new_id("acc"), "google_sub": other, "email": other, "email_key": other}
        elsewhere = Account(**{**account.model_dump(), **changed})
        session.add(elsewhere)
        session.flush()
        session.get_one(User, ann.user_id).active_account_id = elsewhere.id
    try:
        refuse(monkeypatch, "delete_draft", GrantRefused("the password was changed"))
        ann.step(message_id)
        message = ann.message(message_id)
        assert (message.status == MessageStatus.HELD) is may_have_left
        assert (message.draft_id is not None) is may_have_left
    finally:
        with ann.database.session() as session:
            session.get_one(User, ann.user_id).active_account_id = ann.account_id


def test_s29_a_mail_that_is_erased_while_it_leaves_leaves_no_draft_behind(
    ann: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = ann.queue(title := subject())
    create = Mailbox.create_draft

    def erased_meanwhile(*given: Any, **named: Any) -> Any:
        made = create(*given, **named)
        with ann.database.session() as session:
            for table in (LedgerEntry, Participant):
                session.execute(delete(table).where(col(table.message_id) == message_id))
            session.execute(delete(Message).where(col(Message.id) == message_id))
        return made

    monkeypatch.setattr(Mailbox, "create_draft", erased_meanwhile)
    assert ann.step(message_id).kind == "wait"
    assert ann.step(message_id).kind == "done"
    assert (ann.drafts(title), ann.delivered(title)) == ([], 0)


def refuse(monkeypatch: pytest.MonkeyPatch, call: str, error: GoogleError) -> None:
    """Gmail, or the way to it, answers a call with an error."""

    def raises(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(Mailbox, call, raises)


def test_s27_a_draft_that_somebody_deleted_is_held_for_a_person(
    ann: Desk, control: GmailControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch)
    message_id = ann.queue(title := subject())
    control.fault("gmail.users.drafts.send", drop="before")
    with pytest.raises(Exception, match="unknown"):
        ann.step(message_id)
    (draft,) = ann.drafts(title)
    control.move(ann.mailbox, draft["id"], "nowhere")
    assert ann.settle(message_id) == MessageStatus.HELD
    assert ann.delivered(title) == 0
    assert "deleted" in (ann.message(message_id).status_detail or "")


def test_gmail_refuses_a_recipient_and_the_mail_is_shown_as_failed(ann: Desk, control: GmailControl) -> None:
    message_id = ann.queue(title := subject())
    control.fault(
        "gmail.users.drafts.send", status=400, reason="invalidArgument", message="Invalid To header"
    )
    assert ann.settle(message_id) == MessageStatus.FAILED
    assert "Invalid To header" in (ann.message(message_id).status_detail or "")
    assert (ann.in_sent(title), ann.drafts(title)) == ([], [])


def test_s20_a_sending_limit_moves_the_queue_and_leaves_no_draft_behind(
    ann: Desk, control: GmailControl
) -> None:
    message_id = ann.queue(title := subject())
    control.fault(
        "gmail.users.drafts.send",
        status=429,
        reason="userRateLimitExceeded",
        message="User-rate limit exceeded.  Retry after 2099-01-01T00:00:00.000Z (Mail sending)",
    )
    step = ann.step(message_id)
    assert step.kind == "wait"
    assert ann.message(message_id).status == MessageStatus.WAITING_FOR_LIMIT
    assert ann.message(message_id).leaves_at is not None
    assert ann.drafts(title) == []
    second = ann.queue(subject())
    assert ann.step(second).kind == "wait"
    unblock(ann)
    assert ann.settle(message_id) == MessageStatus.SENT
    assert ann.settle(second) == MessageStatus.SENT
    assert ann.delivered(title) == 1


def unblock(ann: Desk) -> None:
    with ann.database.session() as session:
        session.get_one(Account, ann.account_id).sends_blocked_until = None


def test_s26_over_the_limit_mail_waits_and_leaves_when_the_window_has_moved(
    gmail_stack: Stack, control: GmailControl, module_database: str, tmp_path: Path
) -> None:
    limits = Limits(consumer=2, window=timedelta(seconds=3))
    with desk(
        module_database, gmail_stack.settings, control, tmp_path, "bea@gmail.com", limits=limits
    ) as bea:
        titles = [subject() for _ in range(3)]
        first, second, third = (bea.queue(title) for title in titles)
        assert [bea.settle(first), bea.settle(second)] == [MessageStatus.SENT, MessageStatus.SENT]
        step = bea.step(third)
        assert (step.kind, bea.message(third).status) == ("wait", MessageStatus.WAITING_FOR_LIMIT)
        assert step.until is not None
        assert abs(step.until - (bea.message(first).sent_at + limits.window)) < timedelta(milliseconds=1)
        assert bea.settle(third) == MessageStatus.SENT
        assert bea.message(third).sent_at >= bea.message(first).sent_at + limits.window - timedelta(
            milliseconds=50
        )


def test_s26_what_the_owner_sent_in_gmail_before_counts(
    gmail_stack: Stack, control: GmailControl, module_database: str, tmp_path: Path
) -> None:
    with desk(
        module_database, gmail_stack.settings, control, tmp_path, "cleo@gmail.com", limits=Limits(consumer=3)
    ) as cleo:
        control.send_as_user(
            cleo.mailbox, {"to": ["x@a.example", "y@a.example"], "subject": "Own", "text": "."}
        )
        assert ActivityEnvironment().run(cleo.sending.seed_send_ledger, cleo.account_id) == 1
        first, second = cleo.queue(subject()), cleo.queue(subject())
        assert cleo.settle(first) == MessageStatus.SENT
        assert cleo.step(second).kind == "wait"


class Paused:
    """The first call of a method hangs, before or after its effect, until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: type, method: str, when: str) -> None:
        self.hangs = threading.Event()
        self.go = threading.Event()
        original = getattr(owner, method)

        def call(*args: Any, **more: Any) -> Any:
            first = not self.hangs.is_set()
            if first and when == "before":
                self._hang()
            answer = original(*args, **more)
            if first and when == "after":
                self._hang()
            return answer

        monkeypatch.setattr(owner, method, call)

    def _hang(self) -> None:
        self.hangs.set()
        assert self.go.wait(30)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("method", ["create_draft", "send_draft", "look"])
def test_s27_two_workers_on_one_mail_send_it_once(
    ann: Desk, monkeypatch: pytest.MonkeyPatch, method: str, when: str
) -> None:
    # The first worker was given up (it lost Temporal for a while) and goes on all the same.
    quick(monkeypatch)
    message_id = ann.queue(title := subject())
    paused = Paused(monkeypatch, Mailbox, method, when)
    with ThreadPoolExecutor(1) as first:
        given_up = first.submit(ann.step, message_id)
        assert paused.hangs.wait(30)
        ann.settle(message_id)
        paused.go.set()
        given_up.result(30)
    assert ann.settle(message_id) == MessageStatus.SENT
    assert len(ann.in_sent(title)) == 1
    assert ann.delivered(title) == 1
    assert ann.drafts(title) == []


def test_s27_what_one_worker_gave_up_another_does_not_send(
    ann: Desk, control: GmailControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = ann.queue(title := subject())
    control.fault(
        "gmail.users.drafts.create", status=400, reason="invalidArgument", message="Invalid To header"
    )
    with ThreadPoolExecutor(2) as workers:
        gives_up = Paused(monkeypatch, gmail_sending._Try, "fail", "before")
        first = workers.submit(ann.step, message_id)
        assert gives_up.hangs.wait(30)
        composes = Paused(monkeypatch, Composer, "compose", "after")
        second = workers.submit(ann.step, message_id)
        assert composes.hangs.wait(30)
        gives_up.go.set()
        first.result(30)
        composes.go.set()
        second.result(30)
    assert ann.settle(message_id) == MessageStatus.FAILED
    assert (ann.in_sent(title), ann.delivered(title), ann.drafts(title)) == ([], 0, [])
