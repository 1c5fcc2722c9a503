"""What waits for a webhook endpoint, in order; pauses that grow; and the end of a consumer that never answers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm import events, webhook_endpoints, webhooks
from crm.ledger import Limits
from crm.webhooks import PAUSES, Waiting
from models import Contact, WebhookEndpoint
from models.columns import now
from tests.crm.builders import Crm

pytestmark = pytest.mark.servers

PAUSE = timedelta(seconds=5)


def endpoint(crm: Crm, *types: str) -> str:
    with crm.database.session() as session:
        made = webhook_endpoints.create(session, crm.location.id, "https://c.example/", types, b"sealed")
        return made.id


def waiting(crm: Crm, endpoint_id: str, limit: int = 50) -> Waiting | None:
    with crm.database.session() as session:
        return webhooks.waiting(session, endpoint_id, Limits(), limit)


def told(crm: Crm, endpoint_id: str, limit: int = 50) -> list[str]:
    """The contacts that it is told of next; it takes all of them."""
    found = waiting(crm, endpoint_id, limit)
    assert found is not None
    with crm.database.session() as session:
        webhooks.took(session, endpoint_id, found.up_to)
    return [document["data"]["id"] for _, document in found.documents]


def fail(
    crm: Crm, endpoint_id: str, *, not_before: timedelta | None = None, gone: bool = False
) -> float | None:
    """The next event is not taken; seconds until the next try, None where it is disabled."""
    found = waiting(crm, endpoint_id)
    assert found is not None
    before = now()
    with crm.database.session() as session:
        until = webhooks.failed(
            session,
            endpoint_id,
            found.documents[0][0],
            "it answered 500",
            first_pause=PAUSE,
            not_before=not_before,
            gone=gone,
        )
        return (until - before).total_seconds() if until else None


def due(crm: Crm) -> list[str]:
    with crm.database.session() as session:
        return webhooks.due(session, [crm.location.id])


def contacts(crm: Crm, count: int) -> list[str]:
    made: list[Contact] = [crm.contact(f"c{number}@c.example") for number in range(count)]
    return [contact.id for contact in made]


def test_an_endpoint_is_told_everything_after_it_was_made_in_order(crm: Crm) -> None:
    crm.contact("before@c.example")
    one = endpoint(crm)
    made = contacts(crm, 5)
    assert told(crm, one, limit=2) == made[:2]
    assert told(crm, one, limit=2) == made[2:4]
    assert told(crm, one, limit=2) == made[4:]
    assert told(crm, one) == []


def test_only_endpoints_with_something_to_tell_are_due(crm: Crm) -> None:
    all_events, others = endpoint(crm), endpoint(crm, "campaign.updated")
    assert due(crm) == []
    contacts(crm, 1)
    assert due(crm) == [all_events]
    with crm.database.session() as session:
        row = session.get_one(WebhookEndpoint, others)
        assert row.last_seq == events.newest_seq(session, crm.location.id), "moved past it"
    told(crm, all_events)
    assert due(crm) == []


def test_pauses_grow_up_to_a_day_and_then_it_is_disabled_with_the_reason(crm: Crm) -> None:
    one = endpoint(crm)
    contacts(crm, 1)
    for pause in PAUSES:
        seconds = fail(crm, one)
        assert seconds is not None
        assert seconds == pytest.approx(pause * 5, abs=2)
        assert due(crm) == [], "it is left in peace"
    assert fail(crm, one) is None
    with crm.database.session() as session:
        row = session.get_one(WebhookEndpoint, one)
        assert row.disabled_at is not None
        assert "it answered 500" in (row.reason or "")
    assert waiting(crm, one) is None
    assert due(crm) == []


def test_what_a_consumer_asks_for_is_kept_within_a_day(crm: Crm) -> None:
    one = endpoint(crm)
    contacts(crm, 1)
    assert fail(crm, one, not_before=timedelta(minutes=10)) == pytest.approx(600, abs=2)
    assert fail(crm, one, not_before=timedelta(days=400)) == pytest.approx(86400, abs=2)


def test_a_success_starts_the_pauses_anew(crm: Crm) -> None:
    one = endpoint(crm)
    contacts(crm, 1)
    fail(crm, one)
    fail(crm, one)
    told(crm, one)
    crm.contact("later@c.example")
    assert fail(crm, one) == pytest.approx(5, abs=2)


def test_enabled_again_it_goes_on_where_it_stopped(crm: Crm) -> None:
    one = endpoint(crm)
    (first,) = contacts(crm, 1)
    assert fail(crm, one, gone=True) is None
    second = crm.contact("second@c.example").id
    with crm.database.session() as session:
        webhooks.enable(session, session.get_one(WebhookEndpoint, one))
    assert due(crm) == [one]
    assert told(crm, one) == [first, second]
