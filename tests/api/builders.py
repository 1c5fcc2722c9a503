"""Rows as the other rooms would have written them, for tests that are about HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlmodel import Session, select

from crm import accounts, threads
from models import Account, Attachment, Decision, GmailMessage, Message, Participant, User
from models.columns import now
from models.ids import new_id
from models.states import AccountState
from tests.api.running import RunningApi, Tenant


def connected_account(
    running: RunningApi,
    tenant: Tenant,
    *,
    user_id: str | None = None,
    email: str | None = None,
    state: AccountState = AccountState.ACTIVE,
    active: bool = True,
) -> str:
    """An account of a user; returns its id."""
    email = email or f"{new_id('x')}@gmail.com"
    user_id = user_id or tenant.user(f"{new_id('u')}@team.example")["id"]
    with running.database.session() as session:
        account = Account(
            location_id=tenant.id,
            user_id=user_id,
            email=email,
            email_key=email.lower(),
            google_sub=f"sub-{email}",
            state=state,
            connected_at=now(),
            refresh_token_encrypted=running.context.vault.encrypt("a refresh token"),
        )
        session.add(account)
        session.flush()
        if active:
            accounts.activate(session, session.get_one(User, user_id), account)
        return account.id


def inbound_mail(
    running: RunningApi,
    tenant: Tenant,
    contact_id: str,
    *,
    account_id: str | None = None,
    subject: str = "Hello",
    text: str | None = "Good morning",
    html: str | None = None,
    minutes_ago: float = 0,
    cc: tuple[tuple[str, str | None], ...] = (),
    attachment: bytes | None = None,
) -> str:
    """A mail of a contact, as the sync keeps it; returns its id."""
    with running.database.session() as session:
        message = _message(session, tenant, contact_id, subject, text, html, minutes_ago)
        people: list[tuple[str, str, str | None]] = [
            ("from", "bob@client.example", contact_id),
            ("to", "ann@gmail.com", None),
        ]
        people += [("cc", email, contact) for email, contact in cc]
        for position, (role, email, contact) in enumerate(people):
            session.add(
                Participant(
                    message_id=message.id,
                    location_id=tenant.id,
                    role=role,
                    position=position,
                    name=email.partition("@")[0].title(),
                    email=email,
                    email_key=email,
                    contact_id=contact,
                )
            )
        if attachment is not None:
            session.add(
                Attachment(
                    message_id=message.id,
                    position=0,
                    filename="Angebot für Bob.pdf",
                    content_type="application/pdf",
                    size=len(attachment),
                    blob=running.context.blobs.put(tenant.id, attachment),
                )
            )
        if account_id is not None:
            _copy(session, account_id, message)
        return message.id


def also_in(running: RunningApi, message_id: str, account_id: str) -> None:
    """The same mail in another mailbox too (S21), unread."""
    with running.database.session() as session:
        _copy(session, account_id, session.get_one(Message, message_id))


def unread_in(running: RunningApi, message_id: str) -> dict[str, bool]:
    """What each mailbox's copy says, by account."""
    with running.database.session() as session:
        copies = session.exec(select(GmailMessage).where(GmailMessage.message_id == message_id))
        return {copy.account_id: copy.unread for copy in copies}


def _message(
    session: Session,
    tenant: Tenant,
    contact_id: str,
    subject: str,
    text: str | None,
    html: str | None,
    minutes_ago: float,
) -> Message:
    conversation = threads.conversation_of(session, tenant.id, contact_id)
    thread = threads.open_thread(session, conversation, subject)
    at = now() - timedelta(minutes=minutes_ago)
    values: dict[str, Any] = {"subject": subject, "text": text, "html": html, "sent_at": at}
    message = Message(
        location_id=tenant.id,
        conversation_id=conversation.id,
        thread_id=thread.id,
        contact_id=contact_id,
        direction="inbound",
        message_id_header=f"<{new_id('mid')}@client.example>",
        **values,
    )
    session.add(message)
    session.flush()
    threads.count_message(session, thread, at)
    return message


def _copy(session: Session, account_id: str, message: Message) -> None:
    gmail_id = new_id("g")
    session.add(
        GmailMessage(
            account_id=account_id,
            gmail_id=gmail_id,
            message_id=message.id,
            gmail_thread_id=f"t-{gmail_id}",
            internal_date=message.sent_at,
            unread=True,
        )
    )
    session.add(
        Decision(
            account_id=account_id,
            gmail_id=gmail_id,
            outcome="synced",
            rule="S7",
            detail="a contact wrote",
            message_id=message.id,
        )
    )
