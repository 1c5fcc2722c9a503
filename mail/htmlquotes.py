"""The new part of an html reply, split from the quoted rest by the marks that mail clients leave."""

from __future__ import annotations

from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from mail.bodylines import lines_read
from mail.htmllimits import bounded
from mail.replylines import attribution_start
from mail.replymarks import marks_of

MAX_HTML = 2_000_000
"""Characters of html that are split; longer html counts as new as a whole."""

MAX_QUOTES = 500
"""Blockquotes that are looked at."""
MAX_DEPTH = 500
MAX_HOLDERS = 20
MAX_NODES = 8_000
_BLOCKS = frozenset(
    {
        "p",
        "div",
        "li",
        "tr",
        "td",
        "th",
        "table",
        "blockquote",
        "h1",
        "h2",
        "h3",
        "h4",
        "section",
        "pre",
        "body",
        "center",
    }
)
_BREAKS = frozenset({"br", "hr"})

_QUOTES = ", ".join(
    (
        "div.gmail_quote",
        "blockquote.gmail_quote",
        "div.gmail_extra blockquote",
        "blockquote[type=cite]",
        "div.yahoo_quoted",
        "div.moz-cite-prefix",
        "div.moz-forward-container",
        "div#appendonsend",
        "div#divRplyFwdMsg",
        "div#mail-editor-reference-message-container",
        "div#OLK_SRC_BODY_SECTION",
        "span#OLK_SRC_BODY_SECTION",
        "hr#stopSpelling",
        "hr#zwchr",
        "hr#replySplit",
        "div.OutlookMessageHeader",
        "div.protonmail_quote",
        "blockquote.protonmail_quote",
        "div.tutanota_quote",
        "blockquote.tutanota_quote",
        "div.zmail_extra",
        "div.zmail_extra_hr",
        "div.ms-outlook-mobile-reference-message",
        "div#reply-intro",
        "div.reply-intro",
        "div#isForwardContent",
        "div#isReplyContent",
        "div.front-blockquote",
        "blockquote.front-blockquote",
        "div.hs_reply",
        "div[id^=yahoo_quoted]",
        "div.mail-quote-collapse",
        "div.mailru-blockquote",
        "div.js-helper.js-readmsg-msg blockquote",
        "div.sh-quoted-content",
        "div.superhuman-quote",
        "div.spark-quote",
        "blockquote.spark_quote",
        "blockquote.iosymail",
        "div.yiv_quoted",
        "div.aol_quote",
        "div#aolmail_quote",
        "blockquote[itemtype*='QuotedText']",
        "div[name=messageReplySection]",
        "div.elided-text",
        "div.ReadMsgBody blockquote",
    )
)

_HINTS = (
    "_quote",
    "<blockquote",
    "<BLOCKQUOTE",
    "moz-",
    "appendonsend",
    "RplyFwdMsg",
    "eference-message",
    "OLK_SRC",
    "stopSpelling",
    "zwchr",
    "replySplit",
    "OutlookMessageHeader",
    "zmail_extra",
    "reply-intro",
    "isForwardContent",
    "isReplyContent",
    "hs_reply",
    "quoted",
    "QuotedText",
    "-quote",
    "messageReplySection",
    "elided-text",
)
"""One of these is in any html that holds a client's mark: a cheap first look."""


def split_html(html: str, by_words: bool = True) -> tuple[str, str]:
    """New part and quoted rest as two html texts; the second is empty where nothing is quoted. Never raises.

    The first mark of a client cuts, or without one the first who-wrote line or header block (unless
    `by_words` is off): it and all that follows it in the document is quoted, unless words of the writer
    stand below a quoting `blockquote`; then the blockquotes alone are.
    """
    if len(html) > MAX_HTML or "<" not in html or not (by_words or any(hint in html for hint in _HINTS)):
        return html, ""
    tree = LexborHTMLParser(bounded(html))
    body = tree.body
    if body is None:
        return html, ""
    mark = tree.css_first(_QUOTES)
    if mark is None and by_words:
        mark = _mark_by_words(body)
    if mark is None:
        return html, ""
    if mark.tag == "blockquote" and _has_words_after(mark, body):
        return _without_blockquotes(tree, html)
    quoted = _cut_from(_with_attribution(mark, body), body)
    return tree.html or "", quoted


def _nodes_after(node: LexborNode, top: LexborNode) -> Iterator[LexborNode]:
    """Following siblings of the node and of each of its ancestors up to `top`, outermost last."""
    current: LexborNode | None = node
    depth = 0
    while current is not None and current.mem_id != top.mem_id and depth < MAX_DEPTH:
        following = current.next
        while following is not None:
            yield following
            following = following.next
        current = current.parent
        depth += 1


