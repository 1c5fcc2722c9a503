"""The Date field, from any of the forms that senders use, as an aware UTC time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_tz

MAX_DATE_LENGTH = 120

_MONTHS = {
    name: number
    for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)  # noqa: SIM905
}
# RFC 5322, 3.3, as nearly every mail has it.
_USUAL = re.compile(
    r"(?:[A-Za-z]{3}, )?(\d{1,2}) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (\d{4})"
    r" (\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})(?: \([A-Za-z0-9 +:-]{1,40}\))?\Z"
)
_ISO = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?"
)
_DIGITS_DATE = re.compile(r"\d")


def read_date(value: str | None) -> datetime | None:
    """The instant that a Date field names, in UTC; None where it names none that a calendar has.

    A missing or unknown zone counts as UTC, a second of 60 as 59, a zone beyond 24 hours as UTC.
    """
    if not value or len(value) > 10 * MAX_DATE_LENGTH:
        return None
    value = value.strip()[:MAX_DATE_LENGTH]
    if _DIGITS_DATE.search(value) is None:
        return None
    try:
        usual = _USUAL.match(value)
        if usual is not None:
            return _from_usual(usual)
        iso = _ISO.match(value)
        if iso is not None:
            return _from_iso(iso)
        parsed = parsedate_tz(value)
        if parsed is None:
            return None
        year, month, day, hour, minute, second, *_, offset = parsed
        return _utc(year, month, day, hour, minute, second, offset or 0)
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None


def _from_usual(match: re.Match[str]) -> datetime:
    day, month, year, hour, minute, second, sign, zone_hour, zone_minute = match.groups()
    offset = int(zone_hour) * 3600 + int(zone_minute) * 60
    if sign == "-":
        offset = -offset
    return _utc(int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second), offset)


def _from_iso(match: re.Match[str]) -> datetime:
    year, month, day, hour, minute, second = (int(group or 0) for group in match.groups()[:6])
    zone = match[7]
    offset = 0
    if zone and zone != "Z":
        sign = -1 if zone[0] == "-" else 1
        offset = sign * (int(zone[1:3]) * 3600 + int(zone[-2:]) * 60)
    return _utc(year, month, day, hour, minute, second, offset)


def _utc(year: int, month: int, day: int, hour: int, minute: int, second: int, offset: int) -> datetime:
    if abs(offset) >= 86_400:
        offset = 0
    local = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    return local - timedelta(seconds=offset) if offset else local
