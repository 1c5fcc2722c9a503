"""Erasing a contact's or a mailbox's data, with a receipt of what went (S29).

Rows go in the caller's transaction. Blobs cannot: their keys are noted in the same transaction and removed after
it (`doomed`, `forget`), so that a crash in between leaves nothing behind for ever. Decisions stay as "erased", or
the next sync would bring the mail back; so do people of an address book, or the next reading of it would. A
suppression stays: without it the address would be mailed again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import exists, or_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, delete, func, select, update
from sqlmodel.sql.expression import SelectOfScalar

from crm import contacts, events, idempotency, reviews
from crm.addresses import email_key
from models import (
    Account,
    Attachment,
    Contact,
    Conversation,
    Decision,
    DoomedBlob,
    Erasure,
    GmailMessage,
    GoogleContact,
    InboundMail,
    LedgerEntry,
    MailboxBudget,
    Message,
    Participant,
    RequestInFlight,
    Thread,
)
from models.columns import now
from models.states import Outcome, Role

RULE, WORDS = "S29", "erased"
HIDDEN = "erased"
"""Stands for the address of an erased person on a message that belongs to somebody else."""


def erase_contact(session: Session, contact: Contact) -> Erasure:
    """Remove a contact, its conversation, and what it wrote elsewhere; on mail of others its name and address go."""
    session.exec(select(Contact.id).where(Contact.id == contact.id).with_for_update()).one()
    location_id, contact_id = contact.location_id, contact.id
    addresses = [email_key(email) for email in contacts.addresses_of(session, [contact_id])[contact_id]]
    written = select(Participant.message_id).where(
        Participant.contact_id == contact_id, Participant.role == Role.FROM
    )
    ids = _ids(
        session,
        select(Message.id).where(or_(col(Message.contact_id) == contact_id, col(Message.id).in_(written))),
    )
    counts = _erase_messages(session, location_id, ids)
    counts["participations"] = _erase_participations(session, location_id, contact_id)
    session.execute(
        update(GoogleContact).where(col(GoogleContact.contact_id) == contact_id).values(erased_at=now())
    )
    session.expunge(contact)
    session.execute(delete(Contact).where(col(Contact.id) == contact_id))
    contacts.relink(session, location_id, addresses)
    named = reviews.forget_addresses(session, location_id, addresses)
    idempotency.forget(session, location_id, [contact_id, *named])
    events.emit(session, location_id, events.CONTACT_UPDATED, contact_id)
    return _receipt(
        session, location_id, "contact", contact_id, {"contacts": 1, "addresses": len(addresses), **counts}
    )


def erase_account(session: Session, account: Account) -> Erasure:
    """Remove a mailbox's connection, decisions and timeline, and the messages that no other mailbox has.

    The grant is given back before (S5); this only forgets.
    """
    session.exec(select(Account.id).where(Account.id == account.id).with_for_update()).one()
    location_id, account_id, key = account.location_id, account.id, account.email_key
    here, elsewhere = aliased(GmailMessage), aliased(GmailMessage)
    has_copy = exists().where(here.message_id == col(Message.id), here.account_id == account_id)  # type: ignore[arg-type]
    has_other = exists().where(elsewhere.message_id == col(Message.id), elsewhere.account_id != account_id)  # type: ignore[arg-type]
    ids = _ids(
        session,
        select(Message.id).where(
            Message.location_id == location_id,
            or_(has_copy, col(Message.account_id) == account_id),
            ~has_other,
        ),
    )
    counts = _erase_messages(session, location_id, ids)
    counts["decisions"] = session.exec(
        select(func.count()).select_from(Decision).where(Decision.account_id == account_id)
    ).one()
    session.expunge(account)
    session.execute(delete(Account).where(col(Account.id) == account_id))
    if session.exec(select(Account.id).where(Account.email_key == key)).first() is None:
        for table in (LedgerEntry, MailboxBudget, RequestInFlight):
            session.execute(delete(table).where(col(table.email_key) == key))
    events.emit(session, location_id, events.ACCOUNT_STATE_CHANGED, account_id)
    return _receipt(session, location_id, "account", account_id, {"accounts": 1, **counts})


def doom(session: Session, location_id: str, keys: Iterable[str]) -> None:
    """Have these blobs removed, unless a message has them by then; also those of mail that was not kept after all."""
    rows = [{"key": key, "location_id": location_id, "since": now()} for key in sorted(set(keys))]
    if rows:
        session.execute(insert(DoomedBlob).on_conflict_do_nothing(), rows)


def doomed(session: Session, limit: int = 500, *, before: datetime | None = None) -> list[str]:
    """Keys of blobs to remove now: those of erased messages that no other message has.

    Args:
        before: only those that were to go before this moment.
    """
    # Locked: who stores the same bytes again forgets the row first, and so waits until these are removed.
    query = (
        select(DoomedBlob.key).order_by(col(DoomedBlob.since)).limit(limit).with_for_update(skip_locked=True)
    )
    if before is not None:
        query = query.where(col(DoomedBlob.since) < before)
    keys = session.exec(query).all()
    needed = _referenced(session, keys)
    if needed:
        forget(session, sorted(needed))  # another message has come to share it since
    return sorted(set(keys) - needed)


def forget(session: Session, keys: Sequence[str]) -> None:
    """These blobs are removed, or are about to be stored again."""
    session.execute(delete(DoomedBlob).where(col(DoomedBlob.key).in_(keys)))


def _ids(session: Session, query: SelectOfScalar[str]) -> list[str]:
    return list(session.exec(query))


def _erase_messages(session: Session, location_id: str, ids: Sequence[str]) -> dict[str, int]:
    threads = _ids(session, select(Message.thread_id).where(col(Message.id).in_(ids)).distinct())
    files = session.exec(select(Attachment.blob).where(col(Attachment.message_id).in_(ids))).all()
    mails = session.exec(select(Message.raw_blob).where(col(Message.id).in_(ids))).all()
    inbound = session.exec(select(InboundMail.blob).where(col(InboundMail.message_id).in_(ids))).all()
    session.execute(
        update(Decision)
        .where(col(Decision.message_id).in_(ids))
        .values(outcome=Outcome.SKIPPED, rule=RULE, detail=WORDS, message_id=None, at=now())
    )
    session.execute(delete(InboundMail).where(col(InboundMail.message_id).in_(ids)))
    session.execute(delete(Message).where(col(Message.id).in_(ids)))
    _recount(session, threads)
    blobs = {blob for blob in (*files, *mails, *inbound) if blob}
    unused = blobs - _referenced(session, list(blobs))
    doom(session, location_id, unused)
    return {"messages": len(ids), "attachments": len(files), "blobs": len(unused)}


def _referenced(session: Session, keys: Sequence[str]) -> set[str]:
    if not keys:
        return set()
    found = {
        *session.exec(select(Message.raw_blob).where(col(Message.raw_blob).in_(keys))),
        *session.exec(select(Attachment.blob).where(col(Attachment.blob).in_(keys))),
        *session.exec(select(InboundMail.blob).where(col(InboundMail.blob).in_(keys))),
    }
    return {key for key in found if key}


def _recount(session: Session, thread_ids: Sequence[str]) -> None:
    """Threads that lost messages: emptied ones go, the others' counts and last moments become true again."""
    left = select(Message.thread_id).where(col(Message.thread_id) == col(Thread.id))
    session.execute(delete(Thread).where(col(Thread.id).in_(thread_ids), ~left.exists()))
    of_thread = select(func.count(), func.max(Message.sent_at)).where(
        col(Message.thread_id) == col(Thread.id)
    )
    session.execute(
        update(Thread)
        .where(col(Thread.id).in_(thread_ids))
        .values(
            message_count=of_thread.with_only_columns(func.count()).scalar_subquery(),
            last_message_at=of_thread.with_only_columns(func.max(Message.sent_at)).scalar_subquery(),
        )
        .execution_options(synchronize_session=False)
    )
    touched = select(Thread.conversation_id).where(col(Thread.id).in_(thread_ids))
    latest = (
        select(func.max(Message.sent_at))
        .where(col(Message.conversation_id) == col(Conversation.id))
        .scalar_subquery()
    )
    session.execute(
        update(Conversation)
        .where(col(Conversation.id).in_(touched))
        .values(last_message_at=latest)
        .execution_options(synchronize_session=False)
    )


def _erase_participations(session: Session, location_id: str, contact_id: str) -> int:
    mine = (col(Participant.location_id) == location_id, col(Participant.contact_id) == contact_id)
    ids = session.exec(select(Participant.message_id).where(*mine)).all()
    # The mail as it came names the person in its headers; what is shown of it stays.
    raws = [raw for raw in session.exec(select(Message.raw_blob).where(col(Message.id).in_(ids))) if raw]
    session.execute(update(Message).where(col(Message.id).in_(ids)).values(raw_blob=None))
    doom(session, location_id, raws)
    session.execute(
        update(Participant)
        .where(*mine)
        .values(name="", email=HIDDEN, email_key=HIDDEN, contact_id=None)
        .execution_options(synchronize_session=False)
    )
    return len(ids)


def _receipt(
    session: Session, location_id: str, subject: str, subject_id: str, counts: dict[str, int]
) -> Erasure:
    receipt = Erasure(location_id=location_id, subject=subject, subject_id=subject_id, counts=counts)
    session.add(receipt)
    session.flush()
    return receipt
