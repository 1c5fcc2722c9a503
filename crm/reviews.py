"""Rules that apply backwards: what a change would add to the CRM and hide in it, applied and undone.

A changed setting or address holds for new mail at once. A review compares what was decided *before* with the rules
of today. Messages that are here are judged from their rows. Of mail that did not sync nothing was kept, so Gmail is
asked (`searches`), its headers are looked at again (`consider`), and what would sync now is fetched by the ordinary
retry once the review is applied. Hidden messages stay in the database and come back when the review is undone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from types import MappingProxyType

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import Session, col, func, select, tuple_, update

from crm import accounts, decisions, events, policy, timeline
from crm.addresses import email_key
from crm.case import Case
from crm.facts import load_world
from crm.headline import Headline
from mail.message import Address, Mail
from models import Account, Decision, GmailMessage, Message, Participant, Review, Thread
from models.columns import now
from models.states import COLLECTING_STATES, Outcome, ReviewState, Role

PART = 200
WORDS_AT_A_TIME = 25
"""Addresses and domains in one search."""
RECONSIDERED = ("S7", "S9", "S12", "S14", "S16", "S18")
"""Rules that depend on settings and addresses; what S3, S4, S5 or S31 kept out stays out."""


class WrongState(Exception):
    """The review cannot be applied or undone now; the text says why."""


@dataclass(frozen=True, slots=True)
class Search:
    """What to ask one mailbox for. query: Gmail's search syntax; since: nothing older is of interest (S3)."""

    account_id: str
    query: str
    since: datetime | None


def preview(
    session: Session, location_id: str, emails: Sequence[str], domains: Sequence[str], auto_bcc_domain: str
) -> Review:
    """Judge the messages that are here by today's rules; `consider` adds what Gmail has.

    Args:
        emails: addresses whose meaning changed; domains: the same for whole domains.
    """
    review = Review(
        location_id=location_id,
        emails=sorted({email_key(email) for email in emails}),
        domains=sorted({domain.strip().lower().lstrip("@") for domain in domains}),
    )
    for account_id, rows in _stored(session, review).items():
        account = session.get_one(Account, account_id)
        for part in _parts(rows):
            headlines = {message.id: head for message, head in _headlines(session, part)}
            world = load_world(session, account, list(headlines.values()), auto_bcc_domain)
            for message, _ in part:
                inside = policy.s12_internal(Case(headlines[message.id], world, None)) is None
                if not inside and message.hidden_by is None:
                    review.to_hide = [*review.to_hide, message.id]
                elif inside and message.hidden_by is not None:
                    review.to_show = [*review.to_show, message.id]
    session.add(review)
    session.flush()
    review.state = ReviewState.LOOKING if searches(session, review) else ReviewState.PREVIEW
    return review


def searches(session: Session, review: Review) -> list[Search]:
    """What to ask each collecting mailbox of the location for; empty where no address is concerned."""
    words = [word.replace('"', "") for word in (*review.emails, *review.domains)]
    queries = [
        _query(words[start : start + WORDS_AT_A_TIME]) for start in range(0, len(words), WORDS_AT_A_TIME)
    ]
    accounts = session.exec(
        select(Account)
        .where(Account.location_id == review.location_id, col(Account.state).in_(COLLECTING_STATES))
        .order_by(col(Account.id))
    )
    return [Search(account.id, query, account.connected_at) for account in accounts for query in queries]


def _query(words: Sequence[str]) -> str:
    """Gmail's braces: any of the terms."""
    return (
        "{" + " ".join(f'{field}:"{word}"' for word in words for field in ("from", "to", "cc", "bcc")) + "}"
    )


