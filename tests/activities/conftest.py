"""What the tests of activities stand on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devstack.stack import Stack
from tests.activities.mailroom import Mailroom


@pytest.fixture(scope="module")
def room(watched: str) -> Iterator[Mailroom]:
    """PostgreSQL, the Gmail emulator and the activities on them, shared by a module."""
    with Stack.start(parts={"postgres", "gmail"}) as stack:
        made = Mailroom(stack)
        yield made
        made.close()
