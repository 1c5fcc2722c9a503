"""S30: an account's timeline and its completeness, as API and page show them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm import accounts, decisions, timeline
from models import Account
from models.columns import now
from models.states import AccountState
from tests.api.builders import connected_account
from tests.api.running import RunningApi, Tenant

pytestmark = pytest.mark.servers


def test_s30_the_next_planned_step_comes_first_and_only_on_the_first_page(
    running: RunningApi, tenant: Tenant
) -> None:
    account_id = connected_account(running, tenant)
    later = now() + timedelta(hours=20)
    with running.database.session() as session:
        for number in range(3):
            timeline.note(session, account_id, "gap", f"Gap {number}")
        account = session.get_one(Account, account_id)
        accounts.transition(session, account, AccountState.ACTIVE, None, "Renew the watch", later)
    url = f"/v1/accounts/{account_id}/timeline"
    whole = tenant.api.get(url).json()["items"]
    assert [one["detail"] for one in whole] == ["Renew the watch", "Gap 2", "Gap 1", "Gap 0"]
    assert whole[0]["kind"] == "plan"
    for limit in (1, 2, 3):
        found, cursor = [], None
        while True:
            page = tenant.api.get(
                url, params={"limit": limit} | ({"cursor": cursor} if cursor else {})
            ).json()
            assert len(page["items"]) <= limit
            found += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert [one["detail"] for one in found] == [one["detail"] for one in whole]


def test_s30_a_timeline_without_a_plan_has_only_what_happened(running: RunningApi, tenant: Tenant) -> None:
    account_id = connected_account(running, tenant)
    assert tenant.api.get(f"/v1/accounts/{account_id}/timeline").json()["items"] == []


def test_s30_mail_that_could_not_be_read_yet_is_counted(running: RunningApi, tenant: Tenant) -> None:
    account_id = connected_account(running, tenant)
    with running.database.session() as session:
        accounts.set_completeness(session.get_one(Account, account_id), 2, 2)
        decisions.fail(session, account_id, "g1", "Gmail answered 500", now())
    shown = tenant.api.get(f"/v1/accounts/{account_id}").json()["completeness"]
    assert (shown["decided"], shown["missing"], shown["to_retry"]) == (2, 0, 1)
