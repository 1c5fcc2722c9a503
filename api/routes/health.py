"""Liveness, readiness with each dependency's state, and figures for Prometheus."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response
from fastapi.concurrency import run_in_threadpool
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from api.context import Context, ContextOf

router = APIRouter(tags=["Health"])
DEADLINE_S = 3.0


class Dependency(BaseModel):
    ok: bool
    detail: str


class Readiness(BaseModel):
    ready: bool
    dependencies: dict[str, Dependency]


@router.get("/healthz")
async def live() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"model": Readiness}})
async def ready(context: ContextOf, response: Response) -> Readiness:
    """Whether requests can be served, and what each dependency says; 503 where one is away."""
    database, temporal = await asyncio.gather(_database(context), _temporal(context))
    dependencies = {"database": database, "temporal": temporal}
    is_ready = all(dependency.ok for dependency in dependencies.values())
    response.status_code = 200 if is_ready else 503
    return Readiness(ready=is_ready, dependencies=dependencies)


@router.get("/metrics")
def metrics() -> Response:
    """Figures for Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _database(context: Context) -> Dependency:
    def ask() -> None:
        with context.database.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    try:
        async with asyncio.timeout(DEADLINE_S):
            await run_in_threadpool(ask)
    except TimeoutError:
        return Dependency(ok=False, detail="PostgreSQL does not answer in time; check DATABASE_URL")
    except SQLAlchemyError as error:
        return Dependency(ok=False, detail=f"PostgreSQL: {type(error).__name__}; check DATABASE_URL")
    return Dependency(ok=True, detail="PostgreSQL answers")


async def _temporal(context: Context) -> Dependency:
    try:
        async with asyncio.timeout(DEADLINE_S):
            if await context.commands.healthy():
                return Dependency(ok=True, detail="Temporal answers")
    except (TimeoutError, OSError, RuntimeError):
        pass
    return Dependency(ok=False, detail="Temporal does not answer; check TEMPORAL_ADDRESS")
