"""Looking again at what did not sync: Gmail is asked, and an undone review stays undone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from activities.reviewing import PART, Reviewing, _parts
from crm import contacts, reviews
from devstack.story import unique
from models import Account, Review
from tests.activities.mailroom import Mailroom
from workflows.values import ReviewInput, ReviewLook, ReviewReady

pytestmark = pytest.mark.servers


def previewed(room: Mailroom, account: Account, email: str) -> str:
    """A contact is saved late, and Gmail is asked for its earlier mail; the id of the review."""
    environment = room.environment
    domain = environment.settings.auto_bcc_domain
    reviewing = Reviewing(environment.database, environment.mailboxes, domain)
    with environment.database.session() as session:
        contacts.create(session, account.location_id, "Nora", [email])
        review_id = reviews.preview(session, account.location_id, [email], [], domain).id
    plan = reviewing.plan(ReviewInput(review_id=review_id))
    assert plan.account_ids == [account.id]
    looked = reviewing.look(ReviewLook(review_id=review_id, account_id=account.id))
    assert (looked.more, looked.failed_step, looked.refused) == (False, False, None)
    reviewing.finish(ReviewReady(review_id=review_id))
    return review_id


def test_s9_mail_of_a_late_contact_is_found_by_its_headers_alone(room: Mailroom) -> None:
    account, nora = room.connected(), f"{unique('nora')}@new.example"
    ids = room.gmail.deliver({"from": nora, "to": account.email, "subject": "An idea", "text": "Words"})
    room.sync_to_the_end(account.id)
    review_id = previewed(room, account, nora)
    with room.environment.database.session() as session:
        review = session.get_one(Review, review_id)
        assert review.state == "preview"
        assert review.to_add == [{"account_id": account.id, "gmail_id": ids[account.email]}]
    forms = {one["form"] for one in room.gmail.requests("messages.get", path_id=ids[account.email])}
    assert forms == {"metadata"}


def test_a_review_that_is_undone_while_its_mail_is_fetched_brings_nothing(
    room: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, nora = room.connected(), f"{unique('nora')}@new.example"
    ids = room.gmail.deliver({"from": nora, "to": account.email, "subject": "An idea", "text": "Words"})
    room.sync_to_the_end(account.id)
    review_id = previewed(room, account, nora)
    database = room.environment.database
    with database.session() as session:
        reviews.apply(session, review_id)
    fetching = room.collecting._fetching
    fetch = fetching.fetch

    def undone_meanwhile(*arguments: Any) -> Iterator[Any]:
        found = list(fetch(*arguments))
        with database.session() as session:
            reviews.undo(session, review_id)
        return iter(found)

    monkeypatch.setattr(fetching, "fetch", undone_meanwhile)
    room.sync(account.id)
    assert room.messages(account.location_id) == []
    decision = room.decision(account.id, ids[account.email])
    assert decision is not None
    assert (decision.outcome, decision.next_try_at) == ("skipped", None)


def test_threads_are_looked_at_whole_and_from_where_a_round_stopped() -> None:
    threads = {f"t{number}": [f"{number}-{one}" for one in range(PART // 2 + 1)] for number in range(4)}
    parts = list(_parts(threads, None))
    assert [last for last, _ in parts] == ["t0", "t1", "t2", "t3"]
    assert [one for _, part in parts for one in part] == [one for ids in threads.values() for one in ids]
    assert [last for last, _ in _parts(threads, "t1")] == ["t2", "t3"]
    assert list(_parts(threads, "t3")) == []
