"""Ten thousand idle accounts on one worker: what they cost in memory, and how long it takes to wake all of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text
from temporalio.client import Client

from bench.result import Result
from devstack.gmail.control import GmailControl
from devstack.stack import Stack
from devstack.story import Story, eventually
from models import Account, User
from models.columns import now
from models.ids import new_id
from models.states import AccountState
from storage.database import Database
from storage.encryption import Vault
from workflows import temporal
from workflows.commands import Commands
from workflows.values import AccountInput, AccountMemory

ACCOUNTS = 10_000
AT_A_TIME = 50
"""Signals and starts under way."""
WAKE_WITHIN_S = 240.0
MEMORY_MB = 150 + 5000 * 0.1
"""Of the worker: itself, and as many accounts as it caches (`worker.CACHED_WORKFLOWS`), 100 KB each."""
GIVE_UP_S = 900.0
HISTORY_START = 1000
DOMAIN = "idle.example"


def measure(accounts: int = ACCOUNTS) -> list[Result]:
    """The worker's memory with all of them, and the seconds until each has looked at its mailbox once."""
    settings = {"RECONCILE_INTERVAL_S": "86400", "GMAIL_UNITS_PER_MINUTE": "100000000"}
    parts = {"postgres", "temporal", "gmail", "worker", "api"}
    with Stack.start(settings=settings, parts=parts, temporal_in_memory=True) as stack:
        database = Database(stack.database_url, pool_size=2)
        try:
            ids = _accounts(stack, database, accounts)
            asyncio.run(_begin(stack, ids))
            memory = _rss_mb(stack.pid("worker"))
            started = time.monotonic()
            asyncio.run(_wake(stack, ids))
            eventually(lambda: _awake(database, accounts), "all accounts have looked", patience_s=GIVE_UP_S)
            took = time.monotonic() - started
            memory = max(memory, _rss_mb(stack.pid("worker")))
        finally:
            database.close()
    return [
        Result.bounded(f"waking {accounts:,} idle accounts once", took, "s", at_most=WAKE_WITHIN_S),
        Result.bounded(f"worker's memory with {accounts:,} accounts", memory, "MB", at_most=MEMORY_MB),
    ]


def _accounts(stack: Stack, database: Database, count: int) -> list[str]:
    """Active accounts as consents would leave them, each of a mailbox of its own."""
    location = Story(stack).location("Idle").id
    vault = Vault(stack.settings.token_encryption_keys.get_secret_value())
    control = GmailControl(stack.gmail_url, timeout=300)
    tokens = control.open_granted(count, prefix="idle", domain=DOMAIN, history_start=HISTORY_START)
    control.close()
    at = now()
    users, rows = [], []
    for email, token in tokens.items():
        user = User(
            location_id=location, email=email, email_key=email, name="Ann", auto_bcc_token=new_id("b")
        )
        users.append(user)
        rows.append(
            Account(
                location_id=location, user_id=user.id, email=email, email_key=email, google_sub=email,
                state=AccountState.ACTIVE, connected_at=at, history_id=HISTORY_START,
                watch_expires_at=at + timedelta(days=7), refresh_token_encrypted=vault.encrypt(token),
            )
        )  # fmt: skip
    with database.session() as session:
        session.add_all(users)
        session.flush()
        session.add_all(rows)
    return [account.id for account in rows]


async def _begin(stack: Stack, ids: list[str]) -> None:
    """Start their workflows where accounts arrive after a quiet day: nothing to do, one timer."""
    client = await temporal.connect(stack.settings)
    memory = AccountMemory(known=True, state=AccountState.ACTIVE, upkeep_at=now() + timedelta(days=1))

    async def begin(account_id: str) -> None:
        await client.start_workflow(
            "AccountWorkflow",
            AccountInput(account_id=account_id, memory=memory),
            id=f"account/{account_id}",
            task_queue=stack.settings.temporal_task_queue,
        )

    await _each(ids, begin)
    await _started(client, ids)


async def _started(client: Client, ids: list[str]) -> None:
    """Until each has been run once: the last of them set their timers."""
    for account_id in (ids[0], *ids[-AT_A_TIME:]):
        handle = client.get_workflow_handle(f"account/{account_id}")
        deadline = time.monotonic() + GIVE_UP_S
        while (await handle.describe()).history_length < 5:
            if time.monotonic() > deadline:
                raise TimeoutError("the accounts did not start")
            await asyncio.sleep(0.5)


async def _wake(stack: Stack, ids: list[str]) -> None:
    client = await temporal.connect(stack.settings)
    commands = Commands(client, stack.settings.temporal_task_queue)
    await _each(ids, lambda account_id: commands.gmail_changed(account_id, None))


async def _each(ids: list[str], act: Callable[[str], Awaitable[None]]) -> None:
    async def some(waiting: Iterator[str]) -> None:
        for account_id in waiting:
            await act(account_id)

    shared = iter(ids)
    await asyncio.gather(*(some(shared) for _ in range(AT_A_TIME)))


def _awake(database: Database, accounts: int) -> bool:
    with database.engine.connect() as connection:
        looked = connection.execute(text("SELECT count(*) FROM accounts WHERE last_synced_at IS NOT NULL"))
        return int(looked.scalar_one()) >= accounts


def _rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("unreachable")
