"""Every setting, typed, in one place.

Read from the environment, then `.env`, then `STATE_DIR/stack.env` (what `make up` wrote: addresses of the
embedded parts), then `STATE_DIR/secrets.env` (what was generated once). `.env.example` lists all.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

GOOGLE = {
    "gmail_api_endpoint": "https://gmail.googleapis.com",
    "people_api_endpoint": "https://people.googleapis.com",
    "google_auth_uri": "https://accounts.google.com/o/oauth2/v2/auth",
    "google_token_uri": "https://oauth2.googleapis.com/token",
    "google_revoke_uri": "https://oauth2.googleapis.com/revoke",
    "google_certs_uri": "https://www.googleapis.com/oauth2/v1/certs",
}


class SettingsError(Exception):
    """A setting is missing or wrong; the text says which one and what to do."""


def _address(*schemes: str, example: str) -> AfterValidator:
    """An address with one of these schemes and a host. The complaint does not quote it: it may hold a password."""

    def checked(value: Any) -> Any:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        try:
            parts = urlsplit(text)
            fits = (
                parts.scheme in schemes and bool(parts.hostname or parts.path.strip("/")) and parts.port != 0
            )
        except ValueError:
            fits = False
        if text and not fits:
            raise ValueError(f"is no address such as {example}")
        return value

    return AfterValidator(checked)


Web = Annotated[str, _address("http", "https", example="https://crm.example.com")]
Postgres = Annotated[
    str, _address("postgresql", "postgres", example="postgresql://user:password@host:5432/database")
]
Smtp = Annotated[SecretStr, _address("smtp", "smtps", example="smtp://user:password@host:587")]
Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(BaseSettings):
    """The settings of one process; field names are the environment's names in lower case."""

    model_config = SettingsConfigDict(env_file_encoding="utf-8", extra="ignore", frozen=True)

    app_env: Literal["development", "test", "production"] = "development"
    state_dir: Path = Path(".local")
    log_format: Literal["console", "json"] = "console"
    worker_metrics_host: str = "127.0.0.1"
    worker_metrics_port: Port = 0

    # Parts that we stand on
    database_url: Postgres = "postgresql://postgres@127.0.0.1:5432/crm"
    database_pool_size: int = Field(20, ge=2, le=200)
    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "default"
    temporal_task_queue: str = "gmail-sync"
    blob_store_url: str = ""

    # Google
    gmail_api_endpoint: Web = GOOGLE["gmail_api_endpoint"]
    people_api_endpoint: Web = GOOGLE["people_api_endpoint"]
    google_auth_uri: Web = GOOGLE["google_auth_uri"]
    google_token_uri: Web = GOOGLE["google_token_uri"]
    google_revoke_uri: Web = GOOGLE["google_revoke_uri"]
    google_certs_uri: Web = GOOGLE["google_certs_uri"]
    google_client_id: str = ""
    google_client_secret: SecretStr = SecretStr("")
    pubsub_topic: str = ""
    pubsub_push_audience: str = ""
    pubsub_push_service_account: str = ""
    pubsub_subscription: str = ""
    pubsub_emulator_host: str = ""
    gmail_units_per_minute: int = Field(6000, ge=1)
    gmail_requests_in_flight: int = Field(5, ge=1, le=50)
    gmail_full_fetch_above_bytes: int = Field(30 * 2**20, ge=1)

    # Time
    reconcile_interval_s: int = Field(300, ge=1)
    history_recheck_s: float = Field(1.5, ge=0.05)
    watch_renewal_s: int = Field(24 * 3600, ge=1)
    undo_window_s: float = Field(0.0, ge=0)

    # Our own doors
    public_url: Web = "http://127.0.0.1:8000"
    allowed_return_origins: str = ""
    api_host: str = "127.0.0.1"
    api_port: Port = 8000
    smtp_inbound_host: str = "127.0.0.1"
    smtp_inbound_port: Port = 2525
    smtp_inbound_tls_certificate: str = ""
    smtp_inbound_tls_key: str = ""
    smtp_inbound_connections: int = Field(1000, ge=1)
    smtp_inbound_connections_per_peer: int = Field(250, ge=1)
    smtp_inbound_mails_per_minute: int = Field(600, ge=1)
    smtp_inbound_trusted_peers: str = "127.0.0.0/8, ::1"
    smtp_inbound_dns_servers: str = ""
    auto_bcc_domain: str = "bcc.localhost"
    auto_bcc_authentication: Literal["off", "record", "aligned", "strict"] = "aligned"

    # Embedded parts
    temporal_port: Port = 7233
    temporal_ui_port: Port = 8233
    gmail_emulator_port: Port = 8100

    # Secrets of ours
    admin_api_key: SecretStr = SecretStr("")
    token_encryption_keys: SecretStr = SecretStr("")

    # Sending
    smtp_provider_url: Smtp = SecretStr("")
    gmail_daily_recipient_limit: int = Field(500, ge=1)
    workspace_daily_recipient_limit: int = Field(2000, ge=1)
    send_limit_window_s: float = Field(24 * 3600.0, gt=0)
    append_gmail_signature: bool = False
    campaign_connections: int = Field(4, ge=1, le=50)
    campaign_mails_per_minute_per_domain: int = Field(6000, ge=1)
    campaign_retry_s: float = Field(5.0, gt=0)

    # Webhooks out
    webhook_timeout_s: float = Field(15.0, gt=0)
    webhook_retry_s: float = Field(5.0, gt=0)
    webhooks_to_private_addresses: Literal["auto", "yes", "no"] = "auto"

    @field_validator("public_url", "gmail_api_endpoint", "people_api_endpoint")
    @classmethod
    def _no_trailing_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @model_validator(mode="after")
    def _production_needs_keys(self) -> Settings:
        if self.app_env == "production" and not self.token_encryption_keys.get_secret_value():
            raise ValueError("TOKEN_ENCRYPTION_KEYS is required where APP_ENV=production: set a key")
        return self

    @property
    def blob_url(self) -> str:
        """Where attachments and raw mail lie; under STATE_DIR unless BLOB_STORE_URL says otherwise."""
        return self.blob_store_url or (self.state_dir.resolve() / "blobs").as_uri()

    @property
    def webhooks_may_be_private(self) -> bool:
        """Whether webhooks may go to addresses that are not public; in production only where it is asked for."""
        if self.webhooks_to_private_addresses == "auto":
            return self.app_env != "production"
        return self.webhooks_to_private_addresses == "yes"

    @property
    def return_origins(self) -> frozenset[str]:
        """Origins besides PUBLIC_URL that `return_url` may lead to."""
        return frozenset(o.strip().rstrip("/") for o in self.allowed_return_origins.split(",") if o.strip())

    @property
    def oauth_redirect_uri(self) -> str:
        """Where Google sends the browser back to."""
        return f"{self.public_url}/oauth/google/callback"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, dotenv_settings)


def _files() -> tuple[Path, ...]:
    state = Path(os.environ.get("STATE_DIR", ".local"))
    # Later files win, so the order is the reverse of what the module's docstring lists.
    return state / "secrets.env", state / "stack.env", Path(".env")


def load(**overrides: Any) -> Settings:
    """Read the settings.

    Raises:
        SettingsError: with one line for each setting that is wrong.
    """
    from pydantic import ValidationError

    try:
        return Settings(_env_file=_files(), **overrides)
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, e['loc'])).upper() or 'SETTINGS'}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        ]
        raise SettingsError("These settings are wrong (see .env.example):\n  " + "\n  ".join(lines)) from None


@lru_cache(maxsize=1)
def current() -> Settings:
    """The settings of this process, read once."""
    return load()
