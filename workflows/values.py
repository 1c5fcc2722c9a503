"""What crosses the Temporal boundary: ids and counts, never anything of a mail (I3).

Every field added later needs a default, so that old histories and workers read new values and the reverse.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel


class Gap(BaseModel):
    """A time that history no longer reaches: filled from the list of ids.

    `cursor`: where history goes on, taken before the first listing; it becomes the account's when the gap is closed.
    `opened_at`: what was decided before is not counted.
    """

    since: datetime
    cursor: int
    opened_at: datetime | None = None
    rounds: int = 0


class AccountMemory(BaseModel):
    """All that an AccountWorkflow knows: what continue-as-new carries on."""

    known: bool = False
    state: str = "connecting"
    reason: str | None = None
    location_id: str | None = None
    next_action: str | None = None
    next_action_at: datetime | None = None

    consented: bool = False
    changed: bool = False
    disconnect: bool = False
    hinted: bool = False
    asked: bool = False
    """The user asked to look now; a proof of completeness follows."""
    proof_wanted: bool = False
    proof_asked: bool = False
    """It was the user who asked for the proof: it does not wait for the end of a catch-up."""
    proof_full: bool = False
    """The last round of a proof left something to do: all ids are compared in the next one."""
    repaired: int = 0
    """What the rounds of the proof under way found missing, and have synced."""
    finishing: bool = False
    """Paused, with mail from before the pause still to be read (S4)."""
    contacts_told: bool = False

    hint_history_id: int | None = None
    """The furthest that a push told of; only ever compared, never a cursor."""
    cursor: int | None = None
    """How far the last sync has read: what a push tells of up to there is no news."""
    seen_history_id: int | None = None
    """The furthest that a look which found something has seen."""
    last_hint_at: datetime | None = None
    rechecks: int = 0
    more: bool = False
    gap: Gap | None = None

    look_at: datetime | None = None
    retry_at: datetime | None = None
    upkeep_at: datetime | None = None

    failures: int = 0
    not_before: datetime | None = None
    obeying: bool = False
    """Google said how long to wait: no hint wakes the account before."""

    def forget(self, **kept: Any) -> None:
        """Begin anew, with only what is given."""
        for name, value in AccountMemory(**kept):
            setattr(self, name, value)


class StepInput(BaseModel):
    """What every step is told of the life that it is a part of.

    `failures`: steps in a row that failed before this one; `upkeep_at`: when the watch is renewed next.
    """

    account_id: str
    failures: int = 0
    upkeep_at: datetime | None = None


class AccountInput(StepInput):
    """AccountWorkflow, id `account/<id>`, and its steps that need no more than the account."""

    memory: AccountMemory | None = None


class SyncInput(StepInput):
    """One round of incremental sync.

    `cursor`: where to list from while a gap is being filled; the account's own otherwise.
    """

    cursor: int | None = None
    hint_history_id: int | None = None
    catching_up: bool = False


class GapInput(StepInput):
    """One round of filling a gap."""

    gap: Gap


class ProofInput(StepInput):
    """One round of a completeness check.

    `full`: of all ids; `look_only`: what is missing is being caught up with anyway; `repaired`: by earlier rounds.
    """

    full: bool = False
    look_only: bool = False
    repaired: int = 0


class Report(BaseModel):
    """What a step of an account's life came to: states, counts and times, nothing of a mail."""

    state: str
    reason: str | None = None
    location_id: str | None = None
    next_action: str | None = None
    next_action_at: datetime | None = None
    upkeep_at: datetime | None = None
    """When the watch is to be renewed; past: now. None: nothing to keep up."""
    retry_at: datetime | None = None
    """When the first id that failed is due again."""
    finishing: bool = False
    """Paused, but mail from before the pause is still to be read (S4); `retry_at` says when."""

    failed_step: bool = False
    """The step did not get through; what it was for is still to do."""
    wait_s: float | None = None
    """How long to wait; None: longer after each failure."""
    obey: bool = False
    """Google asked for it: nothing wakes the account before."""

    cursor: int | None = None
    history_id: int | None = None
    """The mailbox's newest id in its history when the step looked."""
    records: int = 0
    synced: int = 0
    skipped: int = 0
    failed: int = 0
    repaired: int = 0
    more: bool = False
    look_again: bool = False
    """Gmail drops pushes within a second of the last: mail may have come that no push will tell of."""
    gap: Gap | None = None


class SwitchMemory(BaseModel):
    """What a SwitchWorkflow carries on."""

    wanted: list[str] = []


class SwitchInput(BaseModel):
    """SwitchWorkflow, id `switch/<user id>`."""

    user_id: str
    memory: SwitchMemory | None = None


class SwitchStep(BaseModel):
    """Make `account_id` the user's active account; `last`: it is not tried again."""

    user_id: str
    account_id: str
    last: bool = False


