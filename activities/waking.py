"""Telling workflows: messages whose account moved, contacts of a new connection, accounts with news."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from temporalio import activity

from activities.beating import beating_alongside
from crm import consents, outbound
from gmail.consent import CONTACTS
from models import Account, Location
from models.states import AccountState, GmailContacts
from storage.database import Database
from workflows.commands import Commands
from workflows.values import AccountInput, SwitchWish, WakeInput

log = structlog.get_logger("wake")

AT_A_TIME = 20
"""Signals under way at once: a waking of thousands must not be a storm."""


class Waking:
    """Async, since it only speaks to Temporal; what it reads of the database it reads in a thread."""

    def __init__(self, database: Database, commands: Commands) -> None:
        self._database = database
        self._commands = commands

    def activities(self) -> list[Callable[..., Any]]:
        """What the worker runs."""
        return [
            self.wake_messages,
            self.wake_contacts,
            self.wake_accounts,
            self.wake_ledger,
            self.tell_switched,
        ]

    @activity.defn(name="wake_messages")
    async def wake_messages(self, value: AccountInput) -> int:
        """The account changed: mail of its user that waits looks again at what to do."""
        async with beating_alongside():
            waiting = await asyncio.to_thread(self._waiting, value.account_id)
            for message_id in waiting:
                await self._commands.message_changed(message_id)
        return len(waiting)

    @activity.defn(name="wake_contacts")
    async def wake_contacts(self, value: AccountInput) -> bool:
        """Where the user gave the scope and the location wants it, Google contacts are read (S23)."""
        wanted = await asyncio.to_thread(self._contacts_wanted, value.account_id)
        if wanted:
            await self._commands.sync_contacts(value.account_id)
        return wanted

    @activity.defn(name="wake_ledger")
    async def wake_ledger(self, value: AccountInput) -> None:
        """What the new mailbox sent in the last 24 h is counted (S26)."""
        await self._commands.count_sent(value.account_id)

    @activity.defn(name="wake_accounts")
    async def wake_accounts(self, value: WakeInput) -> int:
        """Accounts with news, or whose workflow is missing."""
        gate = asyncio.Semaphore(AT_A_TIME)

        async def wake(account_id: str) -> None:
            async with gate:
                await self._commands.gmail_changed(account_id, None)

        async with beating_alongside():
            for account_id in value.unannounced:
                await self._commands.unannounced(account_id, value.silent_s)
            await asyncio.gather(*(wake(account_id) for account_id in value.account_ids))
            for account_id in value.consented:
                await self._commands.account_consented(account_id)
            for account_id in value.disconnects:
                await self._commands.disconnect(account_id)
            for wish in value.switches:
                await self._commands.switch(wish.user_id, wish.account_id)
                await asyncio.to_thread(self._forget, wish)
        accounts = [*value.account_ids, *value.consented, *value.disconnects]
        return len(accounts) + len(value.switches)

    @activity.defn(name="tell_switched")
    async def tell_switched(self, value: WakeInput) -> None:
        """The rows of these accounts were changed by a switch: they, and the mail that waits, look at them."""
        async with beating_alongside():
            for account_id in value.account_ids:
                await self._commands.account_changed(account_id)
        if value.account_ids:
            await self.wake_messages(AccountInput(account_id=value.account_ids[-1]))

    def _forget(self, wish: SwitchWish) -> None:
        with self._database.session() as session:
            consents.forget_switches(session, wish.user_id, wish.account_id)

    def _waiting(self, account_id: str) -> list[str]:
        with self._database.session() as session:
            account = session.get(Account, account_id)
            return outbound.waiting_of(session, account.user_id) if account else []

    def _contacts_wanted(self, account_id: str) -> bool:
        with self._database.session() as session:
            account = session.get(Account, account_id)
            if account is None or account.state not in (AccountState.ACTIVE, AccountState.RECOVERING):
                return False
            location = session.get_one(Location, account.location_id)
            return CONTACTS in account.granted_scopes and location.gmail_contacts != GmailContacts.OFF
