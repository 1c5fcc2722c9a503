"""One round of sync: what it costs, what stops it, what it leaves behind when something fails."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlmodel import col, delete, select

from activities import outcomes
from activities.fetching import Fetching
from crm import accounts, erasure, keeping, timeline
from models import Account, Attachment, Contact, MailboxBudget
from models.columns import now
from models.states import AccountState
from tests.activities.mailroom import TOO_FAST, Mailroom
from workflows.values import Gap, GapInput

pytestmark = pytest.mark.servers


def deliver(room: Mailroom, sender: str, mailbox: str, subject: str = "Hello", **more: object) -> str:
    fields = {"from": sender, "to": mailbox, "subject": subject, "text": "Hello.", **more}
    return next(iter(room.gmail.deliver(fields).values()))


def units(room: Mailroom, mailbox: str) -> int:
    return int(room.gmail.usage(mailbox=mailbox)["units"])


def test_a_lone_message_that_syncs_costs_42_units(room: Mailroom) -> None:
    account = room.connected()
    lead = room.contact(account.location_id)
    deliver(room, lead, account.email)
    before = units(room, account.email)
    report = room.sync(account.id)
    assert report.synced == 1
    assert units(room, account.email) - before <= 42


def test_a_lone_message_that_does_not_sync_costs_22_units(room: Mailroom) -> None:
    account = room.connected()
    deliver(room, "who@nowhere.example", account.email)
    before = units(room, account.email)
    report = room.sync(account.id)
    assert (report.synced, report.skipped) == (0, 1)
    assert units(room, account.email) - before <= 22


def test_a_round_that_is_repeated_changes_nothing(room: Mailroom) -> None:
    account = room.connected()
    lead = room.contact(account.location_id)
    deliver(room, lead, account.email)
    room.sync(account.id)
    (message,) = room.messages(account.location_id)
    report = room.sync(account.id, cursor=account.history_id)
    assert report.records > 0
    assert (report.synced, report.skipped, report.failed) == (0, 0, 0)
    assert [one.id for one in room.messages(account.location_id)] == [message.id]


def test_i4_an_id_that_fails_stops_nobody_and_is_tried_again(room: Mailroom) -> None:
    account = room.connected()
    lead = room.contact(account.location_id)
    bad = deliver(room, lead, account.email, "Bad")
    good = deliver(room, lead, account.email, "Good")
    room.gmail.fault("gmail.users.messages.get", mailbox=account.email, times=1, status=500)
    report = room.sync(account.id)
    assert (report.synced, report.failed) == (1, 1)
    assert report.retry_at is not None
    assert room.account(account.id).state == "active"
    outcomes = {one: room.decision(account.id, one) for one in (bad, good)}
    failed = next(one for one in outcomes.values() if one and one.outcome == "failed")
    assert failed.next_try_at is not None
    room.hurry(account.id)
    report = room.sync(account.id)
    assert report.synced == 1
    assert report.retry_at is None
    assert sorted(one.subject for one in room.messages(account.location_id)) == ["Bad", "Good"]


def test_s31_a_fresh_id_that_answers_404_is_not_gone_yet(room: Mailroom) -> None:
    account = room.connected()
    lead = room.contact(account.location_id)
    gmail_id = deliver(room, lead, account.email)
    room.gmail.fault(
        "gmail.users.messages.get", mailbox=account.email, times=1, status=404, reason="notFound"
    )
    assert room.sync(account.id).failed == 1
    decision = room.decision(account.id, gmail_id)
    assert decision is not None
    assert decision.outcome == "failed"
    room.hurry(account.id)
    assert room.sync(account.id).synced == 1


def test_s31_an_id_that_stays_404_is_gone(room: Mailroom) -> None:
    account = room.connected()
    lead = room.contact(account.location_id)
    gmail_id = deliver(room, lead, account.email)
    room.gmail.fault(
        "gmail.users.messages.get", mailbox=account.email, times=2, status=404, reason="notFound"
    )
    room.sync(account.id)
    room.hurry(account.id)
    room.sync(account.id)
    decision = room.decision(account.id, gmail_id)
    assert decision is not None
    assert (decision.outcome, decision.rule) == ("skipped", "S31")


def test_a_throttle_is_waited_for_and_loses_nothing(room: Mailroom) -> None:
    account = room.connected()
    lead = room.contact(account.location_id)
    for number in range(3):
        deliver(room, lead, account.email, f"Mail {number}")
    before = room.account(account.id).history_id
    room.gmail.fault("gmail.users.messages.get", mailbox=account.email, times=1, **TOO_FAST)
    report = room.sync(account.id)
    assert report.failed_step
    assert (report.wait_s, report.obey) == (5.0, False), "Gmail named no time: a push may wake it before"
    assert report.state == "active", "a throttle is no failure"
    assert room.account(account.id).history_id == before
    report = room.sync(account.id)
    while report.failed_step:
        report = room.sync(account.id)
    assert len(room.messages(account.location_id)) == 3


def test_a_throttle_that_names_a_time_is_obeyed(room: Mailroom) -> None:
    account = room.connected()
    until = now() + timedelta(minutes=15)
    room.gmail.fault(
        "gmail.users.history.list",
        mailbox=account.email,
        times=1,
        status=429,
        reason="userRateLimitExceeded",
        message=f"User-rate limit exceeded.  Retry after {until:%Y-%m-%dT%H:%M:%S}.000Z",
    )
    report = room.sync(account.id)
    assert report.obey
    assert report.wait_s is not None
    assert 800 < report.wait_s <= 901
    assert told(room, account.id, "retry")[0].startswith("Gmail's limit is reached: tried again at ")
    with room.environment.database.session() as session:
        session.execute(delete(MailboxBudget).where(col(MailboxBudget.email_key) == account.email))


def test_google_away_is_a_state_with_a_reason_and_ends_by_itself(room: Mailroom) -> None:
    account = room.connected()
    room.gmail.fault("gmail.users.history.list", mailbox=account.email, times=3, status=503)
    report = room.sync(account.id)
    assert (report.state, report.failed_step) == ("recovering", True)
    assert report.reason == "Google does not answer at the moment"
    report = room.sync(account.id)
    assert (report.state, report.reason) == ("active", None)


def test_the_cursor_passes_only_what_history_has_shown(room: Mailroom) -> None:
    account = room.connected()
    lead = room.contact(account.location_id)
    deliver(room, lead, account.email)
    report = room.sync(account.id)
    assert report.cursor is not None
    assert report.history_id is not None
    assert report.cursor <= report.history_id
    assert room.account(account.id).history_id == report.cursor
    empty = room.sync(account.id)
    assert (empty.records, empty.cursor) == (0, report.cursor)


def test_s6_expired_history_opens_a_gap_that_is_filled_to_a_ledger(room: Mailroom) -> None:
    account = room.connected()
    lead = room.contact(account.location_id)
    ids = [deliver(room, lead, account.email, f"Missed {number}") for number in range(7)]
    room.gmail.expire_history(account.email)
    report = room.sync(account.id)
    assert report.state == "recovering"
    assert report.gap is not None
    assert room.sync(account.id).gap is not None, "until the gap is closed nothing is passed"
    report = room.recovering.fill(GapInput(account_id=account.id, gap=report.gap))
    assert (report.gap, report.state) == (None, "active")
    decisions = [room.decision(account.id, one) for one in ids]
    assert all(one is not None and one.outcome == "synced" for one in decisions)
    deliver(room, lead, account.email, "After")
    assert room.sync(account.id).synced == 1


def told(room: Mailroom, account_id: str, kind: str) -> list[str]:
    """Entries of a kind in the account's timeline, newest first."""
    with room.environment.database.session() as session:
        return [one.detail for one in timeline.listing(session, account_id, 100).items if one.kind == kind]


