"""Opens and clicks of what we sent (S24): off until a location switches them on.

The html of a mail gets a pixel and links that lead through us. Each is signed for that message and that
address, so that nobody can make us lead elsewhere. What a machine fetches is kept as such and does not count.
"""

from __future__ import annotations

import html as html_entities
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlsplit

from sqlmodel import Session, func, select

from crm import events
from crm.signing import Signer
from models import Location, Message, TrackingEvent
from models.columns import now
from models.states import Direction

OPEN, CLICK = "open", "click"
MOST_EVENTS = 2000
"""Kept for one message: whoever holds a pixel's address could fetch it for ever."""
LONGEST_URL = 8000

PIXEL = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)
"""A transparent GIF of one pixel."""

# One tag each; every branch begins with another character, so that no text takes longer than its length.
_LINK = re.compile(r"<(?:a|area)\b(?:[^<>\"']|\"[^\"]*\"|'[^']*')*+>", re.IGNORECASE)
_HREF = re.compile(r"(\shref\s*=\s*)(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'<>]++))", re.IGNORECASE)
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)


@dataclass(frozen=True)
class Tracker:
    """Makes and checks the links; `public_url` is where recipients reach us."""

    signer: Signer
    public_url: str

    def instrument(self, html: str, message_id: str, *, opens: bool, clicks: bool) -> str:
        """The html as it leaves: its web links lead through us, and a pixel stands at its end.

        Args:
            message_id: the message that it is the html of; the links are good for it alone.
        """
        if clicks:
            html = _LINK.sub(lambda tag: self._led_through_us(tag[0], message_id), html)
        return before_end(html, self._pixel(message_id)) if opens else html

    def pixel_url(self, message_id: str) -> str:
        """Fetched when the mail is shown."""
        return f"{self.public_url}/t/o/{message_id}/{self.signer.sign(OPEN, message_id)}.gif"

    def click_url(self, message_id: str, target: str) -> str:
        """Leads to the target, and tells that it was followed."""
        signature = self.signer.sign(CLICK, message_id, target)
        return f"{self.public_url}/t/c/{message_id}/{signature}?u={quote(target, safe='')}"

    def is_pixel(self, message_id: str, signature: str) -> bool:
        """Whether we made this pixel."""
        return self.signer.is_valid(signature, OPEN, message_id)

    def is_click(self, message_id: str, signature: str, target: str) -> bool:
        """Whether we made this link, for this message and this target."""
        return _is_web(target) and self.signer.is_valid(signature, CLICK, message_id, target)

    def _pixel(self, message_id: str) -> str:
        url = self.pixel_url(message_id)
        return f'<img src="{url}" width="1" height="1" alt="" style="border:0;width:1px;height:1px">'

    def _led_through_us(self, tag: str, message_id: str) -> str:
        def changed(found: re.Match[str]) -> str:
            written = next(value for value in found.groups()[1:] if value is not None)
            target = html_entities.unescape(written).strip()
            if not _is_web(target) or target.startswith(f"{self.public_url}/"):
                return found[0]
            url = html_entities.escape(self.click_url(message_id, target), quote=True)
            return f'{found[1]}"{url}"'

        return _HREF.sub(changed, tag, count=1)


def before_end(html: str, addition: str) -> str:
    """The html with an addition at the end of its body."""
    ends = [found.start() for found in _BODY_END.finditer(html)]
    place = ends[-1] if ends else len(html)
    return html[:place] + addition + html[place:]


def _is_web(url: str) -> bool:
    if len(url) > LONGEST_URL or not url.isprintable():
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


# Fetches of Gmail's and Yahoo's image proxies follow a person who opens the mail, so they count.
_IMAGE_PROXIES = re.compile(r"GoogleImageProxy|YahooMailProxy", re.IGNORECASE)
# Gmail fetches with this one ahead of the reader (a browser of 2015 with a trailing "Mozilla/5.0").
_GMAIL_AHEAD = re.compile(r"Edge/12\.246 Mozilla/5\.0$")
_MACHINES = re.compile(
    r"bot\b|crawl|spider|scan|preview|prefetch|monitor|externalhit|whatsapp|skypeuripreview|slack-imgproxy"
    r"|barracuda|mimecast|proofpoint|messagelabs|symantec|trendmicro|forcepoint|fireeye|sophos|ironport|cisco"
    r"|safelinks|safebrowsing|virustotal|urldefense|cloudmark|zscaler|google-safety|google-read-aloud"
    r"|curl/|wget/|python-|aiohttp|httpx|go-http-client|java/|okhttp|libwww|node-fetch|axios|guzzle|ruby|php/",
    re.IGNORECASE,
)
_AHEAD_HEADERS = ("purpose", "sec-purpose", "x-purpose", "x-moz")


def is_machine(headers: Mapping[str, str]) -> bool:
    """Whether a request is one that no person caused: a scanner of links, a prefetch, a privacy proxy.

    Args:
        headers: by their names in lower case.
    """
    agent = headers.get("user-agent", "").strip()
    if any(
        word in headers.get(name, "").lower() for name in _AHEAD_HEADERS for word in ("prefetch", "preview")
    ):
        return True
    if _IMAGE_PROXIES.search(agent):
        return False
    # Apple's Mail Privacy Protection fetches every image of every mail, naming itself just so.
    if agent in ("", "Mozilla/5.0"):
        return True
    return bool(_GMAIL_AHEAD.search(agent) or _MACHINES.search(agent))


def record(
    session: Session,
    message_id: str,
    kind: str,
    *,
    url: str | None = None,
    machine: bool = False,
    at: datetime | None = None,
) -> bool:
    """Keep an open or a click of a message that we sent; whether it counts.

    Nothing is kept where the location has switched tracking off since.
    """
    message = session.exec(
        select(Message)
        .where(Message.id == message_id, Message.direction == Direction.OUTBOUND)
        .with_for_update()
    ).first()
    if message is None:
        return False
    location = session.get_one(Location, message.location_id)
    if not (location.tracking_opens if kind == OPEN else location.tracking_clicks):
        return False
    kept = select(func.count()).select_from(TrackingEvent).where(TrackingEvent.message_id == message_id)
    if session.exec(kept).one() >= MOST_EVENTS:
        return False
    moment = at or now()
    session.add(TrackingEvent(message_id=message_id, kind=kind, at=moment, url=url, machine=machine))
    if machine:
        return False
    if kind == OPEN:
        message.opens += 1
    else:
        message.clicks += 1
    message.updated_at = now()
    session.add(message)
    events.emit(session, message.location_id, events.MESSAGE_UPDATED, message_id)
    return True
