"""What happened to an account, for users and operators (S30)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, Identity, Index
from sqlmodel import Field, SQLModel

from models.columns import created, reference


class TimelineEntry(SQLModel, table=True):
    """One state change, sync, gap, retry or planned step, in plain words, without mail content."""

    __tablename__ = "timeline"
    __table_args__ = (Index("ix_timeline_account_seq", "account_id", "seq"),)

    seq: int | None = Field(
        default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True)
    )
    account_id: str = reference("accounts.id", index=False)
    at: datetime = created()
    kind: str
    detail: str
