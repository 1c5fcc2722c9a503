"""Field types of requests."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parseaddr
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, StringConstraints

_ADDRESS = re.compile(r"[^@\s<>(),;:\"\[\]\\]+@[^@\s<>(),;:\"\[\]\\]+")
_LONGEST_ADDRESS = 320


def _storable(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not hold the character NUL")
    if not is_text(value):
        raise ValueError("must not hold half a character (a lone surrogate)")
    return value


def is_text(value: str) -> bool:
    """Whether it can be written as UTF-8: JSON can name halves of characters (`\\ud800`), nothing can keep them."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _one_line(value: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise ValueError("must be one line of plain text")
    return value


def _address(value: str) -> str:
    value = value.strip()
    if len(value) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(value) or not is_text(value):
        raise ValueError("is not an e-mail address such as ann@example.com")
    return value


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is no moment between the years 1 and 9999 in UTC") from None


Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A moment with its zone; UTC from here on."""
Text = Annotated[str, AfterValidator(_storable)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000), AfterValidator(_one_line)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300), AfterValidator(_one_line)]
Email = Annotated[str, AfterValidator(_address)]


class Address(BaseModel):
    """An address in a request: `{email, name?}`, or a plain string."""

    email: Email
    name: Name = ""


def _as_address(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    name, email = parseaddr(value) if "<" in value else ("", value)
    return {"email": email, "name": name}


def _as_email(value: Any) -> Any:
    return value.get("email") if isinstance(value, dict) else value


AddressIn = Annotated[Address, BeforeValidator(_as_address, json_schema_input_type=Address | str)]
EmailIn = Annotated[Email, BeforeValidator(_as_email, json_schema_input_type=Address | str)]
"""Where only the address counts."""
