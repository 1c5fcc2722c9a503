"""Which parts of a mail are its body, and their text; the rest are attachments (after RFC 8621, 4.1.4)."""

from __future__ import annotations

import html as html_entities
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from mail.charsets import decode
from mail.mime import Part

MAX_TEXT_LENGTH = 8_388_608

_META_CHARSET = re.compile(
    rb"<meta[^>]{0,200}?charset\s{0,5}=\s{0,5}[\"']?\s{0,5}([A-Za-z0-9_:.-]{2,40})", re.IGNORECASE
)
_HTML_START = re.compile(
    rb"\s{0,200}(?:<!--.{0,500}?-->\s{0,50})?<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)


Piece = tuple[str, bool]  # text, and whether it is html

# Versions of the body for other viewers; the mail shows whole without them.
_OTHER_VIEWERS = frozenset({"text/x-amp-html", "text/watch-html"})
_DATA = frozenset(
    {
        *("text/calendar", "text/x-vcalendar", "text/vcard", "text/x-vcard", "text/directory", "text/csv"),
        *("text/rfc822-headers", "text/rtf", "text/css", "text/javascript", "text/xml"),
    }
)
_SHOWN = frozenset({"text/plain", "text/html", "text/enriched", "text/richtext", "text/markdown"})


@dataclass(slots=True)
class Bodies:
    """The pieces of each view of the body in their order, and the leaves that are attachments."""

    text: list[Piece] = field(default_factory=list)
    html: list[Piece] = field(default_factory=list)
    attachments: list[Part] = field(default_factory=list)
    unread: bool = False


def select(root: Part, hints: Iterable[str]) -> Bodies:
    """Sorts the leaves of a mail into body and attachments; each view shows the whole mail."""
    bodies = Bodies()
    _walk([root], "mixed", False, bodies, bodies.text, bodies.html, hints)
    if not bodies.text and not bodies.html:
        _take_any_text(bodies, hints)
    return bodies


def _walk(
    parts: list[Part],
    kind: str,
    in_alternative: bool,
    bodies: Bodies,
    text: list[Piece] | None,
    html: list[Piece] | None,
    hints: Iterable[str],
) -> None:
    """One multipart; `text` and `html` are the views that its parts belong to."""
    text_before = len(text) if text is not None else 0
    html_before = len(html) if html is not None else 0
    for number, part in enumerate(parts):
        if part.children:
            subtype = part.content_type[10:]
            _walk(
                part.children, subtype, in_alternative or subtype == "alternative", bodies, text, html, hints
            )
        elif not _is_body(part, number, kind):
            if part.content_type not in _OTHER_VIEWERS:
                bodies.attachments.append(part)
        else:
            piece = _read_piece(part, bodies, hints)
            if in_alternative and kind != "alternative":
                if piece[1]:
                    text = None
                else:
                    html = None
            if text is not None and (kind != "alternative" or not piece[1]):
                text.append(piece)
            if html is not None and (kind != "alternative" or piece[1]):
                html.append(piece)
    if kind == "alternative" and text is not None and html is not None:
        if len(text) == text_before:
            text.extend(html[html_before:])
        elif len(html) == html_before:
            html.extend(text[text_before:])


def _is_body(part: Part, number: int, kind: str) -> bool:
    if part.content_type.startswith("multipart/"):
        return part.end > part.start
    if part.content_type not in _SHOWN:
        return False
    if part.disposition == "attachment":
        return part.part_id == "" and not part.filename
    return not part.filename or (number == 0 or kind == "alternative")


def _read_piece(part: Part, bodies: Bodies, hints: Iterable[str]) -> Piece:
    data = part.payload()
    is_html = part.content_type == "text/html"
    if not is_html and (not part.typed or part.content_type.startswith("multipart/")):
        is_html = _HTML_START.match(data) is not None
    return read_text(part, data, bodies, hints, is_html), is_html


def _take_any_text(bodies: Bodies, hints: Iterable[str]) -> None:
    """A mail whose only text is marked as attachment, or of an unknown subtype (RFC 2046, 4.1.4), but has no
    name: that text is the body.
    """
    for part in bodies.attachments:
        if part.content_type.startswith("text/") and part.content_type not in _DATA and not part.filename:
            bodies.attachments.remove(part)
            piece = _read_piece(part, bodies, hints)
            bodies.text.append(piece)
            bodies.html.append(piece)
            return


def read_text(part: Part, data: bytes, bodies: Bodies, hints: Iterable[str], is_html: bool) -> str:
    """The text of a part with line feeds as line ends; html may name its charset itself."""
    declared = part.parameters.get("charset")
    if not data.isascii() and is_html:
        meta = _META_CHARSET.search(data, 0, 4096)
        if meta is not None:
            named = meta[1].decode("ascii")
            hints = (named, *hints)
            declared = declared or named
    text, read = decode(data[: 4 * MAX_TEXT_LENGTH], declared, hints)
    if not read:
        bodies.unread = True
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not is_html:
        if part.content_type in ("text/enriched", "text/richtext"):
            text = plain_of_enriched(text)
        elif part.parameters.get("format", "").lower() == "flowed":
            text = unflow(text, part.parameters.get("delsp", "").lower() == "yes")
    return text[:MAX_TEXT_LENGTH]


def unflow(text: str, delsp: bool = False) -> str:
    """Paragraphs of format=flowed text joined to single lines (RFC 3676); quote marks stay in front."""
    out: list[str] = []
    paragraph: list[str] = []
    depth = 0
    for line in text.split("\n"):
        stripped = line.lstrip(">")
        quotes = len(line) - len(stripped)
        content = stripped[1:] if stripped.startswith(" ") else stripped
        if paragraph and quotes != depth:
            out.append(_quote(depth, "".join(paragraph)))
            paragraph = []
        depth = quotes
        if content == "-- ":
            if paragraph:
                out.append(_quote(depth, "".join(paragraph)))
                paragraph = []
            out.append(_quote(depth, content))
        elif content.endswith(" "):
            paragraph.append(content[:-1] if delsp else content)
        else:
            paragraph.append(content)
            out.append(_quote(depth, "".join(paragraph)))
            paragraph = []
    if paragraph:
        out.append(_quote(depth, "".join(paragraph)))
    return "\n".join(out)


def _quote(depth: int, line: str) -> str:
    return f"{'>' * depth} {line}" if depth else line


_ENRICHED_TAG = re.compile(r"<(/?[A-Za-z0-9-]{1,60})>|<<")
_PARAM = re.compile(r"<param>[^<]*</param>", re.IGNORECASE)


def plain_of_enriched(text: str) -> str:
    """Text of text/enriched (RFC 1896) without its commands."""
    return _ENRICHED_TAG.sub(lambda match: "<" if match[0] == "<<" else "", _PARAM.sub("", text))


def join_html(pieces: list[Piece]) -> str | None:
    """One html of all pieces, plain ones escaped; None where none of them is html."""
    if not any(is_html for _, is_html in pieces):
        return None
    if len(pieces) == 1:
        return pieces[0][0]
    return "\n<hr>\n".join(
        piece
        if is_html
        else f'<div style="white-space:pre-wrap">{html_entities.escape(piece, quote=False)}</div>'
        for piece, is_html in pieces
    )
