"""Each transition of an account's state machine, lived on the whole running system.

The table `STORIES` names one story for each; a test holds that none of `crm.accounts.TRANSITIONS` has no story.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psycopg
import pytest

from crm.accounts import TRANSITIONS, WORDS
from devstack.stack import Stack
from devstack.story import LocationInStory, Story, UserInStory
from models.states import AccountState
from tests.scenarios.accounts import (
    PROFILE,
    Reconcile,
    begin_to_connect,
    consent_to_switch,
    disconnect,
    lead,
    new_mailbox,
    reauthorize,
    switch_is_over,
    switch_to,
    switched,
    sync,
)

pytestmark = pytest.mark.servers

S = AccountState


@dataclass
class Scene:
    """Ann, who is connected unless the story says otherwise; `account_id` is the one that the story is about."""

    story: Story
    stack: Stack
    acme: LocationInStory
    ann: UserInStory
    reconcile: Reconcile
    account_id: str = ""

    def connected(self) -> None:
        """Ann's mailbox is connected and active."""
        self.account_id = self.ann.connect()

    def connecting(self) -> str:
        """Ann has given consent, and Google does not answer since; her mailbox."""
        mailbox = new_mailbox(self.story)
        self.story.gmail.fault(PROFILE, mailbox=mailbox, times=1000, status=503)
        self.account_id = begin_to_connect(self.ann, mailbox)
        self.state(S.CONNECTING)
        return mailbox

    def recovering(self) -> None:
        """Ann's mailbox is connected, and Google does not answer any more."""
        self.connected()
        self.story.gmail.fault("gmail.users.history.list", mailbox=self.ann.mailbox, times=1000, status=503)
        sync(self.ann)
        self.state(S.RECOVERING)

    def paused(self) -> str:
        """Ann has switched to another mailbox; the first one's address."""
        self.connected()
        first, mailbox = self.account_id, self.ann.mailbox
        switched(self.ann, new_mailbox(self.story))
        self.account_id = first
        return mailbox

    def refused(self) -> None:
        """Ann has changed her password."""
        self.connected()
        self.story.gmail.change_password(self.ann.mailbox)
        sync(self.ann)
        self.state(S.REAUTHORIZATION_REQUIRED)

    def state(self, state: AccountState) -> None:
        """Wait for the state of the account."""
        self.ann.wait_for_state(state, self.account_id)

    def well_again(self) -> None:
        """Google answers, and somebody presses the button."""
        self.story.gmail.clear_faults()
        sync(self.ann, self.account_id)


def connecting_active(scene: Scene) -> None:
    scene.connecting()
    scene.well_again()


def connecting_paused(scene: Scene) -> None:
    """A switch to a new mailbox that Google does not let through, and that the user then does not want."""
    scene.connected()
    active, mailbox = scene.account_id, new_mailbox(scene.story)
    scene.story.gmail.fault(PROFILE, mailbox=mailbox, times=1000, status=503)
    scene.account_id = consent_to_switch(scene.ann, mailbox)["account_id"]
    scene.state(S.CONNECTING)
    switch_to(scene.ann, active)
    switch_is_over(scene.stack, scene.ann)
    scene.story.gmail.clear_faults()
    with psycopg.connect(scene.stack.database_url) as database:
        database.execute(
            "UPDATE accounts SET state_changed_at = state_changed_at - interval '5 minutes' WHERE id = %s",
            [scene.account_id],
        )
    scene.reconcile()


def connecting_reauthorization_required(scene: Scene) -> None:
    mailbox = scene.connecting()
    scene.story.gmail.revoke_grant(mailbox)
    scene.well_again()


def connecting_disconnected(scene: Scene) -> None:
    scene.connecting()
    disconnect(scene.ann)


def active_recovering(scene: Scene) -> None:
    scene.recovering()


def active_paused(scene: Scene) -> None:
    scene.paused()


def active_reauthorization_required(scene: Scene) -> None:
    scene.refused()


def active_disconnected(scene: Scene) -> None:
    scene.connected()
    disconnect(scene.ann)


def recovering_active(scene: Scene) -> None:
    scene.recovering()
    scene.well_again()


def recovering_paused(scene: Scene) -> None:
    scene.recovering()
    first = scene.account_id
    switched(scene.ann, new_mailbox(scene.story))
    scene.account_id = first


def recovering_reauthorization_required(scene: Scene) -> None:
    scene.recovering()
    scene.story.gmail.change_password(scene.ann.mailbox)
    scene.well_again()


def recovering_disconnected(scene: Scene) -> None:
    scene.recovering()
    disconnect(scene.ann)


def paused_connecting(scene: Scene) -> None:
    """The mailbox that was switched to is disconnected, and the first one connected again."""
    mailbox = scene.paused()
    disconnect(scene.ann)
    scene.story.gmail.fault(PROFILE, mailbox=mailbox, times=1000, status=503)
    assert begin_to_connect(scene.ann, mailbox) == scene.account_id


def paused_active(scene: Scene) -> None:
    scene.paused()
    switch_to(scene.ann, scene.account_id)


