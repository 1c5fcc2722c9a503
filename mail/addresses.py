"""Address fields, as the world writes them: groups, bare names, broken quoting, commas inside names.

One pass over the tokens of the value; encoded words are atoms, decoded only after the split.
"""

from __future__ import annotations

import re

from mail.charsets import clean, decode
from mail.headers import decode_words
from mail.message import Address

MAX_ADDRESSES = 2_000
MAX_TOKENS = 20_000
"""Of one field: the names, brackets and separators of MAX_ADDRESSES, twice over."""
# RFC 5321 allows 254 octets; broken mail gets room, absurd mail does not.
MAX_EMAIL_LENGTH = 500
MAX_NAME_LENGTH = 1_000

_WORD = r"(?P<word>=\?[^?\s]{1,60}\?[bBqQ]\?[^?]*+\?=)"
_QUOTED_STRING = r"(?P<quoted>\"(?:[^\"\\]++|\\.)*+\")"
_OTHERS = r"(?P<angle><[^<>]*+>)|(?P<mark>[,;:<>()\"])|(?P<text>(?:[^,;:<>()\"=]++|=(?!\?))++|=)"
_TOKEN = re.compile(f"{_WORD}|{_QUOTED_STRING}|{_OTHERS}", re.DOTALL)
# For what follows a quote that never closes.
_TOKEN_UNQUOTED = re.compile(f"{_WORD}|{_OTHERS}", re.DOTALL)
_EMAIL = re.compile(
    r"(?<![^\s<>,;:\"()\[\]@])[^\s<>,;:\"()\[\]@]{1,300}@(?:\[[^\]\s]{1,100}\]|[^\s<>,;:\"()\[\]@]{1,300})"
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_QUOTED = re.compile(r"(\"(?:[^\"\\]++|\\.)*+\")", re.DOTALL)
_QUOTED_LOCAL = re.compile(r"\"[^\"\\<>]{1,64}\"@[^\s<>,;\"()]+\Z")
_VEILED = re.compile(r"([^\s@<>]{1,64}) at ([A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8})\Z")
_EMPTY_BRACKETS = re.compile(r"\[\s{0,5}\]|<\s{0,5}>")
_SPACES = re.compile(r"\s+")
_LOCAL_NAME = re.compile(r"[^\s<>@\"(),:;=]{1,100}\Z")
# One mailbox without anything odd: what nearly all fields hold.
_EMAIL_BYTES = rb"[A-Za-z0-9!#$%&*+/=?^_{|}~.-]{1,64}@[A-Za-z0-9.-]{1,200}[A-Za-z0-9]"
_SIMPLE = re.compile(
    rb"(?:(?:([A-Za-z0-9!#$&*+/^_{|}.-]++(?: [A-Za-z0-9!#$&*+/^_{|}.-]++)*+) |\"([A-Za-z0-9 !#$&*+/^_{|},.-]*+)\" ?"
    rb"|((?:=\?[A-Za-z0-9-]{1,30}\?[bBqQ]\?[^?\s\"]*+\?= )++))?<("
    + _EMAIL_BYTES
    + rb")>|("
    + _EMAIL_BYTES
    + rb"))\Z"
)
_COMMENT = re.compile(r"\([^()]*+\)")
_ANGLE = re.compile(r"<([^<>]*+)>")
_AFTER_QUOTED = re.compile(r"\s*(?:[<,;(@.\[]|=\?|\Z)")
_JUNK = " \t\r\n\"'<>,;"


def read_addresses(raw: bytes) -> tuple[Address, ...]:
    """The mailboxes in the raw value of an address field, at most `MAX_ADDRESSES`; group names go."""
    if not raw:
        return ()
    plain = _read_plain(raw)
    if plain is not None:
        return plain
    text = clean(raw.decode("ascii") if raw.isascii() and b"\x1b" not in raw else decode(raw)[0])
    if "&lt;" in text or not text.isascii():
        # As pages show addresses, and as East Asian keyboards write them.
        text = text.replace("&lt;", "<").replace("&gt;", ">").replace("＜", "<").replace("＞", ">")
    found = _Reader(text).read()
    if not any("@" in address.email for address in found) and "=?" in text:
        decoded = decode_words(text)
        if "@" in decoded:
            found = _Reader(decoded).read()
    return tuple(found)


def _read_plain(raw: bytes) -> tuple[Address, ...] | None:
    """The mailboxes where each is of the usual form; None where the field needs a real look."""
    if not raw.isascii():
        return None
    found: list[Address] = []
    pieces = raw.split(b",") if b"," in raw and b'"' not in raw else (raw,)
    for piece in pieces[:MAX_ADDRESSES]:
        match = _SIMPLE.match(piece.strip())
        if match is None:
            return None
        name, quoted, words, angle, bare = match.groups()
        if words is not None:
            shown = clean_name(words.decode("ascii"))
        else:
            shown = (name or quoted or b"").decode("ascii").strip()
        found.append(Address(shown, (bare or angle).decode("ascii")))
    return tuple(found)


def lone_angle(raw: bytes) -> str | None:
    """The address in angle brackets where a field holds exactly one such: in a From that is the sender."""
    if raw.count(b"<") < 1:
        return None
    text = clean(raw.decode("ascii") if raw.isascii() else decode(raw)[0])
    found = [inner for inner in _ANGLE.findall(text) if "@" in inner]
    return clean_email(found[0]) or None if len(found) == 1 else None


class _Reader:
    """Reads one value; `pending` is where a name that lacked its address began (a comma inside a name)."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[Address] = []
        self.start = 0
        self.pending: int | None = None
        self.comments_close = True
        self.reset()

    def reset(self) -> None:
        self.phrase: list[str] = []
        self.comments: list[str] = []
        self.angle: str | None = None
        self.angle_start = 0

    def read(self) -> list[Address]:
        text = self.text
        position, end = 0, len(text)
        unquoted_until = 0
        has_group_end = ";" in text
        for _ in range(MAX_TOKENS):
            if position >= end or len(self.found) >= MAX_ADDRESSES:
                break
            match = (_TOKEN_UNQUOTED if position < unquoted_until else _TOKEN).match(text, position)
            if match is None:
                position += 1
                continue
            kind = match.lastgroup
            token = match[0]
            position = match.end()
            if kind == "text" or kind == "word":
                self.phrase.append(token)
            elif kind == "quoted":
                if "<" in token and "@" in token and _AFTER_QUOTED.match(text, position) is None:
                    # The closing quote was forgotten: the one that was found opens the next name.
                    position = match.start() + 1
                    unquoted_until = match.end() - 1
                else:
                    self.phrase.append(token)
            elif kind == "angle":
                if self.angle is None or "@" not in self.angle:
                    self.angle = token[1:-1]
                    self.angle_start = match.start()
                elif "@" in token:
                    self.flush(match.start())
                    self.angle = token[1:-1]
                    self.angle_start = match.start()
            elif token in ",;":
                self.flush(match.start())
                self.start = position
                if token == ";":
                    self.drop_pending()
            elif token == ":":
                position = self.colon(position, has_group_end)
            elif token == "(":
                position = self.comment(position)
            elif token == "<":
                position = self.open_angle(position)
            elif token == '"' and position > unquoted_until:
                unquoted_until = end
        self.flush(end)
        self.drop_pending()
        return self.found

    def colon(self, position: int, has_group_end: bool) -> int:
        """A group's name ends here; `mailto:` and a colon inside a name do not."""
        is_mailto = len(self.phrase) == 1 and self.phrase[0].strip().lower() == "mailto"
        if self.angle is not None or (not is_mailto and any("@" in piece for piece in self.phrase[-1:])):
            self.phrase.append(":")
        elif is_mailto or has_group_end:
            self.reset()
            self.start = position
            self.pending = None
        else:
            self.phrase.append(":")
        return position

    def comment(self, position: int) -> int:
        """Reads a comment; nested ones count, one that does not end is a plain parenthesis."""
        if not self.comments_close:
            return position
        depth = 1
        index = position
        limit = min(len(self.text), position + MAX_NAME_LENGTH)
        while index < limit:
            char = self.text[index]
            if char == "\\":
                index += 1
            elif char == "(":
                depth += 1
            elif char == ")":
                depth -= 1
                if depth == 0:
                    self.comments.append(self.text[position:index])
                    return index + 1
            index += 1
        # Looking again from each further parenthesis would not be linear.
        self.comments_close = False
        return position

    def open_angle(self, position: int) -> int:
        """A bracket that does not close: the address runs to the next separator."""
        if self.angle is not None:
            return position
        match = _EMAIL.match(self.text, position)
        if match is None:
            return position
        self.angle = match[0]
        self.angle_start = position - 1
        return match.end()

    def flush(self, end: int) -> None:
        if self.angle is not None:
            email = clean_email(self.angle)
            if email:
                start = self.start if self.pending is None else self.pending
                name = clean_name(
                    self.text[start : self.angle_start] if self.pending is not None else "".join(self.phrase)
                )
                if not name and self.comments:
                    name = clean_name(self.comments[-1])
                self.found.append(Address(name, email))
            elif (inner := _EMAIL.search("".join(self.phrase))) is not None:
                self.found.append(Address("", clean_email(inner[0])))
            elif _LOCAL_NAME.match(local := "".join(self.phrase).strip(_JUNK)):
                # "MAILER-DAEMON <>": the name is all that there is.
                self.found.append(Address("", local))
            self.pending = None
        else:
            self.flush_bare("".join(self.phrase).strip())
        self.reset()
        self.start = end

    def flush_bare(self, phrase: str) -> None:
        if not phrase and not self.comments:
            return
        joined = _join_at(phrase) if "@" in phrase else ""
        match = _EMAIL.search(joined) if joined else None
        if match is None and '"' in joined and joined.count("@") == 1 and len(joined) <= MAX_EMAIL_LENGTH:
            email = clean_email(joined)
            self.found.append(Address("", email))
            self.pending = None
            return
        if match is None:
            other = self.veiled(phrase)
            if other is not None:
                self.found.append(other)
                self.pending = None
            elif self.pending is None:
                self.pending = self.start
            return
        rest = _EMPTY_BRACKETS.sub(" ", f"{joined[: match.start()]} {joined[match.end() :]}")
        name = clean_name(rest) or (clean_name(self.comments[-1]) if self.comments else "")
        self.found.append(Address(name, clean_email(match[0])))
        self.pending = None

    def veiled(self, phrase: str) -> Address | None:
        """An address in the comment ("Ann (ann@example.org)"), or as archives of lists veil it ("ann at
        example.org (Ann)").
        """
        comment = self.comments[-1] if self.comments else ""
        inside = _EMAIL.search(comment) if "@" in comment else None
        if inside is not None:
            return Address(clean_name(phrase), clean_email(inside[0]))
        found = _VEILED.match(phrase) if " at " in phrase else None
        return Address(clean_name(comment), f"{found[1]}@{found[2]}") if found is not None else None

    def drop_pending(self) -> None:
        """What still waits for its address is a local name (MAILER-DAEMON, root) or nothing."""
        if self.pending is None:
            return
        text = self.text[self.pending : self.start].strip(" \t,;")
        self.pending = None
        bare, _, comment = text.partition("(")
        bare = bare.strip(_JUNK)
        if _LOCAL_NAME.match(bare):
            self.found.append(Address(clean_name(comment.rpartition(")")[0]), bare))


def _join_at(text: str) -> str:
    """The text with single spaces, and none around an @."""
    return " ".join(text.split()).replace(" @", "@").replace("@ ", "@")


def clean_name(text: str) -> str:
    """A display name: words decoded, quotes and escapes undone, spaces single."""
    if not text:
        return ""
    text = text[: 4 * MAX_NAME_LENGTH]
    if '"' in text or "\\" in text:
        text = "".join(
            _ESCAPE.sub(r"\1", piece[1:-1]) if len(piece) > 1 and piece[0] == '"' else piece.replace('"', "")
            for piece in _QUOTED.split(text)
        )
    if "=?" in text:
        text = decode_words(text)
    if "[mailto:" in text:
        text = text.replace("[mailto:", "").replace("]", "")
    text = _SPACES.sub(" ", text).strip()
    if len(text) > 1 and text[0] == text[-1] == "'":
        text = text[1:-1].strip()
    return "" if text in ("[]", "[ ]") else text[:MAX_NAME_LENGTH]


def clean_email(text: str) -> str:
    """An address without junk around it: quotes, brackets, mailto:, source route, spaces, dots; or nothing."""
    if "=?" in text:
        text = decode_words(text)
    if _QUOTED_LOCAL.match(text.strip()):
        return text.strip() if len(text) <= MAX_EMAIL_LENGTH else ""
    if "(" in text:
        text = _COMMENT.sub("", text)
    text = text.strip(_JUNK)
    if text[:7].lower() == "mailto:":
        text = text[7:].partition("?")[0]
    if text.startswith("@") and ":" in text:
        text = text.rpartition(":")[2]
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    text = text.strip(_JUNK).rstrip(".")
    if ";" in text or "," in text:
        match = _EMAIL.search(text)
        text = match[0] if match else text
    if _SPACES.search(text):
        text = _join_at(text) if "@" in text else text.replace(" at ", "@", 1)
        match = _EMAIL.search(text)
        text = match[0] if match else ""
    return text if len(text) <= MAX_EMAIL_LENGTH else ""
