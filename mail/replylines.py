"""What the single lines of a body mean: who-wrote lines, header blocks, "original message" lines.

Each function looks at a bounded number of lines and a bounded part of each, so that reading a whole body
stays linear however hostile it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from mail.labels import (
    FORWARDED_MESSAGE,
    LABELS,
    MAX_LABEL,
    ORIGINAL_MESSAGE,
    WROTE,
    Role,
    fold,
    label,
    plain,
)

MAX_LINE = 600
"""Characters of one line that are looked at."""
MAX_ATTRIBUTION_LINES = 6
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
    | (?:mon|tue|wed|thu|fri|sat|sun|lun|mar|mer|jeu|ven|sam|dim|mié|mie|jue|vie|sáb|sab|dom|seg|qua|
    qui|sex|gio|ma|di|wo|do|vr|za|zo|mo|mi|fr|sa|so|man|tir|ons|tor|fre|lør|søn|mån|tis|lör|sön|pon|
    wt|śr|czw|pt|sob|nied|po|út|st|čt|pá|ne|hét|sze|csüt|pén|vas|luni|marți|miercuri|joi|vineri|sâmb|
    dum|pzt|sal|çar|per|cum|paz|reede|esmas|teisip|kolmap|neljap|laup
    |pühap)\w{0,9}[.,)]{0,2}\s{1,3}(?:\S{1,14}\s{1,3})?\d
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_DIGIT = re.compile(r"\d")
_YEAR_OR_TIME = re.compile(r"(?:19|20)\d\d|\d{1,2}[:.h]\d\d|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}")
_ADDRESS = re.compile(r"[^\s<>@\"'(),;:]{1,80}@[^\s<>@\"'(),;:]{2,120}")
_BRACKETED = re.compile(r"[<(\[]\s?(?:mailto:)?[^\s<>@]{1,80}@[^\s<>@]{2,120}\s?[>)\]]")
_DASHED = re.compile(r"^[\s>]{0,12}[-_=*~–—#+]{2,60}[ \t]{0,4}(?=[^\s\-_=*~–—#+])(.{2,200})")
_DASH_RUN = re.compile(r"[-_=*~–—#+]{2,60}")
_RULE = re.compile(r"^[\s]{0,4}[-_=*–—]{5,200}\s*$")
_CLOSING = re.compile(r"^>\s?(?:\w{1,20}\s?){0,3}[:：]$")
_ADDRESS_WROTE = re.compile(
    r"^<?[^\s<>@]{1,80}@[^\s<>@]{2,120}>?\s+[^\W\d_]{2,15}(?:\s[^\W\d_]{2,15})?\s?[:：]$",
)
_CONTINUED = re.compile(r"^(?:>|<$|[<(\[]?(?:mailto:)?[^\s<>@]{1,80}@\S{1,120}>\s?(?!.*\d))")
_OLD_GMAIL = re.compile(r"^\d{4}-\d\d-\d\d \d{1,2}:\d\d (?:GMT|UTC)[+-]\d\d:\d\d .{1,80}$")
_STARTS_WITH_DATE = re.compile(r"^\d{1,4}[-./]\d{1,2}[-./]\d{1,4}\s")
_BETWEEN_ANGLES = re.compile(r"^>>> ?[^\s>].{2,250}\d[:.]\d\d(?: [AP]M)? ?>>>\s*$")
_WORD = re.compile(r"[^\W\d_]+(?:[\'’.()/]{1,2}[^\W\d_]*)*")
_CJK_VERBS = tuple(sorted(word for word in WROTE if not word.isascii() and any(c >= "\u0900" for c in word)))
_PHRASES = frozenset(word for word in WROTE if " " in word)
_ALL_PHRASES = tuple(_PHRASES)
_ASCII_PHRASES = tuple(phrase for phrase in _PHRASES if phrase.isascii())
VERB_STEMS = (
    "wr",
    "scr",
    "schr",
    "skr",
    "pis",
    "psal",
    "kirj",
    "yozdi",
    "shkroi",
    "missatge",
    "idatzi",
    "sinulat",
    "aliand",
)
"""One of these is in every verb that is plain ASCII: a cheap first look."""
_WORDS = WROTE - _PHRASES - frozenset({"via", "sent", "said", "menulis"})


_HEAD = frozenset(">|-_=*~–—#+&\ufeff0123456789")
_MARKER_ENDS = frozenset(":：*\u200e\u202c")
DASHES = frozenset("-_=*~–—#+>")
_LAST = frozenset(":：՝៖-–—…*_>])\u200e\u200f\u202a\u202b\u202c\u2068\u2069")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_TIME = re.compile(r"(?<!\d)\d{1,2}[:.h]\d\d(?!\d)")
_PRECISE = re.compile(r"\d{1,2}[:.h]\d\d|\d{1,4}[./-]\d{1,2}[./-]\d{1,4}")


def is_telling(line: str) -> bool:
    """A cheap first look: may the line be anything but the writer's plain text?"""
    if ":" in line or "--" in line or "@" in line or line.lstrip()[:1] in _HEAD:
        return True
    return line.rstrip()[-1:] in _LAST or (not line.isascii() and "：" in line)