def undecided_otherwise(session: Session, account_id: str, gmail_ids: Sequence[str]) -> dict[str, list[str]]:
    """What was kept out by a rule that today may decide otherwise, by Gmail thread, in the order of thread ids.

    Beside the ids themselves these are the others of their threads: they follow a thread that begins to sync (S8).
    """
    named = [one for one in decisions.of(session, account_id, gmail_ids).values() if _reconsidered(one)]
    threads = {one.gmail_thread_id for one in named if one.gmail_thread_id is not None}
    others = [one for one in decisions.of_threads(session, account_id, threads) if _reconsidered(one)]
    found: dict[str, set[str]] = defaultdict(set)
    for one in (*named, *others):
        found[one.gmail_thread_id or ""].add(one.gmail_id)
    return {thread_id: sorted(found[thread_id]) for thread_id in sorted(found)}


def consider(
    session: Session, review: Review, account: Account, headlines: Sequence[Headline], auto_bcc_domain: str
) -> int:
    """Decide headlines that were kept out before; what would sync now is noted. How many of them would."""
    world = load_world(session, account, headlines, auto_bcc_domain)
    verdicts = policy.decide_page(headlines, world)
    known = {(one["account_id"], one["gmail_id"]) for one in review.to_add}
    hidden = _hidden_here(session, review, account, verdicts)
    fresh = [
        {"account_id": account.id, "gmail_id": gmail_id} | ({"here": True} if gmail_id in hidden else {})
        for gmail_id, verdict in verdicts.items()
        if verdict.synced and (account.id, gmail_id) not in known
    ]
    review.to_add = [*review.to_add, *fresh]
    session.add(review)
    return len(fresh)


def _hidden_here(session: Session, review: Review, account: Account, gmail_ids: Iterable[str]) -> set[str]:
    """Ids whose message is in the CRM and is to be shown again: they are counted there, and not as added."""
    return set(
        session.exec(
            select(GmailMessage.gmail_id).where(
                GmailMessage.account_id == account.id,
                col(GmailMessage.gmail_id).in_(list(gmail_ids)),
                col(GmailMessage.message_id).in_(review.to_show),
            )
        )
    )


def ready(session: Session, review_id: str, not_read: Mapping[str, str] = MappingProxyType({})) -> None:
    """Every mailbox was asked: the preview is complete, but for those that could not be read (with the reason)."""
    review = locked(session, review_id)
    if review.state == ReviewState.LOOKING:
        review.state = ReviewState.PREVIEW
        review.not_read = [{"account_id": one, "reason": why} for one, why in sorted(not_read.items())]
        session.add(review)


def apply(session: Session, review_id: str) -> Review:
    """Hide, show again, and let the mailboxes fetch what was kept out. Applying again changes nothing.

    Raises:
        WrongState: Gmail is still being asked, or it was undone.
    """
    review = locked(session, review_id)
    if review.state == ReviewState.LOOKING:
        raise WrongState(
            "Gmail is still being asked what this review would add: wait until its state is preview"
        )
    if review.state == ReviewState.UNDONE:
        raise WrongState("this review was undone: make a new one")
    if review.state == ReviewState.APPLIED:
        return review
    review.decisions_before = _hide(session, review, review.to_hide)
    show(session, review.to_show)
    ids = [(one["account_id"], one["gmail_id"]) for one in review.to_add]
    session.execute(
        update(Decision)
        .where(tuple_(col(Decision.account_id), col(Decision.gmail_id)).in_(ids), _kept_out())
        .values(outcome=Outcome.FAILED, detail="looked at again, since the rules changed", next_try_at=now())
    )
    _tell(session, review, "applied to earlier mail", {account_id for account_id, _ in ids})
    review.state, review.applied_at = ReviewState.APPLIED, now()
    session.add(review)
    return review


