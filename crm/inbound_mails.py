"""Mail that the SMTP listener was given: for whom, from whom, and kept once before it is acknowledged (S16)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel
from sqlalchemy import union
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from crm.addresses import mailbox_key
from models import (
    Account,
    AccountAlias,
    Campaign,
    CampaignRecipient,
    InboundMail,
    Message,
    RetiredAutoBcc,
    User,
)
from models.columns import now
from models.ids import new_id
from models.states import AccountState

RETURN_PREFIX = "bounce+"
_LOCAL_PART = re.compile(r"[A-Za-z0-9_.+-]{1,200}")
"""Of every address that we give out: what strangers make up beyond that does not reach the database."""


class Purpose(StrEnum):
    """What an address of the listener's domain is for."""

    AUTO_BCC = "auto_bcc"
    RETIRED = "retired"
    """An auto-BCC address that was replaced."""
    CAMPAIGN_RETURN = "campaign_return"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address that the listener knows."""

    purpose: Purpose
    token: str
    location_id: str | None = None
    user_id: str | None = None


class AuthenticationView(BaseModel):
    """What was found about the sender of an auto-BCC copy when the listener took it (S16).

    `conclusion`: `proven` (SPF or DKIM speaks for the domain in From), `trusted` (handed over by a mail server whose
    own checks count), `unproven`, `unknown` (DNS did not answer) or `not_checked`. `spf`, `dkim`, `dmarc`: results
    as RFC 8601 names them; `aligned`: which of the first two pass for `domain`.
    """

    received_at: datetime
    conclusion: str = "not_checked"
    domain: str | None = None
    spf: str | None = None
    dkim: str | None = None
    dmarc: str | None = None
    aligned: list[str] = []


def find(session: Session, local_part: str) -> Mailbox | None:
    """What an address of our domain is for; None for one that never was."""
    if _LOCAL_PART.fullmatch(local_part) is None:
        return None
    if local_part.lower().startswith(RETURN_PREFIX):
        return _return_address(session, local_part[len(RETURN_PREFIX) :])
    token = local_part.lower()
    user = session.exec(select(User).where(User.auto_bcc_token == token)).first()
    if user is not None:
        return Mailbox(Purpose.AUTO_BCC, token, user.location_id, user.id)
    retired = session.get(RetiredAutoBcc, token)
    return Mailbox(Purpose.RETIRED, token, None, retired.user_id) if retired is not None else None


def _return_address(session: Session, token: str) -> Mailbox | None:
    spellings = {token, token.lower()}  # ours are lower case, which a server on the way may have changed
    for query in (
        select(Message.stamp, Message.location_id).where(col(Message.stamp).in_(spellings)),
        select(CampaignRecipient.return_token, Campaign.location_id)
        .join(Campaign, col(Campaign.id) == col(CampaignRecipient.campaign_id))
        .where(col(CampaignRecipient.return_token).in_(spellings)),
    ):
        found = session.exec(query).first()
        if found is not None and found[0] is not None:
            return Mailbox(Purpose.CAMPAIGN_RETURN, found[0], found[1])
    return None


def may_file(session: Session, location_id: str, author: str) -> bool:
    """Is this the address of a user of the location: login, connected, or a verified alias?"""
    key = mailbox_key(author)
    ours = union(
        select(User.email_key).where(User.location_id == location_id),
        select(Account.email_key).where(
            Account.location_id == location_id, Account.state != AccountState.DISCONNECTED
        ),
        select(AccountAlias.email_key)
        .join(Account, col(Account.id) == col(AccountAlias.account_id))
        .where(
            Account.location_id == location_id,
            Account.state != AccountState.DISCONNECTED,
            col(AccountAlias.verified).is_(True),
        ),
    )
    return any(mailbox_key(str(address)) == key for (address,) in session.execute(ours))


def keep(
    session: Session,
    mailbox: Mailbox,
    *,
    blob: str,
    size: int,
    digest: str,
    authentication: dict[str, Any],
) -> str:
    """Keep a mail; its id. The same mail given again, since our answer was lost, is the one kept before."""
    session.execute(
        insert(InboundMail)
        .values(
            id=new_id("inb"),
            location_id=mailbox.location_id,
            user_id=mailbox.user_id,
            purpose=mailbox.purpose,
            return_token=mailbox.token if mailbox.purpose is Purpose.CAMPAIGN_RETURN else None,
            received_at=now(),
            blob=blob,
            size=size,
            digest=digest,
            authentication=authentication,
        )
        .on_conflict_do_nothing(index_elements=["digest"])
    )
    return session.exec(select(InboundMail.id).where(InboundMail.digest == digest)).one()


def authentications(session: Session, message_ids: Sequence[str]) -> dict[str, AuthenticationView]:
    """By message, of those whose copy came to the listener; of several copies the first."""
    found: dict[str, AuthenticationView] = {}
    for row in session.exec(
        select(InboundMail)
        .where(col(InboundMail.message_id).in_(message_ids), InboundMail.purpose == Purpose.AUTO_BCC)
        .order_by(col(InboundMail.received_at), col(InboundMail.id))
    ):
        assert row.message_id is not None
        view = AuthenticationView.model_validate({**row.authentication, "received_at": row.received_at})
        found.setdefault(row.message_id, view)
    return found


def unfiled(session: Session, before: datetime, limit: int = 500) -> list[str]:
    """Mails kept before a moment that nobody has filed: their workflow was never started or was lost."""
    return list(
        session.exec(
            select(InboundMail.id)
            .where(col(InboundMail.filed_at).is_(None), col(InboundMail.received_at) < before)
            .order_by(col(InboundMail.received_at))
            .limit(limit)
        )
    )
