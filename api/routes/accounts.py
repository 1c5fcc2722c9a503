"""Connected Gmail accounts: connect, look, sync, reauthorise, switch, disconnect."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel
from sqlmodel import Session

from api import grants
from api.context import Context, ContextOf
from api.keys import LocationId
from api.lists import Listing, Paging
from api.once import Once
from api.problems import Problem, not_found
from api.routes.consent import AuthorizationAnswer, ask_for_consent, await_release, checked_return_url
from api.routes.users import user_of
from crm import account_views, accounts, connections, consents, decisions, timeline
from crm.account_views import AccountView
from crm.consents import Purpose
from crm.decisions import DecisionView
from crm.timeline import TimelineView
from models import Account
from models.states import AccountState, Outcome
from workflows.commands import WorkflowsUnavailable

router = APIRouter(tags=["Accounts"])


class ConnectRequest(BaseModel):
    user_id: str
    return_url: str | None = None


class ReauthorizeRequest(BaseModel):
    return_url: str | None = None


class SwitchRequest(BaseModel):
    """`account_id` of a paused account, or nothing for a new address."""

    account_id: str | None = None
    return_url: str | None = None


def account_of(session: Session, location_id: str, account_id: str) -> Account:
    """An account of the location.

    Raises:
        Problem: 404.
    """
    account = account_views.get(session, location_id, account_id)
    if account is None:
        raise not_found("account")
    return account


@router.post("/v1/accounts/connect", response_model=AuthorizationAnswer)
def connect(body: ConnectRequest, location_id: LocationId, context: ContextOf, once: Once) -> Response:
    """Begin to connect a user's Gmail: send the user's browser to `authorization_url`."""
    return_url = checked_return_url(context, body.return_url)
    with context.database.session() as session:
        user_id = user_of(session, location_id, body.user_id).id
    await_release(context, user_id)
    with context.database.session() as session:

        def work() -> AuthorizationAnswer:
            user = user_of(session, location_id, user_id)
            if user.active_account_id is not None:
                raise Problem(
                    409,
                    "already-connected",
                    "The user has a connected account. To move to another address use "
                    f"POST /v1/users/{user.id}/switch; to renew the consent of this one, reauthorize.",
                    account_id=user.active_account_id,
                )
            return ask_for_consent(context, session, user, Purpose.CONNECT, return_url=return_url)

        return once.answer(session, body, 200, work)


@router.get("/v1/accounts")
def listing(
    location_id: LocationId,
    context: ContextOf,
    paging: Paging,
    user_id: Annotated[str | None, Query(max_length=100)] = None,
) -> Listing[AccountView]:
    """The location's accounts."""
    with context.database.session() as session:
        page = account_views.listing(session, location_id, paging.limit, paging.cursor, user_id=user_id)
        return Listing.of(page.map(lambda rows: account_views.views(session, rows, context.limits)))


@router.get("/v1/accounts/{account_id}")
def read(account_id: str, location_id: LocationId, context: ContextOf) -> AccountView:
    """One account: its state, why, and what happens next."""
    with context.database.session() as session:
        account = account_of(session, location_id, account_id)
        return account_views.views(session, [account], context.limits)[0]


@router.post("/v1/accounts/{account_id}/sync", status_code=202)
def sync(account_id: str, location_id: LocationId, context: ContextOf) -> AccountView:
    """Look now, and check completeness within 60 s."""
    with context.database.session() as session:
        account = account_of(session, location_id, account_id)
        answer = account_views.views(session, [account], context.limits)[0]
    if answer.state != AccountState.DISCONNECTED:
        context.tell(context.commands.sync_now(account_id))
    return answer


@router.post("/v1/accounts/{account_id}/reauthorize")
def reauthorize(
    account_id: str, location_id: LocationId, context: ContextOf, body: ReauthorizeRequest | None = None
) -> AuthorizationAnswer:
    """Ask for consent again, with the same address (S6)."""
    with context.database.session() as session:
        account = account_of(session, location_id, account_id)
        return begin_reauthorize(context, session, account, body.return_url if body else None)


def begin_reauthorize(
    context: Context, session: Session, account: Account, return_url: str | None
) -> AuthorizationAnswer:
    """Ask for consent again for an account.

    Raises:
        Problem: 409, it is disconnected.
    """
    if account.state == AccountState.DISCONNECTED or account.disconnect_asked_at is not None:
        raise Problem(
            409,
            "disconnected",
            "This account is disconnected. Connect it again with POST /v1/accounts/connect; "
            "mail that came meanwhile is not fetched.",
        )
    return ask_for_consent(
        context,
        session,
        user_of(session, account.location_id, account.user_id),
        Purpose.REAUTHORIZE,
        account_id=account.id,
        login_hint=account.email,
        return_url=checked_return_url(context, return_url),
    )


