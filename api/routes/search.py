"""Search over messages and contacts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.context import ContextOf
from api.keys import LocationId
from api.lists import Listing, Paging
from crm import search
from crm.search import Found

router = APIRouter(tags=["Search"])


@router.get("/v1/search")
def find(
    q: Annotated[str, Query(min_length=1, max_length=500, description='Words; "a phrase"; -not; or.')],
    location_id: LocationId,
    context: ContextOf,
    paging: Paging,
) -> Listing[Found]:
    """Contacts by name or address, then messages by their words, newest first."""
    with context.database.session() as session:
        return Listing.of(search.find(session, location_id, q, paging.limit, paging.cursor))
