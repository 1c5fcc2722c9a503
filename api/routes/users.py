"""Users of a location: the sales people whose mailboxes are connected."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from sqlmodel import Session

from api.context import Context, ContextOf
from api.fields import EmailIn, Name
from api.keys import LocationId
from api.lists import Listing, Paging
from api.once import Once
from api.problems import Problem, not_found
from crm import sessions, users
from models import User

router = APIRouter(tags=["Users"])


class NewUser(BaseModel):
    email: EmailIn
    name: Name = ""


class UserView(BaseModel):
    """A user; mail that carries `auto_bcc_address` is filed under them (S16)."""

    id: str
    email: str
    name: str
    auto_bcc_address: str
    active_account_id: str | None
    created_at: datetime

    @classmethod
    def of(cls, user: User, context: Context) -> Self:
        """The view of a row."""
        return cls(
            id=user.id,
            email=user.email,
            name=user.name,
            auto_bcc_address=users.auto_bcc_address(user, context.settings.auto_bcc_domain),
            active_account_id=user.active_account_id,
            created_at=user.created_at,
        )


class SessionAnswer(BaseModel):
    url: Annotated[str, Field(description="Opens the pages signed in as the user; once, within ten minutes.")]


def user_of(session: Session, location_id: str, user_id: str) -> User:
    """A user of the location.

    Raises:
        Problem: 404.
    """
    user = users.get(session, location_id, user_id)
    if user is None:
        raise not_found("user")
    return user


@router.post("/v1/users", status_code=201, response_model=UserView)
def create(body: NewUser, location_id: LocationId, context: ContextOf, once: Once) -> Response:
    """Make a user."""
    with context.database.session() as session:

        def work() -> UserView:
            try:
                return UserView.of(users.create(session, location_id, body.email, body.name), context)
            except users.UserExists:
                raise Problem(
                    409, "user-exists", f"A user with the address {body.email} is in this location already."
                ) from None

        return once.answer(session, body, 201, work)


@router.get("/v1/users")
def listing(location_id: LocationId, context: ContextOf, paging: Paging) -> Listing[UserView]:
    """The location's users."""
    with context.database.session() as session:
        page = users.listing(session, location_id, paging.limit, paging.cursor)
        return Listing.of(page.map(lambda rows: [UserView.of(user, context) for user in rows]))


@router.get("/v1/users/{user_id}")
def read(user_id: str, location_id: LocationId, context: ContextOf) -> UserView:
    """One user."""
    with context.database.session() as session:
        return UserView.of(user_of(session, location_id, user_id), context)


@router.post("/v1/users/{user_id}/session", status_code=201, response_model=SessionAnswer)
def open_session(user_id: str, location_id: LocationId, context: ContextOf, once: Once) -> Response:
    """A link that opens the pages signed in as this user, once, within ten minutes."""
    with context.database.session() as session:

        def work() -> SessionAnswer:
            token = sessions.new_link(session, user_of(session, location_id, user_id).id)
            return SessionAnswer(url=f"{context.settings.public_url}/session/{token}")

        return once.answer(session, None, 201, work)


@router.post("/v1/users/{user_id}/auto_bcc/rotate")
def rotate_auto_bcc(user_id: str, location_id: LocationId, context: ContextOf) -> UserView:
    """Give the user a new auto-BCC address; the old one is refused from now on."""
    with context.database.session() as session:
        user = user_of(session, location_id, user_id)
        users.rotate_auto_bcc(session, user)
        return UserView.of(user, context)
