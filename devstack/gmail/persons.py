"""Persons outside, and their mail servers."""

from __future__ import annotations

from devstack.gmail.mailbox import Mailbox
from devstack.gmail.world import Outgoing, World


def take(world: World, outgoing: Outgoing, sending: Mailbox | None) -> None:
    """Let the recipients of a mail that left do what they do with mail."""
