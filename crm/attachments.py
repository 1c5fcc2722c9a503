"""Which files of a mail are kept here, and which stay in Gmail (S22)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.states import AttachmentState

MAX_TOTAL_BYTES = 25 * 2**20
"""Decoded, of all attachments of a message together."""


@dataclass(frozen=True, slots=True)
class StoredAttachment:
    """A file of a mail; `blob` is its key in the blob store, None where it is not there."""

    filename: str
    content_type: str
    size: int
    content_id: str | None = None
    inline: bool = False
    part_id: str | None = None
    blob: str | None = None
    state: AttachmentState = AttachmentState.STORED


def fitting(sizes: Sequence[int], limit: int = MAX_TOTAL_BYTES) -> list[bool]:
    """Which files are kept, in their order: each that fits in what those before it have left."""
    kept = []
    for size in sizes:
        fits = size <= limit
        limit -= size if fits else 0
        kept.append(fits)
    return kept
