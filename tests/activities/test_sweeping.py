"""The sweep: what lost its workflow is started again, and what was to be removed goes."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

import pytest
from sqlmodel import select

from activities.sweeping import Sweeping
from crm import contacts, erasure, threads, users
from models import (
    Account,
    GmailMessage,
    IdempotencyKey,
    Location,
    Message,
    PendingConsent,
    Review,
    UserSession,
)
from models.columns import now
from models.erasure import DoomedBlob
from models.ids import new_id
from models.states import AccountState, Direction, ReviewState
from storage.blobs import BlobMissing, Blobs, BlobStoreAway
from storage.database import Database
from tests.api.running import RecordedCommands
from workflows.commands import Commands

pytestmark = pytest.mark.servers
LONG_AGO = timedelta(minutes=10)


class Sweep:
    """A sweep over a database and a blob store of its own."""

    def __init__(self, url: str, blobs: Blobs) -> None:
        self.database, self.blobs, self.commands = Database(url, pool_size=2), blobs, RecordedCommands()
        self.sweeping = Sweeping(self.database, cast(Commands, self.commands), blobs)
        with self.database.session() as session:
            location = Location(name="Acme", api_key_hash=new_id("key"))
            session.add(location)
            self.location_id = location.id

    def doomed(self, content: bytes, ago: timedelta) -> str:
        """A blob that was to be removed some time ago."""
        key = self.blobs.put(self.location_id, content)
        with self.database.session() as session:
            session.add(DoomedBlob(key=key, location_id=self.location_id, since=now() - ago))
        return key

    def marked(self, state: AccountState, ago: timedelta) -> str:
        """A message that was marked as read some time ago; its mailbox is in this state."""
        with self.database.session() as session:
            user = users.create(session, self.location_id, f"{new_id('u')}@acme.example", "Ann")
            account = Account(
                location_id=self.location_id,
                user_id=user.id,
                email=user.email,
                email_key=user.email,
                google_sub=user.id,
                state=state,
            )
            contact = contacts.create(session, self.location_id, "Lea", [f"{new_id('l')}@lead.example"])
            thread = threads.open_thread(
                session, threads.conversation_of(session, self.location_id, contact.id), "Hello"
            )
            message = Message(
                location_id=self.location_id,
                conversation_id=thread.conversation_id,
                thread_id=thread.id,
                contact_id=contact.id,
                direction=Direction.INBOUND,
                sent_at=now(),
            )
            session.add_all([account, message])
            session.flush()
            session.add(
                GmailMessage(
                    account_id=account.id,
                    gmail_id=new_id("g"),
                    message_id=message.id,
                    gmail_thread_id="t",
                    internal_date=now(),
                    marked_at=now() - ago,
                )
            )
            return message.id

    def review(self, state: ReviewState, ago: timedelta) -> str:
        with self.database.session() as session:
            review = Review(location_id=self.location_id, state=state, created_at=now() - ago)
            session.add(review)
            return review.id


@pytest.fixture
def sweep(database: str, tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    return Sweep(database, Blobs(f"file://{tmp_path_factory.mktemp('blobs')}"))


async def test_s29_blobs_that_a_crash_left_behind_are_removed(sweep: Sweep) -> None:
    old, fresh = sweep.doomed(b"old", LONG_AGO), sweep.doomed(b"fresh", timedelta())
    await sweep.sweeping.restart_lost()
    with pytest.raises(BlobMissing):
        sweep.blobs.get(old)
    assert sweep.blobs.get(fresh) == b"fresh", "whoever erased it removes it just now"
    with sweep.database.session() as session:
        assert erasure.doomed(session) == [fresh]
    sweep.database.close()


async def test_a_blob_store_that_fails_does_not_fail_the_sweep(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = sweep.doomed(b"old", LONG_AGO)

    def fails(_: object) -> None:
        raise BlobStoreAway("no rights") from PermissionError()

    with monkeypatch.context() as away:
        away.setattr(sweep.blobs, "delete", fails)
        await sweep.sweeping.restart_lost()
    with sweep.database.session() as session:
        assert erasure.doomed(session) == [key]
    sweep.database.close()


async def test_s24_a_mark_that_gmail_was_not_told_of_is_followed(sweep: Sweep) -> None:
    marked = {
        state: sweep.marked(state, ago)
        for state, ago in (
            (AccountState.ACTIVE, LONG_AGO),
            (AccountState.RECOVERING, timedelta()),
            (AccountState.REAUTHORIZATION_REQUIRED, LONG_AGO),
        )
    }
    assert await sweep.sweeping.restart_lost() == 1
    assert sweep.commands.given == [("follow_mark", marked[AccountState.ACTIVE])]
    sweep.database.close()


async def test_a_review_whose_workflow_was_lost_is_started_again(sweep: Sweep) -> None:
    lost = sweep.review(ReviewState.LOOKING, LONG_AGO)
    sweep.review(ReviewState.LOOKING, timedelta())
    sweep.review(ReviewState.PREVIEW, LONG_AGO)
    assert await sweep.sweeping.restart_lost() == 1
    assert sweep.commands.given == [("run_review", lost)]
    sweep.database.close()


def test_what_has_expired_is_forgotten_and_what_still_serves_is_not(sweep: Sweep) -> None:
    with sweep.database.session() as session:
        user = users.create(session, sweep.location_id, "ann@acme.example", "Ann")
        for name, age in (("old", timedelta(days=8)), ("fresh", timedelta(days=6))):
            key = IdempotencyKey(scope="admin", key=name, request_hash="0", created_at=now() - age)
            session.add(key)
        for name, end in (("old", timedelta(days=2)), ("fresh", timedelta(hours=1))):
            session.add(UserSession(token_hash=name, user_id=user.id, kind="link", expires_at=now() - end))
            consent = PendingConsent(
                state_hash=name,
                location_id=sweep.location_id,
                user_id=user.id,
                purpose="connect",
                code_verifier_encrypted=b"",
                expires_at=now() - end,
            )
            session.add(consent)
    assert sweep.sweeping.forget_expired() == 3
    with sweep.database.session() as session:
        assert session.exec(select(IdempotencyKey.key)).all() == ["fresh"]
        assert session.exec(select(UserSession.token_hash)).all() == ["fresh"]
        assert session.exec(select(PendingConsent.state_hash)).all() == ["fresh"]
    assert sweep.sweeping.forget_expired() == 0
