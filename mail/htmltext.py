"""The plain-text view of html: what a reader sees, without markup and without what is hidden.

Marks are put into the tree where a line begins or ends, then all text is taken out in one go; a walk over
every node would cost several times as much.
"""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from mail.charsets import clean
from mail.htmllimits import bounded

# Elements that may put marks into the text; a page with more is cut there.
MAX_MARKS = 100_000
MAX_QUOTE_DEPTH = 20

_LINE, _PARAGRAPH, _OPEN_QUOTE, _CLOSE_QUOTE, _KEPT_SPACE, _CELL, _BR = (
    "\ue000\ue001\ue002\ue003\ue004\ue005\ue006"
)
_ALL_MARKS = str.maketrans("", "", "\ue000\ue001\ue002\ue003\ue004\ue005\ue006")
_MARKED = re.compile("[\ue000-\ue006]")

_SKIPPED = [
    *(
        "applet",
        "audio",
        "button",
        "canvas",
        "datalist",
        "head",
        "iframe",
        "math",
        "noembed",
        "noframes",
        "noscript",
    ),
    *("object", "script", "select", "style", "svg", "template", "textarea", "title", "video"),
]
_BLOCKS = (
    "address,article,aside,body,caption,center,dd,details,div,dt,fieldset,figcaption,figure,footer,form,header,li,main,"
    "menu,nav,section,summary,table,tr"
)
_PARAGRAPHS = "dl,h1,h2,h3,h4,h5,h6,hr,ol,p,pre,ul"
_MAY_HIDE = ",".join(
    ["[hidden]", *(f'[style*="{sign}" i]' for sign in ("none", "hid", "font-size", "opacity", "max-height"))]
)
_HIDDEN_STYLE = re.compile(
    r"(?:\A|;)\s{0,9}(?:display\s{0,9}:\s{0,9}none|visibility\s{0,9}:\s{0,9}hidden|mso-hide\s{0,9}:\s{0,9}all"
    r"|(?:font-size|max-height)\s{0,9}:\s{0,9}0(?:px|pt|em|%)?\s{0,9}(?:!important\s{0,9})?(?:;|\Z)"
    r"|opacity\s{0,9}:\s{0,9}0(?:\.0{1,9})?\s{0,9}(?:!important\s{0,9})?(?:;|\Z))",
    re.IGNORECASE,
)
_SPACE = re.compile(r"[ \t\n\r\f]+")
_BREAK = re.compile(" ?([\ue000-\ue003\ue006])(?: (?![\ue000-\ue003\ue006]))?")
_BREAKS = re.compile("[\ue000\ue001\ue006]+")
_QUOTE_MARK = re.compile("([\ue002\ue003])")
# Soft hyphens, joiners and the fillers behind a preheader.
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u034f\u200b\u200c\u200e\u200f\u2060\ufeff"))
_LINES = re.compile(r"\n{3,}")


def text_of(html: str) -> str:
    """Visible text of an html body: blocks become lines, `<br>` line feeds, quotes lines with `>` in front.

    Scripts, styles, comments and hidden elements are left out. Never raises; linear.
    """
    if not html or html.isspace():
        return ""
    if _MARKED.search(html) is not None:
        html = html.translate(_ALL_MARKS)
    try:
        tree = LexborHTMLParser(bounded(html))
        tree.strip_tags(_SKIPPED)
        _drop_hidden(tree)
        _mark(tree)
        root = tree.body or tree.root
        marked = root.text() if root is not None else ""
    except (SelectolaxError, RuntimeError, ValueError):
        return ""
    return clean(_lay_out(marked))


def _drop_hidden(tree: LexborHTMLParser) -> None:
    # Inner ones first: a node inside a removed one must not be touched any more.
    for node in reversed(tree.css(_MAY_HIDE)):
        attributes = node.attributes
        if (
            "hidden" in attributes or _HIDDEN_STYLE.search(attributes.get("style") or "")
        ) and node.tag not in ("body", "html"):
            node.decompose()


def _mark(tree: LexborHTMLParser) -> None:
    for selector, before, after in (
        ("br", _BR, ""),
        (_BLOCKS, _LINE, _LINE),
        (_PARAGRAPHS, _PARAGRAPH, _PARAGRAPH),
        ("blockquote", _OPEN_QUOTE, _CLOSE_QUOTE),
        ("td,th", "", _CELL),
    ):
        for node in tree.css(selector)[:MAX_MARKS]:
            if node.tag == "body":
                continue
            if node.tag == "pre":
                _keep_spaces(node)
            if before:
                node.insert_before(before)
            if after:
                node.insert_after(after)


def _keep_spaces(node: LexborNode) -> None:
    """Blank space inside `<pre>` counts."""
    # A list first: the walk must not stand on a node that is being replaced.
    for child in list(node.traverse(include_text=True)):
        if child.tag == "-text":
            content = child.text_content or ""
            child.replace_with(content.replace("\n", _BR).replace(" ", _KEPT_SPACE))


def _lay_out(marked: str) -> str:
    """Text with marks to lines: blank space collapses, adjacent block marks are one break, quotes get `>`."""
    text = _SPACE.sub(" ", marked).translate(_INVISIBLE)
    text = _BREAK.sub(r"\1", text)
    text = _BREAKS.sub(_break, text)
    if _OPEN_QUOTE in text:
        text = _quote(text)
    text = text.replace(_KEPT_SPACE, " ").replace(_CELL, " ")
    return _LINES.sub("\n\n", text).strip()


def _break(match: re.Match[str]) -> str:
    """`<br>` counts each time, the edges of blocks together once, of paragraphs an empty line."""
    marks = match[0]
    if _PARAGRAPH in marks:
        return "\n\n"
    return "\n" * max(1, marks.count(_BR))


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
