"""A scripted Google, and a mailbox that asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gmail.client import Gmail
from gmail.mailbox import Mailbox
from gmail.tokens import FixedToken
from tests.gmail.scripted import ScriptedGoogle, scripted_google
from tests.gmail.signer import Signer

ADDRESS = "ann@example.com"


@pytest.fixture
def google() -> Iterator[ScriptedGoogle]:
    with scripted_google() as server:
        yield server


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer()


@pytest.fixture
def gmail_of(google: ScriptedGoogle) -> Iterator[Callable[..., Gmail]]:
    """Builds a Gmail that asks the scripted Google, with changes to its configuration."""
    built: list[Gmail] = []

    def build(**changes: Any) -> Gmail:
        gmail = Gmail(google.config(**changes))
        built.append(gmail)
        return gmail

    yield build
    for gmail in built:
        gmail.close()


@pytest.fixture
def mailbox(gmail_of: Callable[..., Gmail]) -> Mailbox:
    return Mailbox(gmail_of(), ADDRESS, FixedToken("access-1"))
