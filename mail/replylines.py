"""What the single lines of a body mean: who-wrote lines, header blocks, "original message" lines.

Each function looks at a bounded number of lines and a bounded part of each, so that reading a whole body
stays linear however hostile it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mail.labels import FORWARDED_MESSAGE, ORIGINAL_MESSAGE, WROTE, Role, fold, label, plain

MAX_LINE = 600
"""Characters of one line that are looked at."""
MAX_ATTRIBUTION_LINES = 5
"""A who-wrote line wrapped by its client spans at most so many lines."""
MAX_ATTRIBUTION = 700
MAX_BLOCK_LINES = 14
"""A header block (From, Sent, To, Subject with wrapped recipients) is looked for within so many lines."""

_OPENER = re.compile(
    r"""^[\s\-–—_>"'(\[]*(?:
      \d{1,4}[./\-年년]|\d{1,2}[\s.]+\w|[<"“]?[^\s<]{0,60}@
    | on\b|at\b|am\b|vom\b|von\b|le\b|el\b|al\b|em\b|a\b|à\b|op\b|il\b|in\b|den\b|de\b|d\.|på\b|dne\b
    |dňa\b|dnia\b|w\s+dniu\b|vào\b|pada\b|la\b|pe\b|în\b|ur[aā]
    | ter\b|dana\b|dne\b|u\b|na\b|le\b|e\s+|el\s+dia|em\s+|o\s+|op\s+|v\s+|v[eo]\b|kl\b|från\b|fra\b
    |from\b|sent\b|om\b|ti\b|ke\b|to\b|su\b|pe\b|pirm|antr|il\s+giorno|(?:20|19)\d\d
    | στις\b|την\b|στ|на\b|в\b|во\b|дана\b|у\b|пн|вт|ср|чт|пт|сб|вс|нд|пон|вто|сря|чет|пет|съб|нед|от\b
    |від\b|ад\b
    | ב|בתאריך|ב-|في|بتاريخ|در|ในวันที่|เมื่อ|วันที่|พ\.|จ\.|อ\.|ศ\.|ส\.|อา|को|दिन|於|于|在|星期|周|\d|제목
    |[월화수목금토일]요일
    | mon|tue|wed|thu|fri|sat|sun|lun|mar|mer|jeu|ven|sam|dim|mié|mie|jue|vie|sáb|sab|dom|seg|qua|qui|sex
    |gio|ma\b|di\b|wo\b|do\b|vr\b|za\b|zo\b|mo\b|mi\b|fr\b|sa\b|so\b|man|tir|ons|tor|fre|lør|søn|mån|tis
    |lör|sön
    | pon|wt|śr|czw|pt|sob|nied|po\b|út|st\b|čt|pá|ne\b|hét|sze|csüt|pén|vas|luni|marți|miercuri|joi
    |vineri|sâmb|dum|pzt|sal|çar|per|cum|paz|reede|esmas|teisip|kolmap|neljap|laup|pühap
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_DIGIT = re.compile(r"\d")
_YEAR_OR_TIME = re.compile(r"(?:19|20)\d\d|\d{1,2}[:.h]\d\d|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}")
_ADDRESS = re.compile(r"[^\s<>@\"'(),;:]{1,80}@[^\s<>@\"'(),;:]{2,120}")
_BRACKETED = re.compile(r"[<(\[]\s?(?:mailto:)?[^\s<>@]{1,80}@[^\s<>@]{2,120}\s?[>)\]]")
_DASHED = re.compile(r"^[\s>]{0,8}[-_=*~–—#+]{2,60}\s{0,4}(\S.{0,78}?)\s{0,4}[-_=*~–—#+]{0,60}\s{0,3}$")
_RULE = re.compile(r"^[\s]{0,4}[-_=*–—]{5,200}\s*$")
_END = re.compile(r"(?:[:：]|[-–—]{2,60}|…)[\s*_>\])]{0,5}$")
_WORD = re.compile(r"[^\W\d_]+(?:[\'’.()/]{1,2}[^\W\d_]*)*")
_MAX_VERB_WORDS = 3
_CJK_VERBS = tuple(sorted(word for word in WROTE if not word.isascii() and any(c >= "\u0e00" for c in word)))
_PHRASES = frozenset(word for word in WROTE if " " in word)
_WORDS = WROTE - _PHRASES - frozenset({"via", "sent", "said", "menulis"})


def has_verb(text: str) -> bool:
    """Does the text hold the verb of a who-wrote line, in any language?"""
    folded = fold(text)
    if any(word.strip("().") in _WORDS or word in _WORDS for word in _WORD.findall(folded)):
        return True
    if any(phrase in folded for phrase in _PHRASES):
        return True
    return not folded.isascii() and any(verb in folded for verb in _CJK_VERBS)


def is_quoted(line: str) -> bool:
    """A line that its client marked as quoted ("> text")."""
    head = line[:8].lstrip(" \t\ufeff")
    return head.startswith((">", "&gt;")) or (head.startswith("|") and len(head) > 1 and head[1] in " |>")


def dashed_phrase(line: str) -> str | None:
    """The folded words of "-----Original Message-----" and its like; None where the line is no such line."""
    if len(line) > 200:
        return None
    found = _DASHED.match(line)
    return fold(plain(found[1])).strip(" :") if found else None


def is_original_message(line: str) -> bool:
    """The line above a reply's quoted mail: "-----Ursprüngliche Nachricht-----"."""
    phrase = dashed_phrase(line)
    if phrase is None:
        return False
    if phrase in ORIGINAL_MESSAGE:
        return True
    head = phrase.split(":", 1)[0].strip()
    return head in ORIGINAL_MESSAGE


def is_forward_marker(line: str) -> bool:
    """The line above a forwarded mail: "---------- Forwarded message ---------", "Begin forwarded
    message:".
    """
    if len(line) > 200:
        return False
    phrase = dashed_phrase(line)
    if phrase is not None:
        if phrase in FORWARDED_MESSAGE:
            return True
        head = phrase.split(":", 1)[0].strip()
        return head in FORWARDED_MESSAGE or any(
            head.startswith(start)
            for start in ("forwarded by ", "forwarded message", "forwarded message from")
        )
    text = fold(plain(line)).lstrip("> ")
    return (text.endswith((":", "：")) and text.rstrip(" :：") in FORWARDED_MESSAGE and " " in text) or (
        text.endswith(("：", ":")) and not text.isascii() and text.rstrip(" :：") in FORWARDED_MESSAGE
    )


def is_rule(line: str) -> bool:
    """A line of nothing but five or more dashes or underscores."""
    return len(line) <= 220 and _RULE.match(line) is not None


def header_block(lines: Sequence[str], at: int) -> dict[Role, str] | None:
    """The headers that a client wrote into the body from line `at` on, by role; None where no such block
    starts there.

    A block has at least two different roles, one of them the sender or the date; with only two, one value
    must be an address or a date. Blank lines between the fields are allowed, and wrapped values.
    """
    first = label(plain(lines[at][:MAX_LINE]).lstrip("> "))
    if first is None or first[0] == "other":
        return None
    roles: dict[Role, str] = {first[0]: first[1]}
    strangers = blanks = 0
    last: Role = first[0]
    for line in lines[at + 1 : at + MAX_BLOCK_LINES]:
        text = plain(line[:MAX_LINE]).lstrip("> ")
        if not text:
            blanks += 1
            if blanks > 1 or (len(roles) >= 3 and "from" in roles):
                break
            continue
        found = label(text)
        if found is None:
            strangers += 1
            if strangers > 4 or blanks:
                break
            roles[last] = f"{roles[last]} {text}"[:MAX_LINE]
            continue
        blanks = 0
        last = found[0]
        roles.setdefault(last, found[1])
    roles.pop("other", None)
    if "from" not in roles and "date" not in roles:
        return None
    if len(roles) < 2:
        return None
    value = roles.get("from", "") + " " + roles.get("to", "")
    dated = _DIGIT.search(roles.get("date", "")) is not None
    if len(roles) == 2:
        return roles if _ADDRESS.search(value) and (dated or "date" not in roles) else None
    return roles if dated or "@" in value or ("from" in roles and "subject" in roles) else None


def attribution_start(lines: Sequence[str], end: int) -> int | None:
    """First line of the who-wrote line ("On Monday, Ann <a@b> wrote:") that ends on line `end`; None if
    none ends there.
    """
    tail = plain(lines[end][-MAX_LINE:])
    if not tail or is_quoted(tail) or not _END.search(tail):
        return None
    quoted_next = _next_is_quoted(lines, end + 1)
    joined = ""
    start = end
    blanks = 0
    best: int | None = None
    while start >= 0 and end - start < MAX_ATTRIBUTION_LINES:
        line = plain(lines[start][:MAX_LINE])
        if not line:
            blanks += 1
            if blanks > 1:
                break
            start -= 1
            continue
        if start != end and (is_quoted(line) or (_END.search(line) and not line.endswith("--"))):
            break
        joined = f"{line} {joined}" if joined else line
        if len(joined) > MAX_ATTRIBUTION:
            break
        if _is_attribution(joined, quoted_next) and (blanks == 0 or start == end or _OPENER.match(line)):
            best = start
            if _OPENER.match(line) and _DIGIT.search(line):
                return start
        start -= 1
    return (
        best
        if best is not None and (best == end or _plausible_start(lines, best))
        else _alone(lines, end, quoted_next)
    )


def _plausible_start(lines: Sequence[str], at: int) -> bool:
    return _OPENER.match(plain(lines[at][:MAX_LINE])) is not None


def _alone(lines: Sequence[str], end: int, quoted_next: bool) -> int | None:
    return end if _is_attribution(plain(lines[end][:MAX_LINE]), quoted_next) else None


def _is_attribution(text: str, quoted_next: bool) -> bool:
    """Is this whole text a who-wrote line?"""
    if len(text) > MAX_ATTRIBUTION:
        return False
    dated = _YEAR_OR_TIME.search(text) is not None
    bracketed = _BRACKETED.search(text) is not None
    opened = _OPENER.match(text) is not None
    if has_verb(text):
        if dated and (opened or bracketed):
            return True
        if bracketed:
            return True
        if opened and _DIGIT.search(text) and (quoted_next or _ADDRESS.search(text)):
            return True
        if text.endswith("--") and text.startswith("--"):
            return True
        return quoted_next and len(text) <= 160
    if bracketed and dated and opened:
        return len(text) <= 400
    return quoted_next and dated and opened and len(text) <= 200


def _next_is_quoted(lines: Sequence[str], at: int) -> bool:
    for line in lines[at : at + 4]:
        if line.strip():
            return is_quoted(line)
    return False


def shared_attribution(line: str) -> int | None:
    """Where in a line an English who-wrote line begins after the writer's own words ("ok On Wed, ...
    wrote:").
    """
    if len(line) > MAX_LINE or not line.rstrip().endswith(("wrote:", "wrote", "wrote:*")):
        return None
    at = line.find("On ", 1)
    while at > 0:
        rest = line[at:]
        if (
            not line[at - 1].isalnum()
            and _YEAR_OR_TIME.search(rest)
            and re.match(r"On [\w,]{3,12}[\s,]", rest)
        ):
            while at > 0 and line[at - 1] in "- ":
                at -= 1
            return at
        at = line.find("On ", at + 3)
    return None
