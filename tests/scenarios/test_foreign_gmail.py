"""The product against a Gmail that is not ours: only the contract's settings point it there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from devstack.stack import Stack
from devstack.story import Story
from tests.devstack.gmail.conftest import start, stop

pytestmark = pytest.mark.servers

TOPIC = "projects/somebody-elses/topics/mail-changes"
AUDIENCE = "https://crm.somebody-else.example/push"
PUSHER = "pusher@somebody-elses.iam.gserviceaccount.com"
CLIENT, SECRET = "123-foreign.apps.example", "a-secret-of-theirs"


@dataclass
class Elsewhere:
    """A stack whose Gmail runs outside of it."""

    api_url: str
    gmail_url: str
    admin_key: str


@pytest.mark.parametrize("certs", ["/oauth2/v1/certs", "/oauth2/v3/certs"])
def test_a_pushed_mail_is_visible_with_keys_as_pem_and_as_jwks(
    fresh_stack: Callable[..., Stack], tmp_path: Path, certs: str
) -> None:
    options = ("--topic", TOPIC, "--client-id", CLIENT, "--client-secret", SECRET)
    process, gmail = start(*options, folder=tmp_path)
    try:
        stack = fresh_stack(
            parts={"postgres", "temporal", "worker", "api"},
            settings={
                "GMAIL_API_ENDPOINT": gmail.base_url,
                "PEOPLE_API_ENDPOINT": gmail.base_url,
                "GOOGLE_AUTH_URI": f"{gmail.base_url}/o/oauth2/v2/auth",
                "GOOGLE_TOKEN_URI": f"{gmail.base_url}/token",
                "GOOGLE_REVOKE_URI": f"{gmail.base_url}/revoke",
                "GOOGLE_CERTS_URI": gmail.base_url + certs,
                "GOOGLE_CLIENT_ID": CLIENT,
                "GOOGLE_CLIENT_SECRET": SECRET,
                "PUBSUB_TOPIC": TOPIC,
                "PUBSUB_PUSH_AUDIENCE": AUDIENCE,
                "PUBSUB_PUSH_SERVICE_ACCOUNT": PUSHER,
                "RECONCILE_INTERVAL_S": "3600",  # so that only a push can have told
            },
        )
        gmail.configure(
            push_endpoint=f"{stack.api_url}/webhooks/gmail",
            push_audience=AUDIENCE,
            push_service_account=PUSHER,
        )
        story = Story(Elsewhere(stack.api_url, gmail.base_url, stack.admin_key))
        ann = story.location().user()
        ann.connect()
        lea = ann.location.contact("Lea", "lea@lead.example")
        gmail.clear_log()
        story.mail_from(lea.email, ann.mailbox, "Pushed")
        assert lea.message("Pushed")["direction"] == "inbound"
        assert [push["status"] for push in gmail.pushes(ann.mailbox)][:1] == [204]
        sent = ann.send(lea, "Back")
        assert ann.message(sent["id"], status="sent")["message_id_header"]
    finally:
        stop(process, gmail)
