"""Html that costs a parser no more than its size: nesting and the attributes of one element are capped.

HTML5 tree building looks at every open element for each new one, and at every attribute for each further
one; without caps 100 kB of `<div>` take seconds.
"""

from __future__ import annotations

import re

# Chromium stops at 512.
MAX_DEPTH = 400
MAX_ATTRIBUTES = 200
# Unclosed <b>, <font> ... are made anew in every paragraph that follows: so many in all.
MAX_REPEATED = 15_000
MAX_HTML_LENGTH = 4_194_304
# Below these a page cannot cost much.
_FEW_TAGS = 600
_SHORT_HTML = 16_000

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_TAG_START = re.compile(r"<(/?[a-zA-Z][a-zA-Z0-9]*)")
_NAME = r"<[a-zA-Z][^\s/>]*+"
_ATTRIBUTE = r"[\s/]*+[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s>\"'][^\s>]*+)?+)?+"
# A whole tag, so that no `<` within it is looked at as the start of another one.
_OPEN_TAG = re.compile(f"{_NAME}(?:{_ATTRIBUTE})*+")
_CROWDED = re.compile(f"{_NAME}(?:{_ATTRIBUTE}){{{MAX_ATTRIBUTES}}}")
_FLAT = "wbr"
_FORMATTING = frozenset(
    {"a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"}
)
# Elements that hold nothing, or that the next of their kind closes.
_UNCOUNTED = frozenset(
    {
        "area",
        "base",
        "body",
        "br",
        "col",
        "colgroup",
        "dd",
        "dt",
        "embed",
        "head",
        "hr",
        "html",
        "img",
        "input",
    }
    | {
        "li",
        "link",
        "meta",
        "option",
        "p",
        "param",
        "rp",
        "rt",
        "source",
        "td",
        "tbody",
        "tfoot",
        "th",
        "thead",
    }
    | {"tr", "track", "wbr"}
)


def bounded(html: str) -> str:
    """The html with at most `MAX_HTML_LENGTH` characters, `MAX_DEPTH` open elements, `MAX_ATTRIBUTES` each.

    Elements beyond the depth turn into `<wbr>`, so that their text stays; attributes beyond their number go.
    """
    html = html[:MAX_HTML_LENGTH]
    if len(html) > _SHORT_HTML and any(len(tag) > 2 * MAX_ATTRIBUTES for tag in _OPEN_TAG.findall(html)):
        html = _OPEN_TAG.sub(_uncrowded, html)
    if html.count("<") > _FEW_TAGS and _exceeds(html):
        html = _flatten(html)
    return html


def _uncrowded(tag: re.Match[str]) -> str:
    crowd = _CROWDED.match(tag[0]) if len(tag[0]) > 2 * MAX_ATTRIBUTES else None
    return tag[0] if crowd is None else crowd[0]


def _exceeds(html: str) -> bool:
    """Would `_flatten` change anything? Counts as it does, without writing the html anew."""
    open_by_name: dict[str, int] = {}
    known: dict[str, tuple[str, bool, bool, bool]] = {}
    depth = formatting = repeated = 0
    for tag in _TAG_START.findall(html):
        kind = known.get(tag)
        if kind is None:
            kind = known[tag] = _kind(tag)
        name, closes, formats, counts = kind
        if not formats and formatting:
            repeated += formatting
            if repeated > MAX_REPEATED:
                return True
        if not counts:
            continue
        if not closes:
            if depth >= MAX_DEPTH:
                return True
            depth += 1
            formatting += formats
            open_by_name[name] = open_by_name.get(name, 0) + 1
        elif open_by_name.get(name):
            open_by_name[name] -= 1
            depth -= 1
            formatting -= formats
    return False


def _kind(tag: str) -> tuple[str, bool, bool, bool]:
    """Name of "/Td" in lower case; whether it closes, formats, and counts."""
    name = tag.lstrip("/").lower()
    return name, tag[0] == "/", name in _FORMATTING, name not in _UNCOUNTED


def _flatten(html: str) -> str:
    open_by_name: dict[str, int] = {}
    dropped: dict[str, int] = {}
    depth = formatting = repeated = 0

    def keep(match: re.Match[str]) -> str:
        nonlocal depth, formatting, repeated
        name = match[2].lower()
        if name not in _FORMATTING:
            repeated += formatting
            if repeated > MAX_REPEATED:
                return f"<{match[1]}{_FLAT}"
        if name in _UNCOUNTED:
            return match[0]
        if match[1]:
            if dropped.get(name):
                dropped[name] -= 1
                return f"</{_FLAT}"
            if open_by_name.get(name):
                open_by_name[name] -= 1
                depth -= 1
                formatting -= name in _FORMATTING
            return match[0]
        if depth >= MAX_DEPTH:
            dropped[name] = dropped.get(name, 0) + 1
            return f"<{_FLAT}"
        open_by_name[name] = open_by_name.get(name, 0) + 1
        depth += 1
        formatting += name in _FORMATTING
        return match[0]

    return _TAG.sub(keep, html)
