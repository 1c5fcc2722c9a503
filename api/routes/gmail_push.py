"""Gmail's pushes through Cloud Pub/Sub: verified, and handed on as hints."""

from __future__ import annotations

import asyncio
import time

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from prometheus_client import Counter

from api.context import Context, ContextOf, within_deadline
from api.problems import Problem, unavailable
from crm import accounts
from gmail.keys import CertsUnavailable
from gmail.push import PushHint, PushRefused, bearer, parse_push
from models.states import AccountState

log = structlog.get_logger()
router = APIRouter(tags=["Gmail"])

KNOWN_FOR_S = 10.0
"""How long the accounts of a mailbox are remembered; every change of an account's state forgets them at once."""
_DEAF = frozenset({AccountState.PAUSED, AccountState.DISCONNECTED})
_pushes = Counter("gmail_pushes", "Pushes received, by what became of them", ["outcome"])


class KnownMailboxes:
    """Which accounts listen to a mailbox, remembered briefly so that a push costs no query."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._forgotten = 0

    def forget(self) -> None:
        """An account has changed: ask the database again."""
        self._known.clear()
        self._forgotten += 1

    async def accounts(self, context: Context, email: str) -> tuple[str, ...]:
        """Ids of the accounts that collect from a mailbox; several users may have connected it."""
        until, ids = self._known.get(email, (0.0, ()))
        if until > time.monotonic():
            return ids
        before = self._forgotten
        ids = await run_in_threadpool(self._ask, context, email)
        if ids and before == self._forgotten:
            self._known[email] = (time.monotonic() + KNOWN_FOR_S, ids)
        return ids

    @staticmethod
    def _ask(context: Context, email: str) -> tuple[str, ...]:
        with context.database.session() as session:
            found = accounts.accounts_of_mailbox(session, email_key=email)
            return tuple(account.id for account in found if account.state not in _DEAF)


@router.post(
    "/webhooks/gmail",
    status_code=204,
    response_class=Response,
    responses={
        401: {"description": "Missing or forged token"},
        403: {"description": "Wrong audience or sender"},
    },
)
async def push(request: Request, context: ContextOf) -> Response:
    """A push of Gmail. 204 once the hint is safe with Temporal, so Pub/Sub need not come again."""
    await _verify(context, bearer(request.headers.get("authorization")))
    hint = parse_push(await request.body())
    if hint is None:
        _pushes.labels("senseless").inc()
        return Response(status_code=204)
    await hand_on(context, request.app.state.known_mailboxes, hint)
    return Response(status_code=204)


async def hand_on(context: Context, known: KnownMailboxes, hint: PushHint) -> None:
    """Wake each account of the mailbox.

    Raises:
        WorkflowsUnavailable: the hint is not safe; it should come again.
    """
    account_ids = await known.accounts(context, hint.email)
    await asyncio.gather(
        *(
            within_deadline(context.commands.gmail_changed(account_id, hint.history_id))
            for account_id in account_ids
        )
    )
    _pushes.labels("handed_on" if account_ids else "unknown_mailbox").inc()


async def _verify(context: Context, token: str | None) -> None:
    try:
        await run_in_threadpool(context.push.verify, token)
    except PushRefused as refused:
        _pushes.labels("refused").inc()
        log.info("push_refused", cause=type(refused).__name__)
        headers = {"WWW-Authenticate": "Bearer"} if refused.answer == 401 else None
        slug = "unauthorized" if refused.answer == 401 else "forbidden"
        raise Problem(refused.answer, slug, refused.what, headers=headers) from None
    except CertsUnavailable:
        raise unavailable("Google's keys cannot be fetched, so the push cannot be verified.") from None
