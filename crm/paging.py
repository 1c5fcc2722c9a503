"""Lists in pages: an opaque cursor names the last row seen, so that rows that come or go disturb nobody."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
Position = tuple[str | int | datetime, ...]

DEFAULT_LIMIT = 50
LARGEST_LIMIT = 200


class BadCursor(ValueError):
    """A cursor that this list did not give."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, and where to go on; `next_cursor` is None on the last page."""

    items: list[T]
    next_cursor: str | None = None

    def map(self, change: Callable[[list[T]], list[R]]) -> Page[R]:
        """The same page of other items, made of these together."""
        return Page(change(self.items), self.next_cursor)


def cursor_of(listing: str, position: Position) -> str:
    """The cursor that goes on after `position` in the list named `listing`."""
    values = [value.isoformat() if isinstance(value, datetime) else value for value in position]
    text = json.dumps([listing, *values], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def position_of(listing: str, cursor: str | None, *kinds: type[str | int | datetime]) -> Position | None:
    """The position that a cursor names; None for no cursor.

    Raises:
        BadCursor: it is of another list, or was never a cursor.
    """
    if not cursor:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        tag, *values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if tag != listing or len(values) != len(kinds):
            raise BadCursor("the cursor belongs to another list")
        return tuple(_value(value, kind) for value, kind in zip(values, kinds, strict=True))
    except BadCursor:
        raise
    except (ValueError, TypeError, binascii.Error):
        raise BadCursor("the cursor was not given by this list") from None


def _value(value: object, kind: type[str | int | datetime]) -> str | int | datetime:
    if kind is datetime and isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return moment
    if kind is int and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return value
    if kind is str and isinstance(value, str) and "\0" not in value:
        return value
    raise BadCursor("the cursor was not given by this list")


def page_of(rows: Sequence[T], limit: int, listing: str, position: Callable[[T], Position]) -> Page[T]:
    """A page out of at most `limit + 1` rows: the row too many only tells that there are more."""
    items = list(rows[:limit])
    more = len(rows) > limit
    return Page(items, cursor_of(listing, position(items[-1])) if more and items else None)
