"""Header fields that we write: encoded words, quoted names, file names, folding; no line break gets in."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from mail.message import Address

LINE_LENGTH = 76
# RFC 5322, 2.1.1, without the line end.
MAX_LINE_LENGTH = 998

_WORD_BYTES = 45
_BREAKS = re.compile("[\r\n\x00]")
_FIELD_NAME = re.compile(r"[!-9;-~]{1,76}\Z")
_PLAIN = re.compile(r"[\t -~]*\Z")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+\Z")
_LOCAL = re.compile(r"(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+|\"[ !#-\[\]-~]+\")\Z")
_DOMAIN = re.compile(
    r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?\.)*[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?\Z"
)
_LITERAL = re.compile(r"\[[A-Za-z0-9:.]+\]\Z")
_ID = re.compile(r"<[!-;=?-~]{1,996}>\Z")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class ComposeError(ValueError):
    """A mail cannot be written as asked; nothing was sent. The message says what is wrong and where."""


class HeaderInjectionError(ComposeError):
    """A header value holds a line break or NUL: it would start a header of its own."""


class AddressError(ComposeError):
    """An address cannot stand in a mail header."""


def checked(field: str, value: str) -> str:
    """The value, if it stays on its line."""
    if _BREAKS.search(value) is not None:
        raise HeaderInjectionError(f"{field} holds a line break or NUL character")
    return value


def text_field(name: str, value: str) -> str:
    """An unstructured field (Subject, X-...), folded, its line end included."""
    if _FIELD_NAME.match(name) is None:
        raise ComposeError("a header name holds characters that a header name cannot have")
    value = checked(name, value)
    if _is_plain(value):
        return _fold(name, value)
    return _join(name, _encoded_words(value, LINE_LENGTH - len(name) - 2))


def address_field(name: str, addresses: Iterable[Address]) -> str:
    """An address field, one mailbox a line; its line end included."""
    return _join(name, [*_with_commas([mailbox(name, address) for address in addresses])])


def mailbox(field: str, address: Address) -> str:
    """One address with its display name, as it stands in a header; raises `AddressError`."""
    email = checked_email(field, address.email)
    name = checked(f"name in {field}", address.name).strip()
    if not name:
        return email
    if _ATOMS.match(name) and "=?" not in name and "  " not in name:
        shown = name
    elif _PLAIN.match(name) and "=?" not in name and "\t" not in name:
        shown = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    else:
        shown = "\r\n ".join(_encoded_words(name, LINE_LENGTH - 10))
    separator = " " if len(shown) + len(email) < LINE_LENGTH - 4 else "\r\n "
    return f"{shown}{separator}<{email}>"


def checked_email(field: str, email: str) -> str:
    """The address in ASCII (an international domain as IDNA); raises `AddressError`."""
    checked(f"address in {field}", email)
    local, at, domain = email.strip().rpartition("@")
    if not at or _LOCAL.match(local) is None:
        raise AddressError(f"an address in {field} is not one that mail can be sent to")
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise AddressError(
                f"an address in {field} has a domain that does not exist in DNS form"
            ) from error
    if not (_DOMAIN.match(domain) or _LITERAL.match(domain)) or len(local) + len(domain) > 320:
        raise AddressError(f"an address in {field} is not one that mail can be sent to")
    return f"{local}@{domain}"


def ids_field(name: str, ids: Sequence[str]) -> str:
    """Message-ID, In-Reply-To or References, one id a line; ids that no header can hold are left out."""
    good = [identifier for identifier in ids if _ID.match(identifier)]
    return _join(name, good) if good else ""


def date_field(moment: datetime) -> str:
    """The Date field (RFC 5322, 3.3) in UTC."""
    moment = moment.astimezone(UTC)
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    return f"Date: {day}, {moment.day:02} {month} {moment.year:04} {moment:%H:%M:%S} +0000\r\n"


def parameter(name: str, value: str) -> str:
    """A parameter of a structured field, its semicolon in front; RFC 2231 where it is long or not ASCII."""
    value = checked(name, value)
    if _PLAIN.match(value) and "\t" not in value and "=?" not in value and len(value) <= 60:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f';\r\n {name}="{escaped}"'
    encoded = quote(value, safe="")
    pieces: list[str] = []
    while encoded:
        cut = 50
        while cut > 40 and "%" in encoded[cut - 2 : cut]:
            cut -= 1
        pieces.append(encoded[:cut])
        encoded = encoded[cut:]
    if len(pieces) == 1:
        return f";\r\n {name}*=UTF-8''{pieces[0]}"
    first, *rest = pieces
    lines = [f";\r\n {name}*0*=UTF-8''{first}"]
    lines.extend(f";\r\n {name}*{number}*={piece}" for number, piece in enumerate(rest, 1))
    return "".join(lines)


def _is_plain(value: str) -> bool:
    """Whether a value survives as it is: printable ASCII, no encoded word, no space that folding changes."""
    if (
        _PLAIN.match(value) is None
        or "=?" in value
        or "\t" in value
        or "  " in value
        or value != value.strip()
    ):
        return False
    return max(map(len, value.split(" "))) <= MAX_LINE_LENGTH - 100


def _fold(name: str, value: str) -> str:
    line = f"{name}:"
    lines: list[str] = []
    for word in value.split(" "):
        if len(line) + 1 + len(word) > LINE_LENGTH and line.strip() and not line.endswith(":"):
            lines.append(line)
            line = ""
        line += f" {word}"
    lines.append(line)
    return "\r\n".join(lines) + "\r\n"


def _join(name: str, pieces: Sequence[str]) -> str:
    return f"{name}: " + "\r\n ".join(pieces) + "\r\n"


def _with_commas(items: list[str]) -> Iterable[str]:
    for number, item in enumerate(items):
        yield item if number == len(items) - 1 else f"{item},"


def _encoded_words(value: str, first_room: int) -> list[str]:
    """RFC 2047 words of at most 75 characters, never cutting a character in two."""
    data = value.encode("utf-8", "replace")
    words: list[str] = []
    start = 0
    room = max(12, min(_WORD_BYTES, (first_room - 12) // 4 * 3))
    while start < len(data):
        end = min(len(data), start + room)
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        words.append(f"=?utf-8?B?{base64.b64encode(data[start:end]).decode('ascii')}?=")
        start, room = end, _WORD_BYTES
    return words
