"""S5: who stops the watch and gives the grant back, where several connections of one mailbox come and go at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from crm import accounts, connections
from devstack.story import eventually
from models import Account
from models.states import AccountState
from tests.activities.mailroom import Mailroom
from workflows.values import AccountInput, Report

pytestmark = pytest.mark.servers

WAITING = text(
    "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE NOT granted AND datname = current_database()"
)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def second_connection(room: Mailroom, first: Account) -> Account:
    """The same mailbox, connected by a user of another location."""
    account_id = room.grant(room.user(room.location()), first.email)
    assert room.connecting.connect(AccountInput(account_id=account_id)).state == "active"
    return room.account(account_id)


def wait_for_waiters(room: Mailroom, number: int) -> None:
    def waiting() -> bool:
        with room.environment.database.session() as session:
            return int(session.execute(WAITING).scalar_one()) == number

    eventually(waiting, f"{number} wait for a lock")


@contextmanager
def rows_held(room: Mailroom, *account_ids: str) -> Iterator[None]:
    """Nobody else writes these accounts."""
    with room.environment.database.session() as session:
        for account_id in account_ids:
            accounts.locked(session, account_id)
        yield


def revoked(room: Mailroom) -> int:
    return len(room.gmail.requests(method="oauth.revoke"))


def stopped(room: Mailroom, account: Account) -> int:
    return int(room.gmail.usage(mailbox=account.email, method="stop")["count"])


def test_s5_of_two_that_disconnect_at_once_the_last_stops_and_gives_back(
    room: Mailroom, threads: ThreadPoolExecutor
) -> None:
    first = room.connected()
    second = second_connection(room, first)
    before = revoked(room)
    leaving: list[Future[Report]] = []
    for account in (first, second):
        room.ask_to_disconnect(account.id)
    with rows_held(room, first.id, second.id):
        for number, account in enumerate((first, second), 1):
            value = AccountInput(account_id=account.id)
            leaving.append(threads.submit(room.connecting.disconnect, value))
            wait_for_waiters(room, number)
    assert [one.result(60).state for one in leaving] == ["disconnected"] * 2
    assert (stopped(room, first), revoked(room) - before) == (1, 1)


def test_s5_a_connection_made_while_another_waits_to_leave_is_not_cut_off(
    room: Mailroom, threads: ThreadPoolExecutor
) -> None:
    first = room.connected()
    before = revoked(room)
    with room.environment.database.alone(connections.lock_of(first.google_sub)):
        leaving = threads.submit(room.disconnect, first.id)
        wait_for_waiters(room, 1)
        second = second_connection(room, first)
    assert leaving.result(60).state == "disconnected"
    assert (stopped(room, first), revoked(room) - before) == (0, 0)
    assert room.sync(second.id).state == "active"


def test_s5_a_watch_that_another_connection_has_just_set_is_not_stopped(
    room: Mailroom, threads: ThreadPoolExecutor
) -> None:
    first = room.connected()
    with room.watching._alone(first.google_sub):
        stopping = threads.submit(room.watching.stop, first, room.environment.mailboxes.of(first))
        wait_for_waiters(room, 1)
        second = second_connection_without_watch(room, first)
    assert stopping.result(60) is False
    assert stopped(room, first) == 0
    assert room.account(second).state == "active"


def second_connection_without_watch(room: Mailroom, first: Account) -> str:
    """As far as its row says that it collects mail; its watch is the next step."""
    account_id = room.grant(room.user(room.location()), first.email)
    with room.environment.database.session() as session:
        row = session.get_one(Account, account_id)
        accounts.transition(session, row, AccountState.ACTIVE)
    return account_id


def test_s5_a_grant_that_google_refused_is_nothing_that_others_live_on(room: Mailroom) -> None:
    first = room.connected()
    second = second_connection(room, first)
    with room.environment.database.session() as session:
        row = session.get_one(Account, second.id)
        accounts.transition(session, row, AccountState.REAUTHORIZATION_REQUIRED, "refused")
        assert not connections.living(session, first.google_sub, besides=first.id)
    before = revoked(room)
    room.disconnect(first.id)
    assert revoked(room) - before == 1