def gap_of(room: Mailroom, account: Account) -> Gap:
    room.gmail.expire_history(account.email)
    gap = room.sync(account.id).gap
    assert gap is not None
    return gap


def test_s6_no_throttle_loses_a_count_of_the_ledger(room: Mailroom) -> None:
    account = room.connected()
    lead = room.contact(account.location_id)
    for number in range(9):
        deliver(room, "who@nowhere.example" if number else lead, account.email, f"Missed {number}")
    gap = gap_of(room, account)
    room.gmail.fault("gmail.users.messages.get", mailbox=account.email, times=1, **TOO_FAST)
    assert room.recovering.fill(GapInput(account_id=account.id, gap=gap)).failed_step
    report = room.recovering.fill(GapInput(account_id=account.id, gap=gap))
    while report.failed_step:
        report = room.recovering.fill(GapInput(account_id=account.id, gap=gap))
    words = "9 listed, 1 synced, 8 not to sync, 0 to be tried again, 0 missing"
    assert words in told(room, account.id, "gap")[0]


def test_s6_a_gap_that_meets_a_dead_grant_goes_on_after_the_consent(room: Mailroom) -> None:
    account = room.connected()
    deliver(room, room.contact(account.location_id), account.email)
    gap = gap_of(room, account)
    room.gmail.change_password(account.email)
    report = room.recovering.fill(GapInput(account_id=account.id, gap=gap))
    assert (report.state, report.gap) == ("reauthorization_required", gap)


