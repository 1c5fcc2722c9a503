"""What this room needs to know about our Google project and where Google is."""

from __future__ import annotations

from dataclasses import dataclass, field

from settings import Settings


@dataclass(frozen=True, slots=True)
class GoogleConfig:
    """Endpoints, client and limits; roots have no trailing slash.

    `topic` empty: no watch. `units_per_minute` and `requests_in_flight` are per mailbox (Gmail API: usage
    limits).
    """

    gmail_endpoint: str
    people_endpoint: str
    auth_uri: str
    token_uri: str
    revoke_uri: str
    certs_uri: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    topic: str = ""
    push_audience: str = ""
    push_service_account: str = ""
    subscription: str = ""
    pubsub_emulator_host: str = ""
    units_per_minute: int = 6000
    requests_in_flight: int = 5
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 60.0

    @classmethod
    def from_settings(cls, settings: Settings) -> GoogleConfig:
        """The part of the process's settings that concerns Google."""
        return cls(
            gmail_endpoint=settings.gmail_api_endpoint,
            people_endpoint=settings.people_api_endpoint,
            auth_uri=settings.google_auth_uri,
            token_uri=settings.google_token_uri,
            revoke_uri=settings.google_revoke_uri,
            certs_uri=settings.google_certs_uri,
            client_id=settings.google_client_id,
            client_secret=settings.google_client_secret.get_secret_value(),
            redirect_uri=settings.oauth_redirect_uri,
            topic=settings.pubsub_topic,
            push_audience=settings.pubsub_push_audience,
            push_service_account=settings.pubsub_push_service_account,
            subscription=settings.pubsub_subscription,
            pubsub_emulator_host=settings.pubsub_emulator_host,
            units_per_minute=settings.gmail_units_per_minute,
            requests_in_flight=settings.gmail_requests_in_flight,
        )
