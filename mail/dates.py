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
_ZONE = re.compile(r"(?:\b(?:GMT|UTC?))?\s?([+-])(\d{1,2}):?(\d{2})(?=\s*(?:\(|\Z))")
_NAMED_ZONE = re.compile(r"\b(CES?T|EES?T|WES?T|MSK|JST|KST)\b")
_ZONES = {
    "WET": "+0000",
    "CET": "+0100",
    "WEST": "+0100",
    "CEST": "+0200",
    "EET": "+0200",
    "EEST": "+0300",
    "MSK": "+0300",
    "JST": "+0900",
    "KST": "+0900",
}
_HALF_DAY = re.compile(r"\b([AP])\.?M\b", re.IGNORECASE)
_MONTH = re.compile(r"(?<=\d)[ .-]{1,2}([^\W\d_]{3,10})[ .-]{1,3}(?=\d{4})")
_FOREIGN_MONTHS = {
    "mär": "Mar",
    "mrz": "Mar",
    "mai": "May",
    "okt": "Oct",
    "dez": "Dec",
    "fév": "Feb",
    "fev": "Feb",
    "avr": "Apr",
    "juin": "Jun",
    "juil": "Jul",
    "aoû": "Aug",
    "aou": "Aug",
    "déc": "Dec",
    "ene": "Jan",
    "abr": "Apr",
    "ago": "Aug",
    "dic": "Dec",
    "gen": "Jan",
    "mag": "May",
    "giu": "Jun",
    "lug": "Jul",
    "set": "Sep",
    "ott": "Oct",
    "out": "Oct",
    "mei": "May",
    "maj": "May",
    "mrt": "Mar",
}
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
        parsed = parsedate_tz(_as_usual(value))
        if parsed is None:
            return None
        year, month, day, hour, minute, second, *_, offset = parsed
        half = _HALF_DAY.search(value)
        if half is not None and 0 < hour <= 12:
            hour = hour % 12 + (12 if half[1] in "Pp" else 0)
        if 100 <= year < 200:
            # Years counted from 1900 (Perl and JavaScript of old).
            year += 1900
        return _utc(year, month, day, hour, minute, second, offset or 0)
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None


def _as_usual(value: str) -> str:
    """The date with its zone in digits, without a colon, its month in English, and no AM or PM."""
    value = _HALF_DAY.sub("", value)
    value = _NAMED_ZONE.sub(lambda found: _ZONES[found[1]], value)
    value = _ZONE.sub(lambda found: f" {found[1]}{found[2]:0>2}{found[3]}", value, count=1)
    return _MONTH.sub(_in_english, value, count=1)


def _in_english(found: re.Match[str]) -> str:
    word = found[1].lower()
    return f" {_FOREIGN_MONTHS.get(word[:4]) or _FOREIGN_MONTHS.get(word[:3]) or word[:3]} "


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
