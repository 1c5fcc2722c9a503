"""What a mailbox may still ask of Gmail, shared by all processes."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from models.columns import created, moment


class MailboxBudget(SQLModel, table=True):
    """Units spent in the running minute and the one before, and until when Gmail told us to wait.

    Keyed by the Gmail address; `*` is the whole project. `refilled_at`: when the running minute began.
    """

    __tablename__ = "mailbox_budgets"

    email_key: str = Field(primary_key=True)
    units: float
    units_before: float = 0.0
    refilled_at: datetime = created()
    blocked_until: datetime | None = moment()


class RequestInFlight(SQLModel, table=True):
    """A lease on one of the requests that a mailbox may have in flight; lapses if its process dies."""

    __tablename__ = "requests_in_flight"

    id: str = Field(primary_key=True)
    email_key: str = Field(index=True)
    expires_at: datetime = created()