def undo(session: Session, review_id: str) -> Review:
    """Take an applied review back: what it hid is shown, what it brought in is hidden. Again changes nothing.

    Raises:
        WrongState: it was not applied.
    """
    review = locked(session, review_id)
    if review.state in (ReviewState.LOOKING, ReviewState.PREVIEW):
        raise WrongState("this review was not applied: there is nothing to undo")
    if review.state == ReviewState.UNDONE:
        return review
    ids = [(one["account_id"], one["gmail_id"]) for one in review.to_add]
    for account_id in sorted({account_id for account_id, _ in ids}):
        accounts.locked(session, account_id)  # mail of it that is being filed now is seen below
    show(session, review.to_hide)
    for before in review.decisions_before:
        session.execute(
            update(Decision)
            .where(
                col(Decision.account_id) == before["account_id"],
                col(Decision.gmail_id) == before["gmail_id"],
                col(Decision.message_id).is_not(None),  # not erased since (S29)
            )
            .values(outcome=Outcome.SYNCED, rule=before["rule"], detail=before["detail"], at=now())
        )
    brought = session.exec(
        select(GmailMessage.message_id).where(
            tuple_(col(GmailMessage.account_id), col(GmailMessage.gmail_id)).in_(ids)
        )
    ).all()
    _hide(session, review, [*brought, *review.to_show])
    waiting = and_(col(Decision.outcome) == Outcome.FAILED, col(Decision.next_try_at).is_not(None))
    session.execute(
        update(Decision)
        .where(tuple_(col(Decision.account_id), col(Decision.gmail_id)).in_(ids), waiting)
        .values(outcome=Outcome.SKIPPED, detail="the review was undone", next_try_at=None)
    )
    _tell(session, review, "undone", {account_id for account_id, _ in ids})
    review.state, review.undone_at = ReviewState.UNDONE, now()
    session.add(review)
    return review


def forget_addresses(session: Session, location_id: str, keys: Sequence[str]) -> list[str]:
    """These addresses are erased (S29): reviews keep what they did, and no longer name them; their ids."""
    naming = or_(*(col(Review.emails).contains([key]) for key in keys))
    changed = []
    for review in (
        session.exec(select(Review).where(Review.location_id == location_id, naming)) if keys else ()
    ):
        review.emails = [email for email in review.emails if email not in keys]
        session.add(review)
        changed.append(review.id)
    return changed


def locked(session: Session, review_id: str) -> Review:
    """The review, for this transaction alone."""
    query = select(Review).where(Review.id == review_id).with_for_update()
    return session.exec(query.execution_options(populate_existing=True)).one()


def _reconsidered(decision: Decision) -> bool:
    return decision.outcome == Outcome.SKIPPED and decision.rule in RECONSIDERED


def _kept_out() -> ColumnElement[bool]:
    return and_(col(Decision.outcome) == Outcome.SKIPPED, col(Decision.rule).in_(RECONSIDERED))


def _stored(session: Session, review: Review) -> dict[str, list[tuple[Message, GmailMessage]]]:
    """Messages with a concerned address, each by one mailbox that has a copy."""
    concerned: list[ColumnElement[bool]] = [col(Participant.email_key).in_(review.emails)]
    for domain in review.domains:
        host = func.split_part(col(Participant.email_key), "@", 2)
        concerned += [host == domain, host.endswith(f".{domain}", autoescape=True)]
    ids = select(Participant.message_id).where(Participant.location_id == review.location_id, or_(*concerned))
    found: dict[str, tuple[Message, GmailMessage]] = {}
    for message, copy in session.exec(
        select(Message, GmailMessage)
        .join(GmailMessage, col(GmailMessage.message_id) == col(Message.id))
        .where(Message.location_id == review.location_id, col(Message.id).in_(ids))
        .order_by(col(Message.id), col(GmailMessage.account_id))
    ):
        found.setdefault(message.id, (message, copy))
    by_account: dict[str, list[tuple[Message, GmailMessage]]] = defaultdict(list)
    for message, copy in found.values():
        by_account[copy.account_id].append((message, copy))
    return by_account


