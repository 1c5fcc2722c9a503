"""What must hold at the end of a life: I1, I2, and the specification's view of each conversation."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

from tests.model.expectation import Answer, Box, Copy, Mail, Place
from tests.model.people import Person, Sent, World


def settle(world: World) -> None:
    """What needs a consent gets it, every active mailbox is asked to sync, and everything has come to rest."""
    for person in world.people:
        if person.active is not None and not person.active.alive:
            world.reauthorize(person)
    for person in world.people:
        if person.active is not None:
            _settle_box(world, person.active)
    for person in world.people:
        for sent in person.sent:
            world.wait(partial(at_rest, world, sent), f"{sent.subject} has left, or is shown as not sent")
        if person.active is not None:
            _settle_box(world, person.active)
        for box in person.boxes:
            if paused(box):
                _settle_paused(world, box)


def paused(box: Box) -> bool:
    """It was switched away from, and its grant is good: what came before can still be read."""
    return bool(box.account_id) and box.alive and not box.collecting


def at_rest(world: World, sent: Sent) -> bool:
    """Nothing more will happen to it by itself."""
    return world.tables.status(sent.message_id) in {"sent", "held", "failed", "cancelled"}


def _settle_box(world: World, box: Box) -> None:
    world.sync_now(box)
    wanted = due(world, box)

    def settled() -> bool:
        return wanted <= world.tables.decided(box.account_id) and world.state(box) == "active"

    world.wait(settled, f"every mail of {box} is decided, and it is active")
    before, _ = world.patient(lambda: world.tables.proven(box.account_id))
    world.sync_now(box)
    world.wait(
        lambda: world.tables.proven(box.account_id)[0] not in (None, before), f"{box} is proven complete"
    )
    shown = world.patient(lambda: world.location.api.get(f"/v1/accounts/{box.account_id}"))["completeness"]
    assert shown["missing"] == 0, f"{box}: {shown}"


def _settle_paused(world: World, box: Box) -> None:
    wanted = due(world, box)
    world.wait(
        lambda: wanted <= world.tables.decided(box.account_id),
        f"every mail of {box} that came before the switch is decided",
    )


def due(world: World, box: Box) -> set[str]:
    """Ids that are in the mailbox and came since it was connected first; of a paused one, those that were in time."""
    copies = [mail.copies[box] for mail in world.spec.mails if box in mail.copies]
    counted = {copy.gmail_id for copy in copies if copy.counted and (copy.in_time or not paused(box))}
    there = {seen["id"] for seen in world.gmail.messages(box.address) if "DRAFT" not in seen["labels"]}
    return counted & there


class Kept:
    """What the CRM has of a location, read from its tables."""

    def __init__(self, world: World) -> None:
        self.decisions = world.tables.rows(
            "SELECT d.account_id, d.gmail_id, d.outcome, d.rule, g.message_id FROM decisions d "
            "JOIN accounts a ON a.id = d.account_id LEFT JOIN gmail_messages g "
            "ON g.account_id = d.account_id AND g.gmail_id = d.gmail_id WHERE a.location_id = %s",
            world.location.id,
        )
        self.messages = world.tables.rows(
            "SELECT id, message_id_header, contact_id, direction, status FROM messages "
            "WHERE location_id = %s AND hidden_by IS NULL",
            world.location.id,
        )


def compare(world: World) -> None:
    """I1, I2 and the model; AssertionError names the mail."""
    kept = world.patient(lambda: Kept(world))
    decisions = {(row[0], row[1]): row[2:] for row in kept.decisions}
    assert len(decisions) == len(kept.decisions), "two decisions of one Gmail id (I1)"
    contacts = {email: contact.id for email, contact in world.contacts.items()}
    by_header: dict[str, list[tuple[Any, ...]]] = {}
    for row in kept.messages:
        if row[1]:
            by_header.setdefault(row[1].strip("<>"), []).append(row)
    active = {person.active for person in world.people}
    for mail in world.spec.mails:
        found = by_header.get(mail.message_id.strip("<>"), [])
        assert len(found) <= 1, f"mail {mail.number} is {len(found)} messages (I2)"
        wanted = False
        for copy in mail.copies.values():
            decision = decisions.get((copy.box.account_id, copy.gmail_id))
            _compare_copy(mail, copy, decision, active=copy.box in active)
            wanted = wanted or (decision is not None and decision[0] == "synced")
            if decision is not None and decision[0] == "synced":
                assert [row[0] for row in found] == [decision[2]], f"mail {mail.number} is lost: {decision}"
                if copy.owner is not None and copy.answer is Answer.YES:
                    owner = next((e for e, one in contacts.items() if one == found[0][2]), found[0][2])
                    assert owner == copy.owner, (
                        f"mail {mail.number} is in the conversation of {owner}, not {copy.owner}"
                    )
        assert wanted or not found, f"mail {mail.number} is in the CRM though no copy of it synced"
    for person in world.people:
        _compare_sent(world, person)
    for contact in world.contacts.values():
        shown = Counter(message["id"] for message in world.patient(contact.in_conversation))
        assert set(shown.values()) <= {1}, f"{contact.email} is shown a message twice"
        owned = {row[0] for row in kept.messages if row[2] == contact.id}
        assert set(shown) == owned, f"the conversation of {contact.email} does not show what it has"


def _compare_copy(mail: Mail, copy: Copy, decision: Any, *, active: bool) -> None:
    what = f"mail {mail.number} in {copy.box} ({copy.answer}: {copy.rule}): {decision}"
    if decision is None or decision[0] == "failed":
        gone = copy.place is Place.GONE
        assert not (active and copy.counted) or gone, f"no decision (I1): {what}"
        return
    outcome, rule, _ = decision
    if copy.answer is Answer.YES and not (copy.rescued and rule == "S31" and not active):
        assert outcome == "synced" or copy.place is not Place.THERE, f"not synced: {what}"
    elif copy.answer is Answer.NO:
        assert outcome == "skipped", f"synced: {what}"
        if copy.rule in ("S4", "S5", "S12") and copy.place is Place.THERE:
            assert rule == copy.rule, f"another rule: {what}"


def _compare_sent(world: World, person: Person) -> None:
    """I2: each sending once in SENT and once at its recipient, or shown as not sent and nowhere."""
    outbox = {sent.to: world.gmail.outbox(sent.to) for sent in person.sent}
    for sent in person.sent:
        status = world.status(sent)
        copies = world.copies_of(person, sent)
        mails = [one for one in outbox[sent.to] if f"\nSubject: {sent.subject}\r".encode() in one["raw"]]
        if status == "sent":
            assert len(copies) == len(mails) == 1, f"{sent.subject}: {len(copies)} in SENT, {len(mails)} left"
        else:
            assert not copies, f"{sent.subject} is {status}, and yet in SENT"
            assert not mails, f"{sent.subject} is {status}, and yet it left"
            assert sent.may_be_held, f"{sent.subject} is {status}, though nobody disconnected"
