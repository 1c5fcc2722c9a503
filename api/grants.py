"""Is a grant that we hold still good? Only Google knows, and a refresh tells without costing quota."""

from __future__ import annotations

import structlog
from sqlmodel import col, update

from api.context import Context
from crm import accounts
from gmail.errors import GoogleError, GrantRefused
from gmail.tokens import AccessTokens
from models import Account
from models.states import AccountState

log = structlog.get_logger()
REASON = "Google no longer accepts our access: the password was changed, or access was revoked"
NEXT = "Consent with the same address"


def is_alive(context: Context, account: Account) -> bool:
    """Whether Google still honours an account's grant; True where it cannot be asked, since the workflow will."""

    def stored(_: str) -> str | None:
        sealed = account.refresh_token_encrypted
        return context.vault.decrypt(sealed) if sealed else None

    def keep_rotated(account_id: str, token: str) -> None:
        with context.database.session() as session:
            session.execute(
                update(Account)
                .where(col(Account.id) == account_id)
                .values(refresh_token_encrypted=context.vault.encrypt(token))
            )

    try:
        AccessTokens(context.google, context.http, stored, keep_rotated).access_token(account.id)
    except GrantRefused:
        return False
    except GoogleError as error:
        log.info("grant_not_checked", account_id=account.id, error=type(error).__name__)
    return True


def note_dead(context: Context, account_id: str) -> None:
    """Show that an account needs consent again."""
    with context.database.session() as session:
        account = accounts.locked(session, account_id)
        if account is not None and account.state == AccountState.PAUSED:
            accounts.transition(session, account, AccountState.REAUTHORIZATION_REQUIRED, REASON, NEXT)