class SwitchOutcome(StrEnum):
    """What became of a switch."""

    DONE = "done"
    REFUSED = "refused"
    """Nothing was changed; the account's reason says why."""
    LATER = "later"
    """Google does not answer; to be tried again."""


class SwitchReport(BaseModel):
    """The answer of a switching step."""

    outcome: SwitchOutcome
    reason: str | None = None
    tell: list[str] = []
    """Accounts that have to look at their rows, the active one last."""


class ContactsInput(BaseModel):
    """ContactsWorkflow, id `contacts/<account id>`."""

    account_id: str
    failures: int = 0


class ContactsReport(BaseModel):
    """What reading an address book came to. `going`: the account still reads contacts."""

    going: bool
    location_id: str | None = None
    failed_step: bool = False
    wait_s: float | None = None
    matched: int = 0
    imported: int = 0


class ReconcileInput(BaseModel):
    """ReconcileWorkflow, one run of the schedule."""

    interval_s: int = 300
    after: str | None = None
    woken: int = 0


class BatchInput(BaseModel):
    """Accounts with an id after this one whose last look is older than the interval."""

    interval_s: int
    after: str | None = None


class SwitchWish(BaseModel):
    """A switch that a user consented to, and that no workflow was told of (S4)."""

    user_id: str
    account_id: str


class BatchReport(BaseModel):
    """What a batch came to: which accounts to wake; `after` is None after the last batch."""

    looked_at: int = 0
    wake: list[str] = []
    consented: list[str] = []
    """Accounts whose grant was stored, but whose workflow was never told."""
    switches: list[SwitchWish] = []
    disconnects: list[str] = []
    """Accounts whose user asked to disconnect, but whose workflow was never told."""
    unannounced: list[str] = []
    """Accounts to wake whose watch did not tell of the news."""
    after: str | None = None


class WakeInput(BaseModel):
    """Accounts to wake; `consented`: those that have a grant which nobody told their workflow of.

    `unannounced`: those, also among `account_ids`, whose watch did not tell; it is set anew where it has been silent
    for `silent_s`.
    """

    account_ids: list[str]
    consented: list[str] = []
    switches: list[SwitchWish] = []
    disconnects: list[str] = []
    unannounced: list[str] = []
    silent_s: float = 0.0


class MessageInput(BaseModel):
    """SendMessageWorkflow, id `message/<id>`."""

    message_id: str


class SendStep(BaseModel):
    """What a message does next: leave, wait until a moment (None: until changed), or no more."""

    kind: Literal["leave", "wait", "done"]
    until: datetime | None = None
    why: str = ""
    """A few words for the Web UI, without anything of the mail."""
    wake: list[str] = []
    """Messages whose place in the queue has moved forward."""
    refused_account: str | None = None
    """The account whose grant Google refused: it finds out, and says so, at once."""


class CampaignInput(BaseModel):
    """CampaignWorkflow, id `campaign/<id>`. `failures`: batches in a row that the provider did not let through."""

    campaign_id: str
    failures: int = 0


class CampaignStep(BaseModel):
    """What a campaign does next: go on, wait until a moment or until it is changed, or no more for now."""

    kind: Literal["more", "wait", "done"]
    until: datetime | None = None
    why: str = ""
    provider_failed: bool = False
    sent: int = 0
    refused: int = 0


class InboundInput(BaseModel):
    """FileInboundWorkflow, id `inbound/<id>`."""

    inbound_id: str


class ReviewInput(BaseModel):
    """ReviewWorkflow, id `review/<id>`."""

    review_id: str


class ReviewPlan(BaseModel):
    """Which mailboxes a review asks; none where it waits for nothing."""

    location_id: str | None = None
    account_ids: list[str] = []


class ReviewLook(BaseModel):
    """One round in one mailbox; `after`: the Gmail thread up to which earlier rounds came."""

    review_id: str
    account_id: str
    after: str | None = None


class ReviewLooked(BaseModel):
    """How far a round came. `wait_s`: of a throttle; `refused`: why this mailbox cannot be asked at all."""

    after: str | None = None
    more: bool = False
    failed_step: bool = False
    wait_s: float | None = None
    refused: str | None = None


class ReviewReady(BaseModel):
    """All mailboxes were asked, but for these, each with the reason."""

    review_id: str
    not_read: dict[str, str] = {}


class WebhookInput(BaseModel):
    """WebhookWorkflow, id `webhook/<endpoint id>`."""

    endpoint_id: str


class WebhookStep(BaseModel):
    """What deliveries to an endpoint do next: go on, wait until a moment, or no more for now."""

    kind: Literal["more", "wait", "done"]
    until: datetime | None = None
    why: str = ""
    delivered: int = 0
