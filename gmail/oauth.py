"""One POST of a form to Google's token or revocation endpoint (RFC 6749, RFC 7009)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from gmail.answers import classify
from gmail.config import GoogleConfig
from gmail.errors import MalformedAnswer, Unavailable
from gmail.transport import HttpLike

_HEADERS = {
    "content-type": "application/x-www-form-urlencoded",
    "accept": "application/json",
    "accept-encoding": "gzip",
}


def refresh(http: HttpLike, config: GoogleConfig, refresh_token: str, mailbox: str) -> dict[str, Any]:
    """What Google answers to a refresh token: an access token, and sometimes a new refresh token (RFC 6749, 6).

    Raises:
        GrantRefused: the grant is dead.
        GoogleError: as `post_form` says.
    """
    form = {
        "client_id": config.client_id,
        "client_secret": config.client_secret,
        "refresh_token": refresh_token,
        "grant_type": "refresh_token",
    }
    return post_form(http, config.token_uri, form, call="oauth.refresh", mailbox=mailbox)


def post_form(
    http: HttpLike, uri: str, form: dict[str, str], *, call: str, mailbox: str = ""
) -> dict[str, Any]:
    """The JSON object that the endpoint answers with; an empty one for an empty answer.

    Raises:
        GoogleError: as `gmail.answers` says; MalformedAnswer where a 2xx is not a JSON object.
    """
    try:
        response, content = http.request(uri, "POST", body=urlencode(form), headers=_HEADERS)
    except Unavailable as error:
        error.effect_unknown = False  # of the mailbox's call: that one waits for this token
        error.mailbox = mailbox
        raise
    if not 200 <= response.status < 300:
        raise classify(response.status, content, response, call=call, mailbox=mailbox)
    if not content.strip():
        return {}
    try:
        value = json.loads(content)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise MalformedAnswer(
            f"The answer to {call} is not a JSON object.", mailbox=mailbox, status=response.status
        )
    return value
