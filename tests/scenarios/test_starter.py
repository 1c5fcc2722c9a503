"""An operator tells the story of a mailbox from the command line, straight on Temporal and the database."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from devstack.stack import Stack
from devstack.story import LocationInStory, Story, eventually, unique
from starter.__main__ import app

pytestmark = pytest.mark.servers


class Terminal:
    """A terminal in which the settings of a stack hold."""

    def __init__(self, stack: Stack, location: LocationInStory) -> None:
        self._env = {**stack.env, "COLUMNS": "300", "CRM_LOCATION": location.id}

    def run(self, *arguments: str) -> str:
        """The output of a command that must work."""
        result = CliRunner().invoke(app, list(arguments), env=self._env)
        assert result.exit_code == 0, result.output
        return result.output


@pytest.fixture
def acme(stack: Stack) -> LocationInStory:
    return Story(stack).location()


def test_a_mailbox_is_connected_synced_explained_and_disconnected(
    stack: Stack, acme: LocationInStory
) -> None:
    terminal = Terminal(stack, acme)
    gmail = acme.story.gmail
    mailbox, bob = f"{unique('ann')}@gmail.com", f"{unique('bob')}@client.example"
    gmail.create_mailbox(mailbox)
    user = f"{unique('ann')}@acme.example"
    terminal.run("user-create", user, "Ann")
    terminal.run("contact-create", "Bob", bob)

    address = re.search(r"https?://\S+/o/oauth2\S+", terminal.run("connect", user, "--wait", "0"))
    assert address
    gmail.consent(address[0], mailbox, follow=True)
    eventually(lambda: "active" in terminal.run("accounts"), "the mailbox is active")

    gmail_id = acme.story.mail_from(bob, mailbox, "Question", "May I?")[mailbox]
    acme.story.mail_from("stranger@nowhere.example", mailbox, "Advert")
    shown = terminal.run("sync", mailbox)
    assert "0 missing" in shown
    assert "S7" in terminal.run("why", mailbox, gmail_id)
    assert "S9" in terminal.run("why", mailbox, "--outcome", "skipped")

    assert "sent" in terminal.run("send", user, "--to", bob, "--subject", "Answer", "--text", "You may.")
    assert len(gmail.outbox(bob)) == 1
    assert "our stamp is in the SENT copy" in terminal.run("doctor", "--account", mailbox)

    assert "disconnected" in terminal.run("disconnect", mailbox, "--yes")
    assert "Disconnected" in terminal.run("timeline", mailbox)
