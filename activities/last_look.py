"""What came before a disconnect is still read, as far as some seconds suffice (S5 stops what comes from then on)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import structlog

from activities import listing, outcomes
from activities.collecting import Collecting, Counts, NotCollecting
from activities.mailboxes import Mailboxes
from activities.recovering import MARGIN
from crm import accounts, decisions
from gmail.budget import Priority
from gmail.errors import GoogleError
from models import Account
from models.states import Outcome
from storage.database import Database

log = structlog.get_logger("account")

LAST_LOOK_S = 6.0
"""No disconnect waits longer, whatever Gmail does: a look that takes longer ends by itself, and keeps no more."""
AT_A_TIME = 8
TOO_MUCH = "there was more than some seconds suffice for"


class LastLook:
    """Thread-safe; may be repeated, since what is decided is left alone."""

    def __init__(self, database: Database, mailboxes: Mailboxes, collecting: Collecting) -> None:
        self._database = database
        self._mailboxes = mailboxes
        self._collecting = collecting
        self._threads = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="last-look")

    def take(self, account: Account) -> list[str]:
        """Read what came before the user's wish to disconnect; what was not read, in words."""
        with self._database.session() as session:
            row = accounts.locked(session, account.id)
            if row is None or not accounts.collects(session, row):
                return []
            accounts.open_pause(session, row, "S5", account.disconnect_asked_at)
        since = account.last_synced_at or account.connected_at or account.created_at
        try:
            failed = self._threads.submit(self._look, account).result(LAST_LOOK_S)
        except NotCollecting:
            return []
        except (GoogleError, TimeoutError) as error:
            reason = outcomes.why(error) if isinstance(error, GoogleError) else TOO_MUCH
            log.info("last_look_ended", account=account.id, error=type(error).__name__)
            return [f"What came after {since:%Y-%m-%d %H:%M} UTC may not all have been read: {reason}"]
        number = "1 mail" if failed == 1 else f"{failed} mails"
        return [f"{number} could not be read before the end"] if failed else []

    def _look(self, account: Account) -> int:
        """From the list of ids, since history may not reach back; how many stay undecided."""
        since = account.last_synced_at or account.connected_at or account.created_at
        mailbox = self._mailboxes.of(account, Priority.INTERACTIVE)
        found = listing.listed(self._database, account.id, mailbox, since - MARGIN)
        with self._database.session() as session:
            failed = decisions.failed(session, account.id)
        ids = tuple(dict.fromkeys((*failed, *reversed(found.missing), *reversed(found.returned))))
        self._collecting.collect(account, mailbox, ids, Counts())
        with self._database.session() as session:
            return decisions.count(session, account.id, ids)[Outcome.FAILED]
