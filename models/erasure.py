"""Receipts of what was erased (S29)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from models.columns import created, json_object, reference
from models.ids import new_id


class Erasure(SQLModel, table=True):
    """When and how much went; never what."""

    __tablename__ = "erasures"

    id: str = Field(default_factory=lambda: new_id("era"), primary_key=True)
    location_id: str = reference("locations.id")
    subject: str  # "contact" or "account"
    subject_id: str
    erased_at: datetime = created()
    counts: dict[str, Any] = json_object()


class DoomedBlob(SQLModel, table=True):
    """A blob of something erased, until it is gone from the store too."""

    __tablename__ = "doomed_blobs"

    key: str = Field(primary_key=True)
    location_id: str = reference("locations.id", index=False)
    since: datetime = created()
