"""The plain-text view of html: what a reader sees, without markup and without what is hidden.

One pass over the tags, no tree: a tree in C with its walk costs the same time, takes seconds for deep
nesting, and its bindings crash the process when nodes are removed while they are listed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import unescape

from mail.charsets import clean

MAX_HTML_LENGTH = 4_194_304
MAX_QUOTE_DEPTH = 20

# Marks in the text while it is put together; foreign ones in the mail are taken out first.
_LINE, _PARAGRAPH, _OPEN_QUOTE, _CLOSE_QUOTE, _SPACE, _BR = "\ue000\ue001\ue002\ue003\ue004\ue006"
_MARKED = re.compile("[\ue000-\ue006]")

# A quoted attribute value may hold `>`; where quotes never close, tags end at the first `>`.
_TAG = re.compile(r"<(?:(/?)([a-zA-Z][^\s/>]*+)((?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*+)(>)?+|!--|[!?/])")
_PLAIN_TAG = re.compile(r"<(?:(/?)([a-zA-Z][^\s/>]*+)([^>]*+)(>)?+|!--|[!?/])")

_MARK_OF = {
    **dict.fromkeys(
        ("address", "article", "aside", "body", "caption", "center", "dd", "details", "div", "dt"), _LINE
    ),
    **dict.fromkeys(
        ("fieldset", "figcaption", "figure", "footer", "form", "header", "legend", "li", "main"), _LINE
    ),
    **dict.fromkeys(("menu", "nav", "section", "summary", "table", "tr"), _LINE),
    **dict.fromkeys(("dl", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ol", "p", "pre", "ul"), _PARAGRAPH),
}
# What stands in them is no markup; the first closing tag ends them.
_RAW = frozenset({"script", "style", "title", "textarea", "iframe", "noembed", "noframes", "xmp"})
_RAW_END = {name: re.compile(f"</{name}[\\s/>]", re.IGNORECASE) for name in _RAW}
_UNSHOWN = frozenset({"svg", "math", "select", "datalist", "template"})
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
)
_HIDDEN = re.compile(
    r"\shidden(?=[\s/=]|\Z)|[\"';\s=](?:display\s{0,9}:\s{0,9}none|visibility\s{0,9}:\s{0,9}hidden"
    r"|opacity\s{0,9}:\s{0,9}0(?:\.0{1,9})?\s{0,9}(?:[;\"'!]|\Z))",
    re.IGNORECASE,
)
_MAY_HIDE = re.compile(r"hid|none|opac|max-", re.IGNORECASE)
_NO_HEIGHT = re.compile(r"max-height\s{0,9}:\s{0,9}0(?:px)?\s{0,9}(?:[;\"'!]|\Z)", re.IGNORECASE)
_CLIPPED = re.compile(r"overflow\s{0,9}:\s{0,9}hidden", re.IGNORECASE)
_HUGE_NUMBER = re.compile(r"&#[xX]?[0-9a-fA-F]{9,}")
_BLANK = re.compile(r"[ \t\n\r\f]+")
_SPACELESS = (_LINE, _PARAGRAPH, _OPEN_QUOTE, _CLOSE_QUOTE, _BR)
_BREAKS = re.compile("[\ue000\ue001\ue006]+")
_QUOTE_MARK = re.compile("([\ue002\ue003])")
_EMPTY_LINES = re.compile(r"\n(?:[ \xa0]*\n){2,}")
# Soft hyphens, joiners and the fillers behind a preheader.
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u034f\u200b\u200c\u200e\u200f\u2060\ufeff"))


def text_of(html: str) -> str:
    """Visible text of an html body; blocks become lines, `<br>` line feeds, quotes lines with `>` in front.

    Scripts, styles, comments and hidden elements are left out. Never raises; linear; reads `MAX_HTML_LENGTH`
    characters at most.
    """
    if not html or html.isspace():
        return ""
    return clean(_lay_out("".join(_Reader(html[:MAX_HTML_LENGTH]).read())))


class _Reader:
    """Goes through the tags once; `hidden` names the element whose end ends a hidden part."""

    def __init__(self, html: str) -> None:
        self.html = html
        self.out: list[str] = []
        self.pre = 0
        self.hidden = ""
        self.hidden_depth = 0
        self.hidden_from = 0
        self.hidden_out = 0
        self.may_hide = True

    def read(self) -> list[str]:
        html, out = self.html, self.out
        pattern = _TAG
        position = 0
        while True:
            match = pattern.search(html, position)
            if match is not None and match[4] is None and match[2] is not None and not match[1]:
                if pattern is _TAG:
                    # Quotes of that tag never close.
                    pattern = _PLAIN_TAG
                    continue
                self.text(html[position : match.start()])
                position, match = len(html), None
            if match is None:
                self.text(html[position:])
                if not self.hidden:
                    return out
                # A hidden part that never ends would hide the whole mail.
                self.may_hide, self.hidden = False, ""
                del out[self.hidden_out :]
                position, pattern = self.hidden_from, _TAG
                continue
            start, end = match.span()
            if start > position and not self.hidden:
                self.text(html[position:start])
            closing, name, attributes, closed = match.groups()
            if closed:
                position = self.tag(closing == "/", name.lower(), attributes, end)
            elif name is None:
                position = self.beyond_declaration(match[0], end)
            else:
                position = self.beyond_declaration("</", start + 2)

    def beyond_declaration(self, token: str, position: int) -> int:
        """Behind a comment, a declaration or a closing tag without a name."""
        html = self.html
        if token == "<!--":
            if html.startswith((">", "->"), position):
                return html.index(">", position) + 1
            end = html.find("-->", position)
            return end + 3 if end >= 0 else len(html)
        end = html.find(">", position)
        return end + 1 if end >= 0 else len(html)

    def tag(self, closing: bool, name: str, attributes: str, position: int) -> int:
        if self.hidden:
            self.hidden_tag(closing, name)
            if name not in _RAW or closing:
                return position
        if name in _RAW:
            if closing:
                return position
            end = _RAW_END[name].search(self.html, position)
            if end is None:
                return position if name == "title" else len(self.html)
            gap = self.html.find(">", end.end() - 1)
            return gap + 1 if gap >= 0 else len(self.html)
        if not closing and self.may_hide and name not in _VOID and self.hides(name, attributes):
            self.hidden, self.hidden_depth = name, 1
            self.hidden_from, self.hidden_out = position, len(self.out)
            return position
        if name == "br":
            self.out.append(_BR)
        elif name == "blockquote":
            self.out.append(_CLOSE_QUOTE if closing else _OPEN_QUOTE)
        elif name in ("td", "th"):
            self.out.append(" ")
        elif name in _MARK_OF:
            self.out.append(_MARK_OF[name])
            if name == "pre":
                self.pre = max(0, self.pre - 1) if closing else self.pre + 1
        return position

    def hides(self, name: str, attributes: str) -> bool:
        if name in _UNSHOWN:
            return not attributes.endswith("/")
        if len(attributes) < 7 or name in ("body", "html"):
            return False
        attributes = attributes[:4000]
        if _MAY_HIDE.search(attributes) is None:
            return False
        if _HIDDEN.search(attributes) is not None:
            return True
        return _NO_HEIGHT.search(attributes) is not None and _CLIPPED.search(attributes) is not None

    def hidden_tag(self, closing: bool, name: str) -> None:
        if self.hidden == "p":
            # The next block ends a paragraph.
            if name in _MARK_OF or name in ("td", "th", "blockquote"):
                self.hidden = ""
        elif name == self.hidden:
            self.hidden_depth += -1 if closing else 1
            if self.hidden_depth == 0:
                self.hidden = ""

    def text(self, text: str) -> None:
        if self.hidden or not text:
            return
        if "&" in text:
            if "&#" in text:
                text = _HUGE_NUMBER.sub("\ufffd", text)
            text = unescape(text)
        if not text.isascii() and _MARKED.search(text) is not None:
            text = _MARKED.sub("", text)
        if self.pre:
            text = text.replace("\r\n", "\n").replace("\n", _BR).replace(" ", _SPACE)
        self.out.append(text)


def _lay_out(marked: str) -> str:
    """Text with marks to lines: blank space collapses, adjacent block marks are one break, quotes get `>`."""
    text = _BLANK.sub(" ", marked)
    if not text.isascii():
        text = text.translate(_INVISIBLE)
    for mark in _SPACELESS:
        if mark in text:
            text = text.replace(f" {mark}", mark).replace(f"{mark} ", mark)
    text = _BREAKS.sub(lambda match: _break(match[0]), text)
    if _OPEN_QUOTE in text:
        text = _quote(text)
    text = text.replace(_CLOSE_QUOTE, "\n").replace(_SPACE, " ").replace("\xa0", " ")
    return _EMPTY_LINES.sub("\n\n", text).strip()


@lru_cache(maxsize=256)
def _break(marks: str) -> str:
    """A `<br>` ends its line, or is an empty one; edges of blocks end a line once, of paragraphs leave a gap."""
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