def _words(node: LexborNode) -> str:
    return " ".join((node.text(deep=True, separator=" ") or "").split())


def _has_words_after(mark: LexborNode, body: LexborNode) -> bool:
    for node in _nodes_after(mark, body):
        if node.tag in {"blockquote", "style", "script"}:
            continue
        if _words(node):
            return True
    return False


def _without_blockquotes(tree: LexborHTMLParser, html: str) -> tuple[str, str]:
    """Takes the outermost blockquotes out, each with the line above that says who wrote it."""
    outermost = [node for node in tree.css("blockquote")[:MAX_QUOTES] if not _inside_blockquote(node)]
    taken: list[LexborNode] = []
    for node in outermost:
        above = _attribution_before(node)
        if above is not None and not any(above.mem_id == other.mem_id for other in taken):
            taken.append(above)
        taken.append(node)
    quoted = [node.html or "" for node in taken]
    # Removed only now: a node must not be looked at once the tree that held it is gone.
    for node in taken:
        node.decompose()
    return (tree.html or "", "".join(quoted)) if quoted else (html, "")


def _inside_blockquote(node: LexborNode) -> bool:
    parent = node.parent
    for _ in range(MAX_DEPTH):
        if parent is None:
            return False
        if parent.tag == "blockquote":
            return True
        parent = parent.parent
    return True


def _attribution_before(node: LexborNode) -> LexborNode | None:
    """The block right above a quote that says who wrote it."""
    previous = node.prev
    steps = 0
    while previous is not None and steps < 6:
        text = _words(previous) if previous.tag != "-text" else " ".join((previous.text() or "").split())
        if text:
            lines = [text, "> "]
            return previous if len(text) < 700 and attribution_start(lines, 0) is not None else None
        previous = previous.prev
        steps += 1
    return None


def _with_attribution(mark: LexborNode, body: LexborNode) -> LexborNode:
    if mark.tag == "blockquote":
        before = _attribution_before(mark)
        if before is not None:
            return before
        parent = mark.parent
        if parent is not None and parent.mem_id != body.mem_id:
            before = _attribution_before(parent)
            if before is not None and not _words_before(mark, parent):
                return before
    return mark


def _words_before(node: LexborNode, parent: LexborNode) -> bool:
    current = node.prev
    while current is not None:
        if _words(current) if current.tag != "-text" else (current.text() or "").strip():
            return True
        current = current.prev
    return False


def _cut_from(mark: LexborNode, body: LexborNode) -> str:
    """Takes the mark and all that follows it out of the tree and gives it as html."""
    taken = [mark, *_nodes_after(mark, body)]
    parts = [node.html or "" for node in taken]
    for node in taken:
        node.decompose()
    return "".join(parts)


def _mark_by_words(body: LexborNode) -> LexborNode | None:
    """The node with which a quoted mail starts by its words, where no client left a mark of its own."""
    lines = _lines(body)
    marks = marks_of(lines_read([text for text, _ in lines]))
    starts = [at for at in (marks.find("s"), marks.find("h")) if at >= 0]
    return lines[min(starts)][1] if starts else None


def _lines(body: LexborNode) -> list[tuple[str, LexborNode]]:
    """The lines of the body as blocks and breaks make them, quoted ones with ">", each with its first text
    node.
    """
    lines: list[tuple[str, LexborNode]] = []
    pieces: list[str] = []
    first: LexborNode | None = None
    block = -1
    prefix = ""

    def end_line() -> None:
        nonlocal first
        text = " ".join("".join(pieces).split())
        if text and first is not None:
            lines.append((prefix + text, first))
        pieces.clear()
        first = None

    for seen, node in enumerate(body.traverse(include_text=True)):
        if seen > MAX_NODES:
            break
        if node.tag == "-text":
            text = node.text_content or ""
            if not text.strip():
                pieces.append(" ")
                continue
            holder, quoted, hidden = _holder(node)
            if hidden:
                continue
            if holder != block:
                end_line()
                block = holder
                prefix = "> " if quoted else ""
            first = first if first is not None else node
            pieces.append(text)
        elif node.tag in _BREAKS:
            end_line()
    end_line()
    return lines


def _holder(node: LexborNode) -> tuple[int, bool, bool]:
    """The innermost block around a text node (its id), whether a blockquote holds it, and whether it is no
    text at all.
    """
    parent = node.parent
    block = -1
    for _ in range(MAX_HOLDERS):
        if parent is None:
            break
        tag = parent.tag
        if tag in {"style", "script", "title", "head"}:
            return block, False, True
        if tag == "blockquote":
            return (parent.mem_id if block < 0 else block), True, False
        if block < 0 and tag in _BLOCKS:
            block = parent.mem_id
        parent = parent.parent
    return block, False, False
