"""How a mailbox's news reach us: pushes that are lost, doubled, reordered or early, and a watch that is gone."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import psycopg
import pytest

from devstack.stack import Stack
from devstack.story import LocationInStory, Story, UserInStory, eventually, unique
from tests.scenarios.accounts import Reconcile, asked, completeness, first_sync, lead, subjects

pytestmark = pytest.mark.servers


@pytest.fixture(autouse=True)
def well_behaved(story: Story) -> Iterator[None]:
    yield
    story.gmail.reset_behaviour()


def test_pushes_that_come_twice_and_in_any_order_bring_each_mail_once(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    lea = lead(acme)
    first_sync(ann)
    story.gmail.behaviour(push_duplicate_rate=1.0, push_reorder_rate=1.0)
    wanted = [f"Mail {number}" for number in range(6)]
    for subject in wanted:
        story.mail_from(lea.email, ann.mailbox, subject)
    for subject in wanted:
        lea.message(subject)
    assert completeness(ann)["missing"] == 0
    assert subjects(lea) == wanted


def test_a_push_before_gmail_shows_what_it_is_about_is_looked_for_again(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    lea = lead(acme)
    first_sync(ann)
    story.gmail.behaviour(history_lag_s=2.0)
    story.mail_from(lea.email, ann.mailbox, "Not to be seen yet")
    lea.message("Not to be seen yet")


def test_pushes_about_what_is_read_already_cost_gmail_nothing(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    lea = lead(acme)
    story.mail_from(lea.email, ann.mailbox, "Once")
    lea.message("Once")
    completeness(ann)
    before = asked(story, "history.list", mailbox=ann.mailbox)
    for push in story.gmail.pushes(ann.mailbox):
        story.gmail.publish(ann.mailbox, int(push["history_id"]))
    story.mail_from(lea.email, ann.mailbox, "Twice")
    lea.message("Twice")
    assert asked(story, "history.list", mailbox=ann.mailbox) - before <= 4


def test_a_watch_that_google_dropped_is_set_again_once_mail_came_unannounced(
    story: Story, acme: LocationInStory, ann: UserInStory, reconcile: Reconcile
) -> None:
    lea = lead(acme)
    first_sync(ann)
    token = story.gmail.token(ann.mailbox)
    stopped = httpx.post(
        f"{story.stack.gmail_url}/gmail/v1/users/me/stop", headers={"Authorization": f"Bearer {token}"}
    )
    assert stopped.status_code == 204
    story.mail_from(lea.email, ann.mailbox, "Unannounced")
    watched = asked(story, "watch", mailbox=ann.mailbox)
    reconcile()
    lea.message("Unannounced")
    eventually(lambda: asked(story, "watch", mailbox=ann.mailbox) > watched, "the watch is set again")
    eventually(lambda: story.gmail.pushes(ann.mailbox), "Gmail tells again")
    story.mail_from(lea.email, ann.mailbox, "Announced")
    lea.message("Announced")


def test_a_push_for_a_mailbox_that_nobody_connected_disturbs_nobody(
    story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    unknown = f"{unique('nobody')}@gmail.com"
    story.gmail.publish(unknown, 4711)
    pushed = eventually(lambda: story.gmail.pushes(unknown), "the push was delivered")
    assert {push["status"] for push in pushed} == {204}
    lea = lead(acme)
    story.mail_from(lea.email, ann.mailbox, "As ever")
    lea.message("As ever")


def test_s30_what_neither_push_nor_history_told_is_found_by_the_proof_repaired_and_said(
    stack: Stack, story: Story, acme: LocationInStory, ann: UserInStory
) -> None:
    """A mail whose decision is lost, as after a backup that was restored: the cursor has passed it."""
    lea = lead(acme)
    (gmail_id,) = story.mail_from(lea.email, ann.mailbox, "Forgotten").values()
    lea.message("Forgotten")
    assert completeness(ann)["missing"] == 0
    with psycopg.connect(stack.database_url) as database:
        database.execute("DELETE FROM decisions WHERE gmail_id = %s", [gmail_id])
    shown = completeness(ann)
    assert (shown["listed"], shown["decided"], shown["missing"]) == (1, 1, 0)
    assert ann.decision(gmail_id)["outcome"] == "synced"
    assert subjects(lea) == ["Forgotten"], "it is not doubled by the repair (I2)"
