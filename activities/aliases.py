"""The addresses that a mailbox may send as, as Gmail lists them (S25)."""

from __future__ import annotations

from collections.abc import Iterable

from crm import accounts
from gmail.mailbox import Mailbox
from gmail.values import SendAs
from models import Account
from storage.database import Database


def known(send_as: Iterable[SendAs]) -> list[accounts.Alias]:
    """What Gmail calls "Send mail as", in the CRM's words."""
    return [accounts.Alias(one.email, one.name, one.verified, one.primary, one.signature) for one in send_as]


def read_anew(database: Database, account: Account, mailbox: Mailbox) -> None:
    """Read them again; 1 unit (Gmail API: settings.sendAs.list).

    Raises:
        GoogleError: Google refuses the account, or does not answer; what was known stays.
    """
    listed = known(mailbox.send_as())
    with database.session() as session:
        accounts.replace_aliases(session, account, listed)