def _headlines(
    session: Session, rows: Sequence[tuple[Message, GmailMessage]]
) -> Iterator[tuple[Message, Headline]]:
    """The headlines that the messages once were, out of their rows."""
    people: dict[str, dict[str, list[Address]]] = defaultdict(lambda: defaultdict(list))
    for one in session.exec(
        select(Participant)
        .where(col(Participant.message_id).in_([message.id for message, _ in rows]))
        .order_by(col(Participant.position))
    ):
        people[one.message_id][one.role].append(Address(one.name, one.email))
    for message, copy in rows:
        roles = people[message.id]
        mail = Mail(
            from_=tuple(roles[Role.FROM]),
            to=tuple(roles[Role.TO]),
            cc=tuple(roles[Role.CC]),
            bcc=tuple(roles[Role.BCC]),
            subject=message.subject,
            message_id=message.message_id_header,
            in_reply_to=tuple(message.in_reply_to),
            references=tuple(message.references),
        )
        labels = frozenset({"SENT"} if copy.sent else {"INBOX"})
        yield message, Headline(copy.gmail_id, copy.gmail_thread_id, labels, copy.internal_date, 0, mail)


def _hide(session: Session, review: Review, message_ids: Sequence[str]) -> list[dict[str, str]]:
    """Hide messages; the decisions that this changes, as they were."""
    hidden = _mark(session, message_ids, review.id)
    decided = session.exec(
        select(Decision).where(col(Decision.message_id).in_(hidden), Decision.outcome == Outcome.SYNCED)
    ).all()
    before = [
        {"account_id": d.account_id, "gmail_id": d.gmail_id, "rule": d.rule, "detail": d.detail}
        for d in decided
    ]
    for decision in decided:
        decision.outcome, decision.rule, decision.at = Outcome.SKIPPED, "S12", now()
        decision.detail = "hidden: the rules of today would not let it in"
        session.add(decision)
    return before


def show(session: Session, message_ids: Sequence[str]) -> None:
    """Messages that were hidden are in sight again, with their decisions."""
    shown = _mark(session, message_ids, None)
    session.execute(
        update(Decision)
        .where(col(Decision.message_id).in_(shown), col(Decision.outcome) == Outcome.SKIPPED)
        .values(outcome=Outcome.SYNCED, detail="shown again", at=now())
    )


def _mark(session: Session, message_ids: Sequence[str], review_id: str | None) -> list[str]:
    """Hide (with the review's id) or show messages; counts of threads tell what is visible."""
    if not message_ids:
        return []
    other = col(Message.hidden_by).is_(None) if review_id else col(Message.hidden_by).is_not(None)
    changed = session.execute(
        update(Message)
        .where(col(Message.id).in_(message_ids), other)
        .values(hidden_by=review_id, updated_at=now())
        .returning(
            col(Message.id), col(Message.thread_id), col(Message.location_id), col(Message.conversation_id)
        )
    ).all()
    counts: dict[str, int] = defaultdict(int)
    for message_id, thread_id, location_id, conversation_id in changed:
        counts[thread_id] += -1 if review_id else 1
        events.emit(session, location_id, events.MESSAGE_UPDATED, message_id)
        events.emit(session, location_id, events.CONVERSATION_UPDATED, conversation_id)
    for thread_id, difference in sorted(counts.items()):
        session.execute(
            update(Thread)
            .where(col(Thread.id) == thread_id)
            .values(message_count=col(Thread.message_count) + difference)
        )
    return [message_id for message_id, *_ in changed]


def _tell(session: Session, review: Review, what: str, account_ids: Iterable[str]) -> None:
    for account_id in sorted(account_ids):
        detail = f"A changed rule was {what}: {len(review.to_add)} to add, {len(review.to_hide)} to hide"
        timeline.note(session, account_id, "review", detail)


def _parts(
    rows: Sequence[tuple[Message, GmailMessage]],
) -> Iterator[list[tuple[Message, GmailMessage]]]:
    remaining = iter(rows)
    while part := list(islice(remaining, PART)):
        yield part
