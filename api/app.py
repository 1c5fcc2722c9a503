"""The HTTP application: routes, errors, limits, and what lives as long as the process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from api import problems
from api.bodies import BodyLimit
from api.context import Context
from api.pages import (
    account_pages,
    compose_pages,
    contact_pages,
    conversation_pages,
    reference,
    review_pages,
    settings_page,
    signing_in,
)
from api.pages.rendering import STATIC, problem_page
from api.problems import ProblemDocument
from api.pulling import Puller
from api.routes import (
    accounts,
    campaigns,
    consent,
    contacts,
    conversations,
    events,
    gmail_push,
    health,
    locations,
    messages,
    privacy,
    reviews,
    search,
    tracking,
    unsubscribe,
    users,
    webhook_endpoints,
)
from api.webhook_wakeup import WebhookWakeup
from settings import Settings

DESCRIPTION = """
Two-way sync between a CRM and its users' Gmail.

* `Authorization: Bearer KEY`; a location's key sees that location alone, everything of another answers 404.
* Errors are problem documents (RFC 9457). Lists are `{"items": [...], "next_cursor": ...}` with `?limit=&cursor=`.
* POSTs that create take `Idempotency-Key`: the same key and body get the first answer again.
* In requests an address is `{email, name?}` or a plain string. Rules are named as in `S12`.
"""
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemDocument, "description": text}
    for status, text in {
        401: "No or an unknown API key",
        404: "Not in this location",
        422: "The request is wrong; `errors` says where",
        503: "Something that is needed is away; try again",
    }.items()
}


def create_app(settings: Settings) -> FastAPI:
    """The application over these settings. It starts while PostgreSQL and Temporal are away."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        context = await Context.build(settings)
        known = gmail_push.KnownMailboxes()
        app.state.context, app.state.known_mailboxes = context, known
        context.feed.on_account(known.forget)
        wakeup = WebhookWakeup(context)
        wakeup.start()
        context.feed.start()
        puller = Puller(context.google, lambda hint: gmail_push.hand_on(context, known, hint))
        puller.start()
        try:
            yield
        finally:
            puller.close()
            await wakeup.close()
            await context.close()

    app = FastAPI(
        title="Gmail two-way sync",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(BodyLimit)
    problems.install(app, problem_page)
    for module in (
        locations,
        users,
        contacts,
        accounts,
        conversations,
        messages,
        campaigns,
        privacy,
        reviews,
        search,
        webhook_endpoints,
        events,
    ):
        app.include_router(module.router, responses=_ERRORS)
    for open_module in (consent, gmail_push, health, tracking, unsubscribe):
        app.include_router(open_module.router)
    for page_module in (
        signing_in,
        settings_page,
        conversation_pages,
        compose_pages,
        contact_pages,
        account_pages,
        review_pages,
        reference,
    ):
        app.include_router(page_module.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app
