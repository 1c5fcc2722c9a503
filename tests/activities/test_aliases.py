"""S25: the addresses that a mailbox may send as."""

from __future__ import annotations

import pytest
from sqlmodel import col, delete, select

from devstack.story import unique
from models import AccountAlias
from tests.activities.mailroom import Mailroom
from workflows.values import ProofInput

pytestmark = pytest.mark.servers


def known(room: Mailroom, account_id: str) -> set[str]:
    with room.environment.database.session() as session:
        found = session.exec(
            select(AccountAlias.email_key).where(AccountAlias.account_id == account_id, AccountAlias.verified)
        )
        return set(found)


def test_s25_an_alias_that_was_verified_just_now_is_known_after_sync_now(room: Mailroom) -> None:
    mailbox = f"{unique('ann')}@gmail.com"
    alias = f"sales+{mailbox}"
    room.gmail.create_mailbox(mailbox, aliases=[alias])
    account = room.connected(mailbox=mailbox)
    with room.environment.database.session() as session:  # as before it was verified
        session.execute(delete(AccountAlias).where(col(AccountAlias.email_key) == alias))
    assert alias not in known(room, account.id)
    room.gmail.fault("gmail.users.settings.sendAs.list", mailbox=mailbox, times=1, status=503)
    assert not room.proving.prove_account(ProofInput(account_id=account.id)).failed_step
    room.proving.prove_account(ProofInput(account_id=account.id))
    assert alias in known(room, account.id)
