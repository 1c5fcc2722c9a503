"""Campaigns and the list of those who get none: bulk mail through the location's SMTP provider (S25)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Self

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlmodel import Session

from api.context import Context, ContextOf
from api.fields import AddressIn, EmailIn, Line, Text
from api.keys import LocationId
from api.lists import Listing, Paging
from api.once import Once
from api.problems import Problem, invalid, not_found
from api.routes.users import user_of
from crm import campaigns, suppressions
from crm.campaigns import CampaignView, NewCampaign, NotPossible, RecipientView, UnknownContact
from crm.suppressions import SuppressionView
from models import Campaign
from models.states import RecipientState

router = APIRouter(tags=["Campaigns"])
MOST_RECIPIENTS = 100_000


class CampaignIn(BaseModel):
    """One mail to many contacts, each addressed alone."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    user_id: str
    subject: Annotated[Line, Field(min_length=1)]
    html: Text | None = None
    text: Text | None = None
    contact_ids: list[str] = Field(min_length=1, max_length=MOST_RECIPIENTS)
    from_: AddressIn | None = Field(
        None,
        alias="from",
        description="Else the contact's assigned user, then the location's own address, or this user's.",
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.html or self.text):
            raise ValueError("`html` or `text` is needed")
        return self


class SuppressionIn(BaseModel):
    email: EmailIn


@router.post("/v1/campaigns", status_code=202, response_model=CampaignView)
def create(body: CampaignIn, location_id: LocationId, context: ContextOf, once: Once) -> Response:
    """Mail these contacts, each once. Who cannot be mailed is shown as failed or suppressed at once."""
    with context.database.session() as session:
        answer = once.answer(session, body, 202, lambda: _made(session, location_id, body))
    # Also for a repeated request: the first one may have ended between its commit and this.
    _let_run(context, CampaignView.model_validate_json(bytes(answer.body)).id)
    return answer


def _made(session: Session, location_id: str, body: CampaignIn) -> CampaignView:
    new = NewCampaign(
        subject=body.subject,
        contact_ids=body.contact_ids,
        html=body.html,
        text=body.text,
        from_email=body.from_.email if body.from_ else "",
        from_name=body.from_.name if body.from_ else "",
    )
    try:
        campaign = campaigns.create(session, user_of(session, location_id, body.user_id), new)
    except UnknownContact as error:
        raise invalid(f"#/contact_ids/{error.position}", str(error)) from None
    return campaigns.views(session, [campaign])[0]


def _let_run(context: Context, campaign_id: str) -> None:
    """Start or wake its workflow. The campaign is safe already, so a Temporal that is away delays it only."""
    context.tell_or_leave(context.commands.run_campaign(campaign_id), "run_campaign", campaign_id)


def _campaign(session: Session, location_id: str, campaign_id: str) -> Campaign:
    campaign = campaigns.get(session, location_id, campaign_id)
    if campaign is None:
        raise not_found("campaign")
    return campaign


@router.get("/v1/campaigns")
def listing(location_id: LocationId, context: ContextOf, paging: Paging) -> Listing[CampaignView]:
    """The location's campaigns, newest first."""
    with context.database.session() as session:
        page = campaigns.listing(session, location_id, paging.limit, paging.cursor)
        return Listing.of(page.map(lambda rows: campaigns.views(session, rows)))


@router.get("/v1/campaigns/{campaign_id}")
def read(campaign_id: str, location_id: LocationId, context: ContextOf) -> CampaignView:
    """How far a campaign is."""
    with context.database.session() as session:
        return campaigns.views(session, [_campaign(session, location_id, campaign_id)])[0]


@router.get("/v1/campaigns/{campaign_id}/recipients")
def recipients(
    campaign_id: str,
    location_id: LocationId,
    context: ContextOf,
    paging: Paging,
    state: Annotated[RecipientState | None, Query()] = None,
) -> Listing[RecipientView]:
    """What became of each recipient."""
    with context.database.session() as session:
        _campaign(session, location_id, campaign_id)
        page = campaigns.recipients(session, campaign_id, paging.limit, paging.cursor, state=state)
        return Listing.of(page.map(lambda rows: [campaigns.recipient_view(row) for row in rows]))


def _changed(
    context: Context, location_id: str, campaign_id: str, change: Callable[[Session, Campaign], None]
) -> CampaignView:
    with context.database.session() as session:
        campaign = _campaign(session, location_id, campaign_id)
        try:
            change(session, campaign)
        except NotPossible as error:
            raise Problem(409, "not-possible", f"{str(error).capitalize()}.") from None
        session.flush()
        view = campaigns.views(session, [campaign])[0]
    _let_run(context, campaign_id)
    return view


@router.post("/v1/campaigns/{campaign_id}/pause", status_code=202)
def pause(campaign_id: str, location_id: LocationId, context: ContextOf) -> CampaignView:
    """Begin no more mail until it is resumed; 409 once it has ended."""
    return _changed(context, location_id, campaign_id, campaigns.pause)


@router.post("/v1/campaigns/{campaign_id}/resume", status_code=202)
def resume(campaign_id: str, location_id: LocationId, context: ContextOf) -> CampaignView:
    """Go on with those who are pending; 409 once it has ended."""
    return _changed(context, location_id, campaign_id, campaigns.resume)


@router.post("/v1/campaigns/{campaign_id}/cancel", status_code=202)
def cancel(campaign_id: str, location_id: LocationId, context: ContextOf) -> CampaignView:
    """Begin no more mail, for good; 409 once it is done."""
    return _changed(context, location_id, campaign_id, campaigns.cancel)


@router.get("/v1/suppressions")
def suppressed(location_id: LocationId, context: ContextOf, paging: Paging) -> Listing[SuppressionView]:
    """Addresses that get no bulk mail: who unsubscribed, what does not exist, and what was added."""
    with context.database.session() as session:
        page = suppressions.listing(session, location_id, paging.limit, paging.cursor)
        return Listing.of(page.map(lambda rows: [suppressions.view(row) for row in rows]))


@router.post("/v1/suppressions", status_code=204)
def suppress(body: SuppressionIn, location_id: LocationId, context: ContextOf) -> None:
    """Send an address no bulk mail any more; also takes effect on campaigns that run."""
    with context.database.session() as session:
        suppressions.add(session, location_id, body.email, suppressions.BY_HAND)


@router.delete("/v1/suppressions/{email}", status_code=204)
def unsuppress(email: str, location_id: LocationId, context: ContextOf) -> None:
    """Take an address off the list, since its owner asked for that."""
    with context.database.session() as session:
        if not suppressions.remove(session, location_id, email):
            raise not_found("suppressed address")
