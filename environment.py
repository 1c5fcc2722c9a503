"""The composition root: what a process of ours stands on, built once from the settings."""

from __future__ import annotations

from dataclasses import dataclass

from activities.budgets import SharedBudget
from activities.mailboxes import Mailboxes
from gmail.client import Gmail
from gmail.config import GoogleConfig
from gmail.consent import Consent
from gmail.keys import GoogleKeys
from settings import Settings
from storage.blobs import Blobs
from storage.database import Database
from storage.encryption import Vault


@dataclass(frozen=True)
class Environment:
    """Collaborators of the activities; all thread-safe."""

    settings: Settings
    database: Database
    vault: Vault
    blobs: Blobs
    google: GoogleConfig
    budget: SharedBudget
    gmail: Gmail
    mailboxes: Mailboxes
    consent: Consent

    @classmethod
    def build(cls, settings: Settings) -> Environment:
        """Connects to nothing yet.

        Raises:
            SettingsError: a key or an address cannot be used as it is.
        """
        vault = Vault(settings.token_encryption_keys.get_secret_value())
        blobs = Blobs(settings.blob_url)
        database = Database(settings.database_url, pool_size=settings.database_pool_size)
        google = GoogleConfig.from_settings(settings)
        budget = SharedBudget(
            settings.database_url,
            units_per_minute=google.units_per_minute,
            requests_in_flight=google.requests_in_flight,
        )
        gmail = Gmail(google, budget=budget)
        return cls(
            settings=settings,
            database=database,
            vault=vault,
            blobs=blobs,
            google=google,
            budget=budget,
            gmail=gmail,
            mailboxes=Mailboxes(database, vault, gmail),
            consent=Consent(google, gmail.http, GoogleKeys(google.certs_uri, gmail.http)),
        )

    def close(self) -> None:
        """Give connections and threads back."""
        self.gmail.close()
        self.budget.close()
        self.database.close()
