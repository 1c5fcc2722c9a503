"""Header fields: from raw bytes to names, unfolded values, RFC 2047 words and RFC 2231 parameters decoded.

Linear in the size of the header whatever is in it.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from urllib.parse import unquote_to_bytes

from mail.charsets import clean, codec_name, decode

MAX_FIELDS = 2_000
MAX_VALUE_BYTES = 262_144
MAX_PARAMETERS = 64
MAX_WORDS = 3_000
"""Encoded words of one value that are decoded."""
# Most mails write the same few values; those of this length are remembered.
_SHORT = 60

_FIELD = re.compile(
    rb"([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)(?:\n|\Z)|([^\n]*+)(?:\n|\Z)",
)
_NAME = re.compile(rb"[!-9;-~]++[ \t]*+\Z")
# What mailbox files put before a mail.
_MBOX_LINES = re.compile(rb"(?:>?From (?![ \t]*+:)[^\n]*+\n)++")
_FOLDED = re.compile(rb"\n[ \t]++")
_KNOWN_FIELD = re.compile(
    rb"^(?:From|To|Cc|Bcc|Subject|Date|Sender|Reply-To|Message-ID|In-Reply-To|References|MIME-Version"
    rb"|Content-[A-Za-z-]{2,30}|Received|Return-Path|Delivered-To|X-[A-Za-z0-9-]{2,40}|DKIM-Signature|List-[A-Za-z-]{2,30})"
    rb"[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*+(?:\?(?!=)[^?]*+){0,3}+)\?=")
_GAP = re.compile(r"(\?=)[ \t\r\n]+(?==\?[^?\s]{1,60}\?[bBqQ]\?)")


def read_fields(block: bytes) -> tuple[list[tuple[str, bytes]], int]:
    """Name and unfolded raw value of each field of a header block, and where in the block the fields end.

    A line that is no field is skipped while known fields follow it; otherwise the body begins there.
    """
    unfolded = block.replace(b"\r\n", b"\n")
    if unfolded.startswith((b"From ", b">From ")):
        mbox = _MBOX_LINES.match(unfolded)
        if mbox is None or b" \n" in unfolded or b"\t\n" in unfolded or b"\r" in unfolded:
            return _read_broken_fields(block)
        unfolded = unfolded[mbox.end() :]
    if b"\n " in unfolded or b"\n\t" in unfolded:
        unfolded = _FOLDED.sub(b" ", unfolded)
    fields: list[tuple[str, bytes]] = []
    for line in unfolded.split(b"\n"):
        written, colon, value = line.partition(b":")
        name = (_short_name if len(written) <= _SHORT else _name)(written) if colon else ""
        if name:
            fields.append((name, value.strip()))
        elif line and not line.isspace():
            return _read_broken_fields(block)
    if b"\r" in unfolded:
        fields = [(name, _unfold(value) if b"\r" in value else value) for name, value in fields]
    if len(fields) > MAX_FIELDS:
        del fields[MAX_FIELDS:]
    if len(block) > MAX_VALUE_BYTES:
        fields = [(name, value[:MAX_VALUE_BYTES]) for name, value in fields]
    return fields, len(block)


def _name(written: bytes) -> str:
    """The name of a field as it stands before the colon; empty for what cannot be one."""
    return written.rstrip(b" \t").decode("ascii") if _NAME.match(written) is not None else ""


_short_name = lru_cache(maxsize=1024)(_name)


def _read_broken_fields(block: bytes) -> tuple[list[tuple[str, bytes]], int]:
    """As `read_fields`, for a block in which some line is no field."""
    fields: list[tuple[str, bytes]] = []
    last_known = max((known.start() for known in _KNOWN_FIELD.finditer(block)), default=-1)
    for match in _FIELD.finditer(block):
        name, value, other = match.groups()
        if name is not None:
            fields.append((name.decode("ascii"), _clean_value(value)))
            if len(fields) >= MAX_FIELDS:
                break
        elif other and not other.isspace():
            if not fields and other.startswith((b"From ", b">From ")):
                continue
            if match.end() > last_known:
                return fields, match.start()
    return fields, len(block)


def _clean_value(value: bytes) -> bytes:
    value = value.strip()
    if b"\n" in value or b"\r" in value:
        value = _unfold(value)
    return value[:MAX_VALUE_BYTES]


def decode_value(raw: bytes) -> str:
    """The value of a field as readable text: 8-bit bytes and RFC 2047 words decoded, storable."""
    text = raw.decode("ascii") if raw.isascii() and b"\x1b" not in raw else decode(raw)[0]
    if "=?" in text:
        text = decode_words(text)
    return text.replace("\x00", "") if "\x00" in text else text


def decode_pairs(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Fields given as text (Gmail API: messages.get, format=metadata), each value unfolded and decoded."""
    return tuple((clean(name), decode_value(raw_value(value))) for name, value in pairs)


def raw_value(value: str) -> bytes:
    """A value given as text in the form that `read_fields` gives: one line of bytes."""
    raw = clean(value).encode("utf-8")
    return _unfold(raw).strip()[:MAX_VALUE_BYTES]


def _unfold(value: bytes) -> bytes:
    """One line of a folded value; each fold becomes one space."""
    return b" ".join(line.strip(b" \t\r") for line in value.split(b"\n")).replace(b"\r", b" ")


