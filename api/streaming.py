"""Server-sent events of a location: what was missed first, then each event as it is committed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse

from api.context import Context
from api.problems import Problem
from crm import events, rendering

KEEP_ALIVE_S = 15.0
"""A comment this often keeps proxies from closing a quiet stream."""
BATCH = 100


async def event_stream(context: Context, request: Request, location_id: str) -> StreamingResponse:
    """The stream; begins after `Last-Event-ID`, or with what comes from now on.

    Raises:
        Problem: 422, the id is none of ours.
    """
    asked = request.headers.get("last-event-id") or request.query_params.get("last_event_id")
    if asked is not None and not (asked.isascii() and asked.isdigit() and len(asked) <= 18):
        raise Problem(422, "invalid-request", "Last-Event-ID is not the id of an event of this stream.")

    def newest() -> int:
        with context.database.session() as session:
            return events.newest_seq(session, location_id)

    seq = int(asked) if asked is not None else await run_in_threadpool(newest)
    return StreamingResponse(
        _lines(context, location_id, seq),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _lines(context: Context, location_id: str, seq: int) -> AsyncIterator[str]:
    yield ": events follow\n\n"
    async with context.feed.subscribed(location_id) as news:
        while True:
            news.clear()
            while documents := await run_in_threadpool(_after, context, location_id, seq):
                seq = int(documents[-1]["id"])
                yield "".join(_line(document) for document in documents)
            try:
                async with asyncio.timeout(KEEP_ALIVE_S):
                    await news.wait()
            except TimeoutError:
                yield ": still here\n\n"


def _after(context: Context, location_id: str, seq: int) -> list[dict[str, Any]]:
    with context.database.session() as session:
        found = events.after(session, location_id, seq, BATCH)
        return rendering.documents(session, found, context.limits) if found else []


def _line(document: dict[str, Any]) -> str:
    data = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return f"id: {document['id']}\nevent: {document['type']}\ndata: {data}\n\n"