def may_attribute(line: str) -> bool:
    """A cheap first look: may a who-wrote line end here?"""
    last = line[-1:]
    if not last.isalnum() and last not in ".,;!?" and _ends(line):
        return True
    return ("@" in line and any(map(str.isdigit, line[:24]))) or (
        line[:1].isdigit() and ("GMT" in line or "UTC" in line)
    )


def _ends(line: str) -> bool:
    """Does the line end as who-wrote lines do: with a colon, dashes or dots?"""
    return line.rstrip(" \t\r*_>])\u200e\u200f\u202a\u202b\u202c\u2068\u2069").endswith(
        (":", "：", "՝", "៖", "--", "––", "——", "…")
    )


@lru_cache(maxsize=512)
def has_verb(text: str) -> bool:
    """Does the text hold the verb of a who-wrote line, in any language?"""
    folded = fold(text)
    plain_ascii = folded.isascii()
    if plain_ascii and not _holds(folded, VERB_STEMS):
        return False
    found = _WORD.findall(folded)
    if not _WORDS.isdisjoint(found):
        return True
    # Only marks that join words may be in the way of one.
    if (not plain_ascii or "(" in folded or ")" in folded or "." in folded) and not _WORDS.isdisjoint(
        [word.strip("().") for word in found]
    ):
        return True
    if plain_ascii:
        return _holds(folded, _ASCII_PHRASES)
    return _holds(folded, _ALL_PHRASES) or _holds(folded, _CJK_VERBS)


def _holds(text: str, words: tuple[str, ...]) -> bool:
    for word in words:  # noqa: SIM110 - half the time of any()
        if word in text:
            return True
    return False


def is_quoted(line: str) -> bool:
    """A line that its client marked as quoted ("> text")."""
    if line[:1] == ">":
        return True
    head = line[:8].lstrip(" \t\ufeff")
    if head.startswith("|"):
        # A row of a table ends with a bar too.
        return head[1:2] in {"", " ", "|", ">", "\n"} and not (len(head) > 1 and line.rstrip().endswith(" |"))
    return head.startswith((">", "&gt;"))


def dashed_phrase(line: str) -> str | None:
    """The folded words of "-----Original Message-----" and its like; None where the line is no such line.

    Some clients run the header on in the same line, others say it in two languages: the first words count.
    """
    return _dashed_phrase(line[:300]) if line.lstrip()[:1] in DASHES else None


@lru_cache(maxsize=512)
def _dashed_phrase(head: str) -> str | None:
    found = _DASHED.match(head)
    if found is None:
        return None
    words = _DASH_RUN.split(found[1], maxsplit=1)[0].replace("&nbsp;", " ")
    return fold(plain(words)).strip(" :|")


def _heads(phrase: str) -> tuple[str, ...]:
    """The phrase, and what stands before a colon or a slash in it."""
    if ":" not in phrase and "/" not in phrase:
        inner = phrase.strip()
        return (phrase,) if inner == phrase else (phrase, inner)
    return (phrase, phrase.split(":", 1)[0].strip(), phrase.split("/", 1)[0].strip())


def is_forward_marker(line: str) -> bool:
    """The line above a forwarded mail: "---------- Forwarded message ---------", "Begin forwarded
    message:".
    """
    phrase = dashed_phrase(line)
    return _names_forward(phrase) if phrase is not None else _ends_as_marker(line)


@lru_cache(maxsize=512)
def _names_original(phrase: str) -> bool:
    return any(head in ORIGINAL_MESSAGE for head in _heads(phrase))


_BY = (" by", " von", " par", " por", " da", " door", " av", " af")
_FORWARD_STARTS = (
    *("forwarded message", "begin forwarded", "start of forwarded"),
    *(f"{phrase} " for phrase in FORWARDED_MESSAGE if phrase.endswith(_BY)),
)
"""Notes names whoever forwards, and when; others the writer."""


