"""Look-ups stay one probe per id in tables that have grown since the planner last counted them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import TextClause, text

from crm import decisions, facts
from models import Account
from tests.crm.builders import Crm

pytestmark = pytest.mark.servers

GROWN = 100
"""So few that every index looks alike; a plan that is made now is kept."""


def plan_of(crm: Crm, query: TextClause, values: dict[str, Any]) -> str:
    with crm.database.session() as session:
        return "\n".join(session.execute(text(f"EXPLAIN {query.text}"), values).scalars())


@pytest.fixture
def account(crm: Crm) -> Account:
    made = crm.mailbox("ann@gmail.com", "ann@acme.example")
    with crm.database.session() as session:
        session.execute(
            text(
                "INSERT INTO decisions (account_id, gmail_id, at, outcome, rule, detail, attempts, left_thread)"
                " SELECT :account, 'old-' || n, now(), 'skipped', 'S9', '', 0, false"
                " FROM generate_series(1, :grown) AS n"
            ),
            {"account": made.id, "grown": GROWN},
        )
    return made


@pytest.mark.parametrize("query", [decisions._OF, decisions._KNOWN], ids=["of", "known"])
def test_i1_a_decision_is_found_by_its_own_id(crm: Crm, account: Account, query: TextClause) -> None:
    ids = [f"old-{number}" for number in range(50)]
    plan = plan_of(
        crm, query, {"account_id": account.id, "gmail_ids": ids, "decided_after": "2020-01-01T00:00:00Z"}
    )
    assert "decisions_pkey" in plan, plan
    assert "ix_decisions" not in plan, "it begins with the account alone"


def test_the_facts_of_a_page_are_found_by_their_own_keys(crm: Crm, account: Account) -> None:
    many = [f"many-{number}" for number in range(50)]
    names = ("keys", "tokens", "gmail_ids", "gmail_threads", "ids", "id_keys", "id_hashes", "stamps")
    values = {"location_id": account.location_id, "account_id": account.id, **dict.fromkeys(names, many)}
    plan = plan_of(crm, facts._FACTS, values)
    assert plan.count("decisions_pkey") == plan.count("gmail_messages_pkey") == 1, plan
    assert "ix_messages_location_message_id" in plan, plan
    assert "match_keys_pkey" in plan, plan


def test_what_is_found_is_what_was_asked_for(crm: Crm, account: Account) -> None:
    wanted = ["old-7", "old-70", "none-such", "zzz", "old-100", "old-7"]
    with crm.database.session() as session:
        assert set(decisions.of(session, account.id, wanted)) == {"old-7", "old-70", "old-100"}
        assert decisions.known(session, account.id, wanted) == {"old-7", "old-70", "old-100"}
