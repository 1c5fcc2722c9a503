"""The location's events as they happen."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse

from api.context import ContextOf
from api.keys import LocationId
from api.streaming import event_stream

router = APIRouter(tags=["Events"])


@router.get(
    "/v1/events",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "Server-sent events, without end."}
    },
)
async def stream(request: Request, location_id: LocationId, context: ContextOf) -> StreamingResponse:
    """Server-sent events `{id, type, at, data}`; resumable with `Last-Event-ID`."""
    return await event_stream(context, request, location_id)
