"""Who is calling: a location's key sees that location alone; the admin's key makes locations."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.context import Context, ContextOf
from api.problems import Problem
from crm import locations

_bearer = HTTPBearer(auto_error=False, description="A location's API key, or the admin's.")
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling; `location_id` is None for the admin."""

    location_id: str | None

    @property
    def scope(self) -> str:
        """Whose idempotency keys are used."""
        return self.location_id or "admin"


def _unauthorized(detail: str) -> Problem:
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})


def identify(context: Context, api_key: str) -> Caller | None:
    """The caller that a key stands for."""
    admin_key = context.settings.admin_api_key.get_secret_value()
    if admin_key and hmac.compare_digest(api_key.encode(), admin_key.encode()):
        return Caller(None)
    with context.database.session() as session:
        location = locations.of_key(session, api_key)
    return Caller(location.id) if location else None


def any_caller(context: ContextOf, credentials: _Credentials) -> Caller:
    """A caller with a good key."""
    if credentials is None or not credentials.credentials:
        raise _unauthorized("Send the API key as `Authorization: Bearer KEY`.")
    caller = identify(context, credentials.credentials)
    if caller is None:
        raise _unauthorized("This API key is not known. Keys are shown once, when a location is created.")
    return caller


AnyCaller = Annotated[Caller, Depends(any_caller)]


def _admin(caller: AnyCaller) -> Caller:
    if caller.location_id is not None:
        raise Problem(403, "forbidden", "Only the admin's key (ADMIN_API_KEY) does this.")
    return caller


def _location(caller: AnyCaller) -> str:
    if caller.location_id is None:
        raise Problem(
            403, "forbidden", "Use the key of the location: the admin's key sees no location's data."
        )
    return caller.location_id


AdminCaller = Annotated[Caller, Depends(_admin)]
LocationId = Annotated[str, Depends(_location)]
"""The location whose key was sent."""