@router.post("/v1/accounts/{account_id}/disconnect", status_code=202)
def disconnect(account_id: str, location_id: LocationId, context: ContextOf) -> AccountView:
    """Stop sync both ways and forget the credentials; what is synced stays (S5)."""
    with context.database.session() as session:
        account_of(session, location_id, account_id)
    return begin_disconnect(context, account_id)


def begin_disconnect(context: Context, account_id: str) -> AccountView:
    """Pass on the wish to disconnect; of an account that is disconnected already nothing changes.

    Raises:
        WorkflowsUnavailable: nothing was changed.
    """
    with context.database.session() as session:
        account = accounts.locked(session, account_id)
        if account is None:
            raise not_found("account")
        wanted = account.state != AccountState.DISCONNECTED
        if wanted:
            connections.ask_to_disconnect(session, account)
        answer = account_views.views(session, [account], context.limits)[0]
    if not wanted:
        return answer
    try:
        context.tell(context.commands.disconnect(account_id))
    except WorkflowsUnavailable:
        with context.database.session() as session:
            account = accounts.locked(session, account_id)
            if account is not None:
                connections.take_back_disconnect(session, account)
        raise
    return answer


@router.post("/v1/users/{user_id}/switch", responses={202: {"model": AccountView}})
def switch(
    user_id: str,
    location_id: LocationId,
    context: ContextOf,
    response: Response,
    body: SwitchRequest | None = None,
) -> AuthorizationAnswer | AccountView:
    """Move to another Gmail address without disconnecting (S4): a paused one, or a new one by consent."""
    account_id = body.account_id if body else None
    return_url = checked_return_url(context, body.return_url if body else None)
    if account_id is None:
        with context.database.session() as session:
            user_of(session, location_id, user_id)
        await_release(context, user_id)
        with context.database.session() as session:
            user = user_of(session, location_id, user_id)
            return ask_for_consent(context, session, user, Purpose.SWITCH, return_url=return_url)
    response.status_code = 202
    return begin_switch(context, location_id, user_id, account_id)


def begin_switch(context: Context, location_id: str, user_id: str, account_id: str) -> AccountView:
    """Switch to a paused account of the user; to the active one nothing changes, and a switch under way ends.

    Raises:
        Problem: 404; 409 where its grant is dead or it is disconnected.
        WorkflowsUnavailable: nothing was changed.
    """
    with context.database.session() as session:
        user = user_of(session, location_id, user_id)
        account = account_of(session, location_id, account_id)
        if account.user_id != user.id:
            raise not_found("account of this user")
        answer = account_views.views(session, [account], context.limits)[0]
    if user.active_account_id == account.id:
        context.tell(context.commands.stay(user_id, account_id))
        _forget_earlier_switches(context, user_id)
        return answer
    is_dead = (
        account.state in (AccountState.REAUTHORIZATION_REQUIRED, AccountState.DISCONNECTED)
        or account.refresh_token_encrypted is None
    )
    if not is_dead and not grants.is_alive(context, account):
        grants.note_dead(context, account.id)
        is_dead = True
    if is_dead:
        raise Problem(
            409,
            "reauthorization-required",
            f"Google no longer accepts the consent for {account.email}. Switch with an empty body and give "
            "consent for this address again.",
            account_id=account.id,
        )
    context.tell(context.commands.switch(user_id, account_id))
    _forget_earlier_switches(context, user_id)
    return answer


def _forget_earlier_switches(context: Context, user_id: str) -> None:
    """A switch that was consented to while Temporal was away is not the last wish any more."""
    with context.database.session() as session:
        consents.forget_switches(session, user_id)


@router.get("/v1/accounts/{account_id}/timeline")
def list_timeline(
    account_id: str, location_id: LocationId, context: ContextOf, paging: Paging
) -> Listing[TimelineView]:
    """Every state change, sync, gap and retry, newest first, and before them the next planned step (S30).

    Syncs that follow each other within an hour are one entry, as are retries.
    """
    with context.database.session() as session:
        account = account_of(session, location_id, account_id)
        plan = timeline.plan(account)
        return Listing.of(timeline.listing(session, account.id, paging.limit, paging.cursor, plan=plan))


@router.get("/v1/accounts/{account_id}/decisions")
def list_decisions(
    account_id: str,
    location_id: LocationId,
    context: ContextOf,
    paging: Paging,
    gmail_id: Annotated[str | None, Query(max_length=100)] = None,
    outcome: Outcome | None = None,
) -> Listing[DecisionView]:
    """What was decided of each Gmail id and by which rule (S28), newest first."""
    with context.database.session() as session:
        account = account_of(session, location_id, account_id)
        return Listing.of(
            decisions.listing(
                session,
                account.id,
                paging.limit,
                paging.cursor,
                gmail_id=gmail_id,
                outcome=outcome,
            )
        )
