"""From an account's row to calls on its Gmail: with its own tokens, within the budget of its address."""

from __future__ import annotations

from sqlmodel import col, select, update

from gmail.budget import Priority
from gmail.client import Gmail
from gmail.mailbox import Mailbox
from gmail.people import People
from gmail.tokens import AccessTokens
from models import Account
from storage.database import Database
from storage.encryption import Vault


class Mailboxes:
    """Process-wide; refresh tokens are read from the database at each refresh and are in no log."""

    def __init__(self, database: Database, vault: Vault, gmail: Gmail) -> None:
        self._database = database
        self._vault = vault
        self.gmail = gmail
        self._tokens = AccessTokens(gmail.config, gmail.http, self.refresh_token, self._keep_rotated)

    def of(self, account: Account, priority: Priority = Priority.SYNC) -> Mailbox:
        """The mailbox of an account. Its first call finds out whether the grant is still good."""
        return Mailbox(
            self.gmail, account.email_key, self._tokens.of(account.id, account.email_key), priority
        )

    def people_of(self, account: Account) -> People:
        """The Google contacts of an account."""
        return People(self.gmail, account.email_key, self._tokens.of(account.id, account.email_key))

    def forget(self, account_id: str) -> None:
        """The grant was replaced or given back: access tokens of the old one are not used any more."""
        self._tokens.forget(account_id)

    def refresh_token(self, account_id: str) -> str | None:
        """The refresh token of an account; None where it was forgotten."""
        with self._database.session() as session:
            sealed = session.exec(
                select(Account.refresh_token_encrypted).where(Account.id == account_id)
            ).first()
        return self._vault.decrypt(sealed) if sealed else None

    def _keep_rotated(self, account_id: str, token: str) -> None:
        with self._database.session() as session:
            session.execute(
                update(Account)
                .where(col(Account.id) == account_id)
                .values(refresh_token_encrypted=self._vault.encrypt(token))
            )
