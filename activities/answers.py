"""The answer of a mail server, which cannot be asked for twice: written down, also where the database is away."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlmodel import Session

from storage.database import Database

log = structlog.get_logger("answers")

WITHIN_S = 120.0
"""How long an answer is kept while the database is away: what is lost then is unknown for good."""
PAUSE_S = 0.2
AWAY = (OperationalError, InterfaceError, PoolTimeoutError)
"""What says that the database cannot be had now; anything else would fail again."""


def write_down(database: Database, write: Callable[[Session], None]) -> None:
    """Run `write` in a transaction, again and again until it is committed; it must bear repetition.

    Raises:
        OperationalError, InterfaceError, TimeoutError: the database was away for longer than `WITHIN_S`.
    """
    until = time.monotonic() + WITHIN_S
    while True:
        try:
            with database.session() as session:
                write(session)
        except AWAY as error:
            if time.monotonic() > until:
                raise
            log.warning("answer_waits_for_database", error=type(error).__name__)
            time.sleep(PAUSE_S)
        else:
            return