def paused_reauthorization_required(scene: Scene) -> None:
    """Its grant has died; the user hears of it when wanting it back."""
    mailbox = scene.paused()
    scene.story.gmail.revoke_grant(mailbox)
    answer = scene.ann.api.http.post(
        f"/v1/users/{scene.ann.id}/switch", json={"account_id": scene.account_id}
    )
    assert answer.status_code == 409


def paused_disconnected(scene: Scene) -> None:
    scene.paused()
    scene.ann.account_id = scene.account_id
    disconnect(scene.ann)


def reauthorization_required_connecting(scene: Scene) -> None:
    """A mailbox that was switched away from, and whose grant died, is connected when no other is active."""
    mailbox = scene.paused()
    scene.story.gmail.revoke_grant(mailbox)
    refusal = scene.ann.api.http.post(
        f"/v1/users/{scene.ann.id}/switch", json={"account_id": scene.account_id}
    )
    assert refusal.status_code == 409
    scene.state(S.REAUTHORIZATION_REQUIRED)
    disconnect(scene.ann)
    scene.story.gmail.fault(PROFILE, mailbox=mailbox, times=1000, status=503)
    assert begin_to_connect(scene.ann, mailbox) == scene.account_id


def reauthorization_required_active(scene: Scene) -> None:
    scene.refused()
    assert reauthorize(scene.ann)["account_id"] == scene.account_id


def reauthorization_required_paused(scene: Scene) -> None:
    scene.refused()
    first = scene.account_id
    switched(scene.ann, new_mailbox(scene.story))
    scene.account_id = first


def reauthorization_required_disconnected(scene: Scene) -> None:
    scene.refused()
    disconnect(scene.ann)


def disconnected_connecting(scene: Scene) -> None:
    scene.connected()
    disconnect(scene.ann)
    scene.story.gmail.fault(PROFILE, mailbox=scene.ann.mailbox, times=1000, status=503)
    assert begin_to_connect(scene.ann, scene.ann.mailbox) == scene.account_id


STORIES: dict[tuple[AccountState, AccountState], Callable[[Scene], None]] = {
    (S.CONNECTING, S.ACTIVE): connecting_active,
    (S.CONNECTING, S.PAUSED): connecting_paused,
    (S.CONNECTING, S.REAUTHORIZATION_REQUIRED): connecting_reauthorization_required,
    (S.CONNECTING, S.DISCONNECTED): connecting_disconnected,
    (S.ACTIVE, S.RECOVERING): active_recovering,
    (S.ACTIVE, S.PAUSED): active_paused,
    (S.ACTIVE, S.REAUTHORIZATION_REQUIRED): active_reauthorization_required,
    (S.ACTIVE, S.DISCONNECTED): active_disconnected,
    (S.RECOVERING, S.ACTIVE): recovering_active,
    (S.RECOVERING, S.PAUSED): recovering_paused,
    (S.RECOVERING, S.REAUTHORIZATION_REQUIRED): recovering_reauthorization_required,
    (S.RECOVERING, S.DISCONNECTED): recovering_disconnected,
    (S.PAUSED, S.CONNECTING): paused_connecting,
    (S.PAUSED, S.ACTIVE): paused_active,
    (S.PAUSED, S.REAUTHORIZATION_REQUIRED): paused_reauthorization_required,
    (S.PAUSED, S.DISCONNECTED): paused_disconnected,
    (S.REAUTHORIZATION_REQUIRED, S.CONNECTING): reauthorization_required_connecting,
    (S.REAUTHORIZATION_REQUIRED, S.ACTIVE): reauthorization_required_active,
    (S.REAUTHORIZATION_REQUIRED, S.PAUSED): reauthorization_required_paused,
    (S.REAUTHORIZATION_REQUIRED, S.DISCONNECTED): reauthorization_required_disconnected,
    (S.DISCONNECTED, S.CONNECTING): disconnected_connecting,
}


def test_every_transition_has_a_story() -> None:
    assert set(STORIES) == {(before, after) for before, all_ in TRANSITIONS.items() for after in all_}


@pytest.mark.parametrize(("before", "after"), STORIES, ids=lambda state: str(state))
def test_the_account_goes_from_one_state_to_the_next(
    story: Story,
    stack: Stack,
    acme: LocationInStory,
    reconcile: Reconcile,
    before: AccountState,
    after: AccountState,
) -> None:
    scene = Scene(story, stack, acme, acme.user(name="Ann Archer"), reconcile)
    try:
        STORIES[before, after](scene)
        scene.state(after)
        # Before Google answers again: that would be the next state's story.
        assert lived(scene.ann, scene.account_id)[-2:] == [before, after]
        shown = scene.ann.account(scene.account_id)
    finally:
        story.gmail.clear_faults()
    assert shown["next_action"] or after is S.ACTIVE, "it says what comes next"
    if after is S.ACTIVE:
        lea = lead(acme)
        story.mail_from(lea.email, shown["email"], "Here we are")
        lea.message("Here we are")


def lived(ann: UserInStory, account_id: str) -> list[AccountState]:
    """The states that the account has been in, in order, as its timeline tells."""
    told = ann.api.all(f"/v1/accounts/{account_id}/timeline")
    states = [S.CONNECTING]
    for entry in reversed(told):
        if entry["kind"] == "state":
            state = next(state for state, words in WORDS.items() if entry["detail"].startswith(words))
            if state is not states[-1]:
                states.append(state)
    return states