def decode_words(text: str) -> str:
    """Text with its RFC 2047 encoded words decoded, the first `MAX_WORDS` of them; neighbours of one charset are
    joined before decoding, since senders cut characters in two."""
    text = _GAP.sub(r"\1", text)
    out: list[str] = []
    pending: list[bytes] = []
    charset = ""
    position = 0
    for match in islice(_WORD.finditer(text), MAX_WORDS):
        if match.start() > position or (pending and match[1].lower() != charset):
            if pending:
                out.append(_decode_word_bytes(b"".join(pending), charset))
                pending = []
            out.append(text[position : match.start()])
        charset = match[1].lower()
        pending.append(_word_bytes(match[2], match[3]))
        position = match.end()
    if pending:
        out.append(_decode_word_bytes(b"".join(pending), charset))
    out.append(text[position:])
    return "".join(out)


def _word_bytes(encoding: str, payload: str) -> bytes:
    data = payload.encode("utf-8", "replace")
    if encoding in "bB":
        return decode_base64(data)
    return binascii.a2b_qp(data.replace(b" ", b"_").replace(b"_", b"=20"))


def _decode_word_bytes(data: bytes, charset: str) -> str:
    return (_decode_short_word if len(data) <= _SHORT else _decode_word)(data, charset)


def _decode_word(data: bytes, charset: str) -> str:
    text = decode(data, charset)[0]
    # A decoded line break would let a value look like two fields.
    return text.replace("\r", " ").replace("\n", " ") if "\n" in text or "\r" in text else text


_decode_short_word = lru_cache(maxsize=4096)(_decode_word)


_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_PADDING = re.compile(rb"=[=\s]*")
_STRICT_BASE64 = re.compile(rb"[A-Za-z0-9+/\s]+\Z")


def decode_base64(data: bytes) -> bytes:
    """Bytes of base64 text; foreign characters are skipped, padding may be wrong, pieces glued together."""
    head = data.find(b"=")
    if head >= 0 and len(data) - head > 4:
        tail = data[head:].strip(b"= \t\r\n")
        if tail:
            return b"".join(map(_decode_piece, _glued_pieces(data)))
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        return _decode_piece(data)


def _glued_pieces(data: bytes) -> list[bytes]:
    """The runs of base64 between paddings; what a list or relay wrote below the last of them is left out."""
    pieces = _PADDING.split(data)
    whole = [piece for piece in pieces[1:-1] if _STRICT_BASE64.match(piece)]
    last = pieces[-1]
    if _STRICT_BASE64.match(last) and len(b"".join(last.split())) % 4 == 0:
        whole.append(last)
    return [pieces[0], *whole]


def _decode_piece(data: bytes) -> bytes:
    data = _NOT_BASE64.sub(b"", data)
    if len(data) % 4 == 1:
        data = data[:-1]
    return binascii.a2b_base64(data + b"=" * (-len(data) % 4))


_PARAMETER = re.compile(
    r";\s*+([^\s=;\"]++)\s*+=\s*+(?:\"((?:[^\"\\]++|\\.)*+)\"|([^;]*+))",
    re.DOTALL,
)
_SECTION = re.compile(r"([^*]+)(?:\*(\d{1,4}))?(\*)?\Z")
_UNESCAPE = re.compile(r"\\(.)", re.DOTALL)


def read_parameters(raw: bytes) -> tuple[str, dict[str, str]]:
    """The leading value (lower case) and the parameters of a Content-Type or Content-Disposition field.

    Parameter names are lower case; RFC 2231 continuations and charsets and RFC 2047 words are decoded.
    """
    value, parameters = _read_short(raw) if len(raw) <= _SHORT else _read_parameters(raw)
    return value, dict(parameters)


@lru_cache(maxsize=1024)
def _read_short(raw: bytes) -> tuple[str, dict[str, str]]:
    return _read_parameters(raw)


def _read_parameters(raw: bytes) -> tuple[str, dict[str, str]]:
    text = clean(raw.decode("ascii") if raw.isascii() else decode(raw)[0])
    head, _, _ = text.partition(";")
    parameters: dict[str, str] = {}
    if len(head) == len(text):
        return head.strip().lower(), parameters
    sections: dict[str, list[tuple[int, bool, str]]] = {}
    for number, match in enumerate(_PARAMETER.finditer(text, len(head))):
        if number >= MAX_PARAMETERS:
            break
        name = match[1].lower()
        value = match[2]
        value = (
            match[3].strip().strip("\"'")
            if value is None
            else _UNESCAPE.sub(r"\1", value)
            if "\\" in value
            else value
        )
        if "*" in name:
            section = _SECTION.match(name)
            if section is not None:
                sections.setdefault(section[1], []).append((int(section[2] or 0), bool(section[3]), value))
            continue
        if name not in parameters:
            parameters[name] = decode_words(value) if "=?" in value else value
    for name, parts in sections.items():
        parameters[name] = _join_sections(parts)
    return head.strip().lower(), {name: clean(value) for name, value in parameters.items()}


def _join_sections(parts: list[tuple[int, bool, str]]) -> str:
    """RFC 2231, 3 and 4: sections in their order, the first extended one names the charset."""
    parts.sort(key=lambda part: part[0])
    charset = ""
    data = b""
    for number, (_, extended, value) in enumerate(parts):
        if extended:
            if number == 0 and value.count("'") >= 2:
                charset, _, value = value.split("'", 2)
            data += unquote_to_bytes(value)
        else:
            data += value.encode("utf-8", "replace")
    text = decode(data, charset if codec_name(charset) else None)[0]
    return decode_words(text) if "=?" in text else text
