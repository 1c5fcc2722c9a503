"""The plain-text view of html: what a reader sees, without markup and without what is hidden.

One search splits the html into text and tags, one loop reads them; no tree. What a tag does is looked up by
the whole tag, since a mail repeats the same few.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import unescape

from mail.charsets import clean

MAX_HTML_LENGTH = 4_194_304
MAX_QUOTE_DEPTH = 20

# Marks in the text while it is put together; foreign ones in the mail are taken out first.
_MARKS = ("\x01", "\x02", "\x03", "\x04", "\x05", "\x06")
_LINE, _PARAGRAPH, _OPEN_QUOTE, _CLOSE_QUOTE, _SPACE, _BR = _MARKS
_MARKED = re.compile(f"[{''.join(_MARKS)}]")

_RAW = ("script", "style", "textarea", "iframe", "noembed", "noframes", "xmp")


def _splitter(attributes: str) -> re.Pattern[str]:
    """Splits html into text and, at every second place, what is no text.

    That is a tag; an element in which no markup stands, with its content; a comment; a declaration or a
    closing tag without its end; or, at the end only, a tag that never closes.
    """
    # The first closing tag ends such an element, or else the html does.
    raw = "|".join(
        rf"{name}(?=[\s/>]){attributes}>[^<]*+(?:<(?!/{name}[\s/>])[^<]*+)*+(?:</{name}[^>]*+>?+)?+"
        for name in _RAW
    )
    # A title that never ends is none.
    raw += rf"|title(?=[\s/>]){attributes}>(?:[^<]*+(?:<(?!/title[\s/>])[^<]*+){{0,50}}+</title[^>]*+>?+)?+"
    return re.compile(
        rf"(<(?:(?=[istnxISTNX])(?i:{raw})|/?[a-zA-Z][^\s/>]*+{attributes}>"
        r"|!--(?:-?>|[^-]*+(?:-(?!->)[^-]*+)*+(?:-->)?+)|[!?/][^>]*+>?+|[a-zA-Z][\s\S]*+))"
    )


# A quoted attribute value may hold `>`; where quotes never close, tags end at the first `>`.
_SPLIT = _splitter(r"(?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*+")
_PLAIN_SPLIT = _splitter("[^>]*+")
_CLOSED_TAG = re.compile(r"<[a-zA-Z][^\s/>]*+(?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*+>")
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*+)")

_LINES = (
    *("address", "article", "aside", "body", "caption", "center", "dd", "details", "div", "dt"),
    *("fieldset", "figcaption", "figure", "footer", "form", "header", "legend", "li", "main"),
    *("menu", "nav", "section", "summary", "table", "tr"),
)
_PARAGRAPHS = ("dl", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ol", "p", "pre", "ul")
_MARK_OF = {
    **dict.fromkeys(_LINES, _LINE),
    **dict.fromkeys(_PARAGRAPHS, _PARAGRAPH),
    **dict.fromkeys(("td", "th"), " "),
    "br": _BR,
}
# Blocks that end a hidden paragraph.
_ENDS_PARAGRAPH = frozenset((*_LINES, *_PARAGRAPHS, "td", "th", "blockquote"))
_UNSHOWN = frozenset({"svg", "math", "select", "datalist", "template"})
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
)
# What a tag does that is more than a mark.
_HIDES, _OPENS_PRE, _CLOSES_PRE = "hides", "opens pre", "closes pre"
_SPECIAL = frozenset({_HIDES, _OPENS_PRE, _CLOSES_PRE})
_OPENS = {**_MARK_OF, "blockquote": _OPEN_QUOTE, "pre": _OPENS_PRE}
_CLOSES = {**_MARK_OF, "blockquote": _CLOSE_QUOTE, "pre": _CLOSES_PRE}
_HIDDEN = re.compile(
    r"\shidden(?=[\s/=]|\Z)|[\"';\s=](?:display\s{0,9}:\s{0,9}none|visibility\s{0,9}:\s{0,9}hidden"
    r"|opacity\s{0,9}:\s{0,9}0(?:\.0{1,9})?\s{0,9}(?:[;\"'!]|\Z))",
    re.IGNORECASE,
)
_NO_HEIGHT = re.compile(r"max-height\s{0,9}:\s{0,9}0(?:px)?\s{0,9}(?:[;\"'!]|\Z)", re.IGNORECASE)
_CLIPPED = re.compile(r"overflow\s{0,9}:\s{0,9}hidden", re.IGNORECASE)
_HUGE_NUMBER = re.compile(r"&#[xX]?[0-9a-fA-F]{9,}")
_SPACES = re.compile("  +")
# Neighbours that break a line no further than one of them.
_COLLAPSING = (
    (_LINE * 2, _LINE),
    (_PARAGRAPH * 2, _PARAGRAPH),
    (_LINE + _PARAGRAPH, _PARAGRAPH),
    (_PARAGRAPH + _LINE, _PARAGRAPH),
    (_BR + _LINE, _BR),
)
_MIXED_BREAKS = re.compile(f"[{_LINE}{_PARAGRAPH}{_BR}]{{2,}}")
_QUOTE_MARK = re.compile(f"([{_OPEN_QUOTE}{_CLOSE_QUOTE}])")
_EMPTY_LINES = re.compile(r"\n(?:[ \xa0]*\n){2,}")
# Soft hyphens, joiners and the fillers behind a preheader.
_INVISIBLE = "\u00ad\u034f\u200b\u200c\u200e\u200f\u2060\ufeff"


def text_of(html: str) -> str:
    """Visible text of an html body; blocks become lines, `<br>` line feeds, quotes lines with `>` in front.

    Scripts, styles, comments and hidden elements are left out. Never raises; linear; reads `MAX_HTML_LENGTH`
    characters at most.
    """
    if not html or html.isspace():
        return ""
    html = html[:MAX_HTML_LENGTH]
    if any(mark in html for mark in _MARKS):
        html = _MARKED.sub("", html)
    if "&nbsp;" in html:
        html = html.replace("&nbsp;", "\xa0")
    return clean(_lay_out("".join(_read(_split(html)))))


def _split(html: str) -> list[str]:
    """Text, and at every odd place a tag or the like; the text after the last of them is the last."""
    pieces = _SPLIT.split(html)
    if len(pieces) > 2 and not pieces[-1] and _never_closes(pieces[-2]):
        # Quotes of that tag never close.
        pieces[-2:] = _PLAIN_SPLIT.split(pieces[-2])[1:]
    return pieces


def _never_closes(token: str) -> bool:
    return _TAG.match(token) is not None and token[1] != "/" and _CLOSED_TAG.match(token) is None


def _read(pieces: list[str]) -> list[str]:
    """Goes through the pieces; `does` remembers what each tag does."""
    out: list[str] = []
    does: dict[str, str] = {}
    pre = at = 0
    may_hide = True
    last = len(pieces) - 1
    while True:
        action = ""
        for at in range(at, last, 2):  # noqa: B020 - goes on where a special tag ended the loop
            text = pieces[at]
            if text:
                out.append(_shown(text, pre) if pre or "&" in text else text)
            tag = pieces[at + 1]
            known = does.get(tag)
            if known is None:
                known = does[tag] = _does(tag, may_hide)
            if known:
                if known in _SPECIAL:
                    action = known
                    break
                out.append(known)
        else:
            out.append(_shown(pieces[last], pre))
            return out
        if action == _HIDES:
            end = _hidden_end(pieces, at + 1)
            if not end:
                # A hidden part that never ends would hide the whole mail.
                may_hide = False
                does.clear()
            at = end or at + 2
        else:
            out.append(_PARAGRAPH)
            pre = pre + 1 if action == _OPENS_PRE else max(0, pre - 1)
            at += 2


def _does(tag: str, may_hide: bool) -> str:
    """The mark that a tag leaves in the text, or what else it does; empty for nothing."""
    match = _TAG.match(tag)
    if match is None:
        return ""
    name = match[2].lower()
    if name in _RAW or name == "title":
        return ""
    if match[1]:
        return _CLOSES.get(name, "")
    if may_hide and name not in _VOID and _hides(name, tag[match.end() : -1]):
        return _HIDES
    return _OPENS.get(name, "")


def _hides(name: str, attributes: str) -> bool:
    if name in _UNSHOWN:
        return not attributes.endswith("/")
    if len(attributes) < 7 or name in ("body", "html"):
        return False
    attributes = attributes[:4000].lower()
    if not ("hid" in attributes or "none" in attributes or "opac" in attributes or "max-" in attributes):
        return False
    if _HIDDEN.search(attributes) is not None:
        return True
    return _NO_HEIGHT.search(attributes) is not None and _CLIPPED.search(attributes) is not None


def _hidden_end(pieces: list[str], opened: int) -> int:
    """Where the text goes on behind the hidden element whose tag is at `opened`; 0 where it never ends."""
    hidden = _name(pieces[opened])
    depth = 1
    for at in range(opened + 2, len(pieces), 2):
        name = _name(pieces[at])
        if hidden == "p":
            # The next block ends a paragraph.
            if name in _ENDS_PARAGRAPH:
                return at + 1
        elif name == hidden:
            depth += -1 if pieces[at][1] == "/" else 1
            if depth == 0:
                return at + 1
    return 0


def _name(tag: str) -> str:
    match = _TAG.match(tag)
    return match[2].lower() if match is not None else ""


def _shown(text: str, pre: int) -> str:
    if "&" in text:
        if "&#" in text:
            text = _HUGE_NUMBER.sub("\ufffd", text)
        text = unescape(text)
    return text.replace("\r\n", "\n").replace("\n", _BR).replace(" ", _SPACE) if pre else text


def _lay_out(text: str) -> str:
    """Text with marks to lines: blank space collapses, adjacent block marks are one break, quotes get `>`."""
    for blank in "\n\t\r\f":
        text = text.replace(blank, " ")
    text = _SPACES.sub(" ", text)
    if not text.isascii():
        for invisible in _INVISIBLE:
            text = text.replace(invisible, "")
    for mark in (_LINE, _PARAGRAPH, _OPEN_QUOTE, _CLOSE_QUOTE, _BR):
        if mark in text:
            text = text.replace(f" {mark}", mark).replace(f"{mark} ", mark)
    text = _break(text)
    if _OPEN_QUOTE in text:
        text = _quote(text)
    text = text.replace(_CLOSE_QUOTE, "\n").replace(_SPACE, " ").replace("\xa0", " ")
    return _EMPTY_LINES.sub("\n\n", text).strip()


def _break(text: str) -> str:
    """A `<br>` ends its line, or is an empty one; edges of blocks end a line once, of paragraphs leave a gap."""
    for pair, one in _COLLAPSING:
        while pair in text:
            text = text.replace(pair, one)
    if _BR + _PARAGRAPH in text or _PARAGRAPH + _BR in text:
        text = _MIXED_BREAKS.sub(lambda match: _breaks(match[0]), text)
    return text.replace(_LINE, "\n").replace(_PARAGRAPH, "\n\n").replace(_BR, "\n")


@lru_cache(maxsize=256)
def _breaks(marks: str) -> str:
    count = marks.count(_BR) + (marks[0] != _BR)
    return "\n" * max(count, 2) if _PARAGRAPH in marks else "\n" * count


def _quote(text: str) -> str:
    lines: list[str] = []
    depth = 0
    for piece in _QUOTE_MARK.split(text):
        if piece == _OPEN_QUOTE:
            depth += 1
        elif piece == _CLOSE_QUOTE:
            depth = max(0, depth - 1)
        elif stripped := piece.strip("\n"):
            prefix = ">" * min(depth, MAX_QUOTE_DEPTH)
            if depth:
                lines.extend(f"{prefix} {line}" if line.strip() else prefix for line in stripped.split("\n"))
            else:
                lines.append(stripped)
    return "\n".join(lines)