def test_s6_a_gap_that_is_closed_by_a_round_without_work_has_its_ledger(
    room: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker dies after the last mail, before the gap is closed."""
    account = room.connected()
    deliver(room, "who@nowhere.example", account.email)
    gap = gap_of(room, account)
    with monkeypatch.context() as dying:
        dying.setattr(accounts, "advance_cursor", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            room.recovering.fill(GapInput(account_id=account.id, gap=gap))
    room.recovering.fill(GapInput(account_id=account.id, gap=gap))
    assert "1 listed, 0 synced, 1 not to sync" in told(room, account.id, "gap")[0]


def test_s30_after_a_gap_the_next_step_is_the_renewal_and_when(room: Mailroom) -> None:
    account = room.connected()
    deliver(room, "who@nowhere.example", account.email)
    gap, tomorrow = gap_of(room, account), now() + timedelta(days=1)
    report = room.recovering.fill(GapInput(account_id=account.id, gap=gap, upkeep_at=tomorrow))
    assert (report.state, report.next_action, report.next_action_at) == ("active", outcomes.RENEW, tomorrow)


def test_s30_after_trouble_the_next_step_is_the_renewal_and_when(room: Mailroom) -> None:
    account, tomorrow = room.connected(), now() + timedelta(days=1)
    room.gmail.fault("gmail.users.history.list", mailbox=account.email, times=3, status=503)
    failed = room.sync(account.id, upkeep_at=tomorrow)
    assert failed.next_action == outcomes.BY_ITSELF
    assert failed.next_action_at is not None
    assert told(room, account.id, "retry")[0].startswith(
        "Google does not answer at the moment: tried again at"
    )
    report = room.sync(account.id, upkeep_at=tomorrow)
    assert (report.next_action, report.next_action_at) == (outcomes.RENEW, tomorrow)


def test_s30_what_a_series_of_syncs_brought_is_one_entry(room: Mailroom) -> None:
    account = room.connected()
    lead = room.contact(account.location_id)
    for sender in (lead, "who@nowhere.example", lead):
        deliver(room, sender, account.email)
        room.sync(account.id)
    room.sync(account.id)
    assert told(room, account.id, "sync") == ["New mail: 2 synced, 1 not to sync"]


def test_s30_a_mail_that_fails_is_told_once(room: Mailroom) -> None:
    account = room.connected()
    deliver(room, room.contact(account.location_id), account.email)
    room.gmail.fault("gmail.users.messages.get", mailbox=account.email, times=2, status=500)
    room.sync(account.id)
    room.hurry(account.id)
    room.sync(account.id)
    assert told(room, account.id, "retry") == [
        "1 mail could not be read yet: tried again by itself, and stops no other"
    ]


def test_s5_a_round_ends_soon_after_the_user_wants_to_disconnect(
    room: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = room.connected()
    for _ in range(6):
        deliver(room, "who@nowhere.example", account.email)
    monkeypatch.setattr("activities.collecting.PART", 2)
    file_page = keeping.file_page

    def then_asked(*arguments: Any, **more: Any) -> Any:
        filed = file_page(*arguments, **more)
        arguments[1].disconnect_asked_at = now()
        return filed

    monkeypatch.setattr(keeping, "file_page", then_asked)
    assert room.sync(account.id).skipped == 2


def test_s31_s6_mail_that_left_the_trash_in_a_time_that_history_no_longer_tells_of_is_looked_at_again(
    room: Mailroom,
) -> None:
    account = room.connected()
    lead = room.contact(account.location_id)
    back, stays = (deliver(room, lead, account.email, subject) for subject in ("Comes back", "Stays"))
    for one in (back, stays):
        room.gmail.move(account.email, one, "trash")
    room.sync(account.id)
    put_aside = [room.decision(account.id, one) for one in (back, stays)]
    assert [one.rule if one else None for one in put_aside] == ["S31", "S31"]
    room.gmail.move(account.email, back, "inbox")
    room.gmail.expire_history(account.email)
    room.sync_to_the_end(account.id)
    again = [room.decision(account.id, one) for one in (back, stays)]
    assert [(one.outcome, one.rule) if one else None for one in again] == [
        ("synced", "S7"),
        ("skipped", "S31"),
    ]


def test_s22_an_attachment_that_is_too_large_stays_in_gmail(room: Mailroom) -> None:
    account = room.connected()
    lead = room.contact(account.location_id)
    small, huge = b"small", bytes(27 * 2**20)
    attachments = [
        {"filename": name, "content_type": kind, "content_base64": base64.b64encode(content).decode()}
        for name, kind, content in (
            ("small.txt", "text/plain", small),
            ("huge.bin", "application/octet-stream", huge),
        )
    ]
    gmail_id = deliver(room, lead, account.email, "Big", attachments=attachments)
    assert room.sync(account.id).synced == 1
    (message,) = room.messages(account.location_id)
    assert (message.text or "").strip() == "Hello."
    with room.environment.database.session() as session:
        rows = session.exec(select(Attachment).where(Attachment.message_id == message.id)).all()
        states = {row.filename: (row.state, row.size) for row in rows}
        blob = next(row.blob for row in rows if row.filename == "small.txt")
    assert states["small.txt"] == ("stored", len(small))
    state, size = states["huge.bin"]
    assert state == "left_in_gmail"
    assert size == len(huge)
    assert room.environment.blobs.get(blob or "") == small
    forms = [request["form"] for request in room.gmail.requests("messages.get", path_id=gmail_id)]
    assert forms == ["metadata", "full"]


def _stored(room: Mailroom, location_id: str) -> set[str]:
    """Keys of the location's blobs that are there to stay."""
    with room.environment.database.session() as session:
        going = set(erasure.doomed(session, 10_000))
    folder = Path(urlsplit(room.environment.settings.blob_url).path)
    files = [path for path in (folder / location_id).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)) for path in files} - going


