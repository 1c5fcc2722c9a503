"""A mailbox's history: typed records under growing ids with gaps, and how long they stay."""

from __future__ import annotations

import random
from bisect import bisect_right
from dataclasses import dataclass

KINDS = ("messageAdded", "messageDeleted", "labelAdded", "labelRemoved")


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one message; `labels` are those that it gained or lost."""

    kind: str
    message_id: str
    thread_id: str
    labels: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """The changes that happened under one history id, at `at` seconds since the epoch."""

    id: int
    at: float
    changes: tuple[Change, ...]


class History:
    """Ids are uint64 with random gaps; `floor` is the oldest id that a client may still start from."""

    __slots__ = ("current", "floor", "ids", "records")

    def __init__(self, start: int) -> None:
        self.current = start
        self.floor = start
        self.records: list[Record] = []
        self.ids: list[int] = []

    def append(self, at: float, changes: tuple[Change, ...]) -> int:
        """Write a record and return its id."""
        self.current += 1 + random.randrange(40)
        self.records.append(Record(self.current, at, changes))
        self.ids.append(self.current)
        return self.current

    def since(self, start: int) -> int:
        """The position of the first record after `start`."""
        return bisect_right(self.ids, start)

    def expire(self, upto: int | None = None) -> None:
        """Forget the records up to an id (default: all); starting before it then answers 404."""
        self.current += 1 + random.randrange(40)
        limit = self.current if upto is None else upto
        cut = self.since(limit)
        del self.records[:cut]
        del self.ids[:cut]
        self.floor = max(self.floor, limit)