@lru_cache(maxsize=512)
def _names_forward(phrase: str) -> bool:
    return any(head in FORWARDED_MESSAGE or head.startswith(_FORWARD_STARTS) for head in _heads(phrase))


def _ends_as_marker(line: str) -> bool:
    if len(line) > 120 or line.rstrip()[-1:] not in _MARKER_ENDS:
        return False
    words = fold(plain(line)).lstrip("> ").rstrip(" :：")
    return words in FORWARDED_MESSAGE and (" " in words or not words.isascii())


Splitter = Literal["forward", "original", "block"]


def names_writer_between_angles(line: str) -> bool:
    """GroupWise's who-wrote line: ">>> Ann Lee 03.06.2024 10:15 >>>"."""
    return line.startswith(">>>") and len(line) <= 300 and _BETWEEN_ANGLES.match(line) is not None


def splitter(lines: Sequence[str], at: int) -> Splitter | None:
    """What line `at` opens: a forward marker, an "original message" line, a header block (or the rule above
    one).
    """
    line = lines[at]
    if line.lstrip()[:1] in DASHES:
        phrase = dashed_phrase(line)
        if phrase is None:
            if is_rule(line):
                return "block" if block_below(lines, at) is not None else None
        elif _names_forward(phrase):
            return "forward"
        elif _names_original(phrase):
            return "original"
    if _ends_as_marker(line):
        return "forward"
    return "block" if header_block(lines, at) is not None else None


def block_below(lines: Sequence[str], at: int) -> int | None:
    """Where the header block begins that stands right below line `at`, blank lines between; None if none
    does.
    """
    for below in range(at + 1, min(at + 6, len(lines))):
        if lines[below].strip("> \t\ufeff"):
            return below if header_block(lines, below) is not None else None
    return None


def is_titled_block(lines: Sequence[str], at: int) -> bool:
    """A dashed title or a line with a colon, right above a header block with ">" or labels: a marker in
    unknown words.
    """
    line = lines[at].rstrip()
    if len(line) > 80 or not line.endswith((":", "：", "--", "==", "**")):
        return False
    text = plain(line).lstrip("> ")
    phrase = dashed_phrase(line)
    dashed = phrase is not None and len(phrase) > 5 and line.endswith("---")
    if (not dashed and not text.endswith((":", "："))) or label(text) is not None:
        return False
    below = at + 1
    while below < len(lines) and below < at + 4 and not lines[below].strip("> \t"):
        below += 1
    if below >= len(lines):
        return False
    if not dashed and not is_quoted(lines[below]):
        return False
    roles = header_block(lines, below)
    return roles is not None and len(roles) >= 3


def is_rule(line: str) -> bool:
    """A line of nothing but five or more dashes or underscores."""
    return line.lstrip()[:1] in DASHES and len(line) <= 220 and _RULE.match(line) is not None


def header_block(lines: Sequence[str], at: int) -> dict[Role, str] | None:
    """The headers that a client wrote into the body from line `at` on, by role; None where no such block
    starts there.

    A block has at least two different roles, one of them the sender or the date; with only two, one value
    must be an address or a date. Blank lines between the fields are allowed, and wrapped values.
    """
    head = lines[at][: MAX_LABEL + 20]
    colon = head.find(":")
    in_table = head.startswith("|")
    if colon < 0 and "：" not in head and not in_table:
        return None
    if not in_table and head.isascii() and head[:colon].strip(" \t*>[]").lower() not in LABELS:
        return None
    first = label(_field(lines[at]))
    if first is None or first[0] == "other":
        return None
    roles: dict[Role, str] = {first[0]: first[1]}
    strangers = blanks = 0
    last: Role = first[0]
    for line in lines[at + 1 : at + MAX_BLOCK_LINES]:
        text = _field(line)
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
        if last in roles and last != "other":
            break
        roles[last] = found[1]
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


def _field(line: str) -> str:
    """A line of a header block without the marks of its client; a row of two cells as "label: value"."""
    text = plain(line[:MAX_LINE]).lstrip("> ")
    if text[:1] != "|" or text[-1:] != "|":
        return text
    name, _, value = text.strip("| ").partition("|")
    return f"{name.strip()}: {value.strip()}"


