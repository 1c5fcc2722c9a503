"""The picture of an account's states in the documentation is the table in the code."""

from __future__ import annotations

import re
from pathlib import Path

from crm.accounts import TRANSITIONS
from models.states import AccountState

PAGE = Path(__file__).parents[2] / "docs" / "account-lifecycle.md"


def test_the_state_diagram_is_the_table_of_transitions() -> None:
    drawn = set(re.findall(r"^ +(\w+) --> (\w+)$", PAGE.read_text(), re.MULTILINE))
    assert drawn == {(str(a), str(b)) for a, following in TRANSITIONS.items() for b in following}


def test_every_state_is_explained() -> None:
    text = PAGE.read_text()
    assert all(f"| `{state}` |" in text for state in AccountState)
