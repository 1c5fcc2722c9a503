"""Lists as the contract has them: `?limit=&cursor=` and `{"items": [...], "next_cursor": ...}`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel

from crm.paging import DEFAULT_LIMIT, LARGEST_LIMIT, Page

T = TypeVar("T")


class Listing(BaseModel, Generic[T]):
    """A page of a list; `next_cursor` is null on the last one."""

    items: list[T]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[T]) -> Listing[T]:
        """The answer for a page."""
        return cls(items=page.items, next_cursor=page.next_cursor)


@dataclass(frozen=True, slots=True)
class _Paging:
    limit: int
    cursor: str | None


def _paging(
    limit: Annotated[int, Query(ge=1, le=LARGEST_LIMIT)] = DEFAULT_LIMIT,
    cursor: Annotated[
        str | None, Query(max_length=1000, description="`next_cursor` of the page before.")
    ] = None,
) -> _Paging:
    return _Paging(limit, cursor)


Paging = Annotated[_Paging, Depends(_paging)]