def attribution_start(lines: Sequence[str], end: int) -> int | None:
    """First line of the who-wrote line ("On Monday, Ann <a@b> wrote:") that ends on line `end`; None if
    none ends there.

    Clients wrap such lines anywhere: lines are joined upwards until verb, date and address are together and
    brackets close.
    """
    raw = lines[end]
    if not may_attribute(raw):
        return None
    ends = _ends(raw)
    tail = plain(raw[-MAX_LINE:])
    if not tail:
        return None
    if is_quoted(tail) and not (_CLOSING.match(tail) and end > 0 and "@" in lines[end - 1][-MAX_LINE:]):
        return None
    if not ends and not _ends(tail):
        return end if len(raw) <= 300 and _ends_without_colon(tail, _next_is_quoted(lines, end + 1)) else None
    verb = has_verb(tail)
    if not verb and "@" not in tail and len(tail) > 2 and _DIGIT.search(tail) is None:
        return None
    return _joined_upwards(lines, end, verb)


def _joined_upwards(lines: Sequence[str], end: int, verb: bool) -> int | None:
    quoted_next = _next_is_quoted(lines, end + 1)
    joined = ""
    weak: int | None = None
    blanks = 0
    for start in range(end, max(-1, end - MAX_ATTRIBUTION_LINES), -1):
        line = plain(lines[start][:MAX_LINE])
        if not line:
            blanks += 1
            if blanks > 1:
                break
            continue
        if start != end and (is_quoted(line) or (_ends(line) and not line.endswith(("--", "…")))):
            break
        joined = f"{line} {joined}" if joined else line
        if len(joined) > MAX_ATTRIBUTION:
            break
        verb = verb or has_verb(line)
        strength = _strength(joined, verb, quoted_next)
        if strength == 2 and _closes(joined) and not _CONTINUED.match(line):
            return start - 1 if start > 0 and _dates_below(lines[start - 1], joined) else start
        if strength == 1 and weak is None:
            weak = start
    return weak


def _dates_below(above: str, attribution: str) -> bool:
    """Is the line above the date of a who-wrote line that has none itself?"""
    if _YEAR_OR_TIME.search(attribution) is not None or not 12 < len(above) <= 60:
        return False
    text = plain(above)
    return (
        _OPENER.match(text) is not None
        and _TIME.search(text) is not None
        and _YEAR_OR_TIME.search(text) is not None
        and text[-1:] not in ".!?:;"
    )


def _closes(text: str) -> bool:
    """Does every bracket that closes in the text open in it too?"""
    return text.count("<") >= text.count(">") and text.count("(") >= text.count(")")


def _strength(text: str, verb: bool, quoted_next: bool) -> int:
    """2: surely a who-wrote line as a whole. 1: one, if no line above makes it surer. 0: none."""
    bracketed = "@" in text and _BRACKETED.search(text) is not None
    if not verb and not bracketed and not quoted_next:
        return 0
    dated = _YEAR_OR_TIME.search(text) is not None
    if verb:
        if (bracketed and (dated or len(text) <= 200)) or _ADDRESS_WROTE.match(text):
            return 2
        if "@" in text and _PRECISE.search(text) and _ADDRESS.search(text):
            return 2
        opened = _OPENER.match(text) is not None
        if opened and (_PRECISE.search(text) or (dated and quoted_next)):
            return 2
        if (text.startswith("--") and text.endswith("--")) or (_YEAR.search(text) and _TIME.search(text)):
            return 2
        if opened and _DIGIT.search(text) and (quoted_next or _ADDRESS.search(text)):
            return 2
        return 1 if quoted_next and len(text) <= 160 else 0
    if not dated:
        return 0
    if bracketed and len(text) <= 400 and (quoted_next or _OPENER.match(text)):
        return 2
    return 1 if quoted_next and len(text) <= 200 and _OPENER.match(text) else 0


def introduces_block(line: str) -> bool:
    """A who-wrote line or the words of a forward, without colon, above a header block that says the rest."""
    text = plain(line[:MAX_LINE])
    if _names_forward(fold(text[:120])):
        return True
    return (
        len(text) <= 200
        and _PRECISE.search(text) is not None
        and _OPENER.match(text) is not None
        and has_verb(text)
    )


def _ends_without_colon(text: str, quoted_next: bool) -> bool:
    """ "2013/7/20 Ann <a@b>" above quoted lines, and "On ... Ann <a@b> wrote", as some clients have it."""
    if _OLD_GMAIL.match(text):
        return True
    if not _DIGIT.search(text[:24]) or not _OPENER.match(text):
        return False
    if text.endswith(">") and quoted_next:
        return _BRACKETED.search(text) is not None and _STARTS_WITH_DATE.match(text) is not None
    if _BRACKETED.search(text) is None or _YEAR_OR_TIME.search(text) is None:
        return False
    return has_verb(text[-24:]) and has_verb(text)


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