@pytest.mark.parametrize("gone", ["the contact is erased", "the mailbox is disconnected"])
def test_s29_nothing_stays_of_mail_that_is_not_kept_after_all(
    room: Mailroom, gone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its body was fetched and stored; before it is written down the person is erased, or the sync ends."""
    account = room.connected()
    lead = room.contact(account.location_id)
    deliver(room, lead, account.email, attachments=[{"filename": "a.txt", "text": "a secret"}])
    fetch = Fetching.fetch

    def then_gone(self: Fetching, *arguments: Any) -> Iterator[Any]:
        yield from fetch(self, *arguments)
        with room.environment.database.session() as session:
            if gone == "the contact is erased":
                person = session.exec(select(Contact).where(Contact.location_id == account.location_id)).one()
                erasure.erase_contact(session, person)
            else:
                session.get_one(Account, account.id).state = AccountState.DISCONNECTED

    monkeypatch.setattr(Fetching, "fetch", then_gone)
    room.sync(account.id)
    assert room.messages(account.location_id) == []
    assert _stored(room, account.location_id) == set()


def test_s29_of_a_mail_in_two_mailboxes_one_copy_is_stored(room: Mailroom) -> None:
    first = room.connected()
    second = room.connected(first.location_id)
    lead = room.contact(first.location_id)
    deliver(room, lead, first.email, cc=[second.email])
    room.sync(first.id)
    room.sync(second.id)
    (message,) = room.messages(first.location_id)
    assert _stored(room, first.location_id) == {message.raw_blob}
