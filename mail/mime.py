"""The tree of MIME parts of any bytes. Only offsets are taken; bodies are decoded when asked for.

The outer boundary is looked for before the inner one, so that a mail never costs more than its size
times `MAX_DEPTH`.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field

from mail.headers import decode_base64, decode_value, read_fields, read_parameters

MAX_DEPTH = 30
MAX_PARTS = 1_000
MAX_HEADER_BYTES = 1_048_576
# Where an undeclared boundary is looked for.
GUESS_BYTES = 65_536

_BLANK = re.compile(rb"\n\r*\n")
_EMPTY_LINE = re.compile(rb"\r*\n")
_LEADING_BLANK = re.compile(rb"(?:[ \t\r]*\n)+(?=[!-9;-~]+:)")
_INDENTED = re.compile(
    rb"[ \t]{1,20}(?=(?:From|To|Subject|Date|Received|Message-ID|Return-Path|Delivered-To):)", re.IGNORECASE
)
_DELIMITER_END = re.compile(rb"(--)?[ \t]*(?:\r*\n|\r|\Z)")
_GUESSED = re.compile(rb"(?:\A|\n)--([^\r\n]{1,200}+)\r*+\n(?=Content-[A-Za-z-]{2,30}:)", re.IGNORECASE)
_QP_SPACE = re.compile(rb"=[ \t]+(?=\r?\n|\Z)")
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+*-]+")


@dataclass(slots=True)
class Part:
    """One MIME part: its raw fields, and where its body lies in `source`."""

    source: bytes
    start: int
    end: int
    fields: list[tuple[str, bytes]]
    part_id: str
    content_type: str = "text/plain"
    parameters: dict[str, str] = field(default_factory=dict)
    typed: bool = False
    disposition: str = ""
    filename: str = ""
    content_id: str | None = None
    encoding: str = ""
    children: list[Part] = field(default_factory=list)

    def raw(self) -> bytes:
        """The body as it lies in the mail, transfer encoding included."""
        return self.source[self.start : self.end]

    def payload(self) -> bytes:
        """The body with its transfer encoding undone."""
        return decode_transfer(self.raw(), self.encoding, text=self.content_type.startswith("text/"))


def read_tree(source: bytes, problems: list[str]) -> Part:
    """The root part of a mail; what is odd about its structure is added to `problems`."""
    reader = _TreeReader(source, problems)
    start = 0
    leading = _LEADING_BLANK.match(source)
    if leading is not None:
        start = leading.end()
    indented = _INDENTED.match(source, start)
    if indented is not None:
        # The space would make the first field the rest of one that is not there.
        start = indented.end()
    return reader.part(start, len(source), "", "text/plain", 0)


class _TreeReader:
    def __init__(self, source: bytes, problems: list[str]) -> None:
        self.source = source
        self.problems = problems
        self.count = 0

    def part(self, start: int, end: int, part_id: str, default: str, depth: int) -> Part:
        self.count += 1
        body, fields = self.fields(start, end, depth)
        part = Part(self.source, body, end, fields, part_id, content_type=default)
        read_content_fields(part)
        if part.content_type.startswith("multipart/"):
            if depth >= MAX_DEPTH:
                self.note("parts nested too deep")
            else:
                self.split(part, depth)
        elif depth == 0 and not part.typed:
            self.split_undeclared(part)
        return part

    def fields(self, start: int, end: int, depth: int) -> tuple[int, list[tuple[str, bytes]]]:
        """Where the body begins, and the fields before it."""
        source = self.source
        empty = _EMPTY_LINE.match(source, start, end)
        if empty is not None:
            return empty.end(), []
        blank = _BLANK.search(source, start, min(end, start + MAX_HEADER_BYTES))
        block_end = blank.start() + 1 if blank is not None else min(end, start + MAX_HEADER_BYTES)
        fields, read = read_fields(source[start:block_end])
        if read < block_end - start:
            if depth == 0:
                self.note("headers end without an empty line")
            return start + read, fields
        return (blank.end() if blank is not None else block_end), fields

    def split(self, part: Part, depth: int) -> None:
        boundary = part.parameters.get("boundary", "").rstrip().encode("utf-8", "replace")
        spans: list[tuple[int, int]] = []
        closed = False
        if boundary:
            spans, closed = self.spans(part.start, part.end, boundary)
        if not spans:
            guessed = _GUESSED.search(self.source, part.start, min(part.end, part.start + GUESS_BYTES))
            self.note("boundary missing" if not boundary else "boundary not found")
            if guessed is None:
                return
            spans, closed = self.spans(part.start, part.end, guessed[1].rstrip())
        if not closed:
            self.note("last boundary missing")
        self.add_children(part, spans, depth)

    def split_undeclared(self, part: Part) -> None:
        """A mail that lost its Content-Type but still has the parts of a multipart."""
        if not self.source.startswith(b"--", part.start):
            return
        guessed = _GUESSED.match(self.source[part.start : part.start + 1024])
        if guessed is not None:
            spans, _ = self.spans(part.start, part.end, guessed[1].rstrip())
            if spans:
                self.note("content type missing")
                part.content_type = "multipart/mixed"
                self.add_children(part, spans, 0)

    def add_children(self, part: Part, spans: list[tuple[int, int]], depth: int) -> None:
        default = "message/rfc822" if part.content_type == "multipart/digest" else "text/plain"
        prefix = f"{part.part_id}." if part.part_id else ""
        for number, (start, end) in enumerate(spans):
            if self.count >= MAX_PARTS:
                self.note("too many parts")
                return
            child = self.part(start, end, f"{prefix}{number}", default, depth + 1)
            if number == 0 and _is_hollow(child, part):
                # The inner multipart uses the outer boundary: its parts follow as if they were the outer's.
                part.content_type = child.content_type
                continue
            part.children.append(child)

    def spans(self, start: int, end: int, boundary: bytes) -> tuple[list[tuple[int, int]], bool]:
        """Start and end of each part between the delimiter lines, and whether the closing one was there."""
        source = self.source
        token = b"--" + boundary
        spans: list[tuple[int, int]] = []
        opened: int | None = None
        position = start
        while len(spans) <= MAX_PARTS:
            found = source.find(token, position, end)
            if found < 0:
                break
            position = found + len(token)
            if found > start and source[found - 1] != 10 and source[found - 1] != 13:
                position = found + 1
                continue
            tail = _DELIMITER_END.match(source, position, end)
            if tail is None:
                continue
            if opened is not None:
                spans.append((opened, self.before_line_break(opened, found)))
            opened = tail.end()
            position = max(position, opened - 1)
            if tail[1] is not None:
                return spans, True
        if opened is not None and opened < end:
            spans.append((opened, end))
        return spans, False

    def before_line_break(self, start: int, end: int) -> int:
        source = self.source
        if end > start and source[end - 1] == 10:
            end -= 1
            if end > start and source[end - 1] == 13:
                end -= 1
        elif end > start and source[end - 1] == 13:
            end -= 1
        return end

    def note(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


def _is_hollow(child: Part, parent: Part) -> bool:
    return (
        child.content_type.startswith("multipart/")
        and not child.children
        and not child.raw().strip()
        and child.parameters.get("boundary") == parent.parameters.get("boundary")
    )


def read_content_fields(part: Part) -> None:
    """Fills in what the Content- fields of a part say; the first of each name counts."""
    seen: set[str] = set()
    disposition_parameters: dict[str, str] = {}
    for name, value in part.fields:
        if name[0] not in "Cc" or name[:8].lower() != "content-":
            continue
        key = name[8:].lower()
        if key in seen:
            continue
        seen.add(key)
        if key == "type":
            read_type(part, value)
        elif key == "transfer-encoding":
            part.encoding = value.decode("ascii", "replace").strip(" \t\"';").split(";")[0].strip().lower()
        elif key == "disposition":
            part.disposition, disposition_parameters = read_parameters(value)
        elif key == "id":
            part.content_id = decode_value(value).strip(" \t<>")[:998] or None
    name = disposition_parameters.get("filename") or part.parameters.get("name") or ""
    part.filename = clean_filename(name) if name else ""


def read_type(part: Part, value: bytes) -> None:
    content_type, parameters = read_parameters(value)
    if content_type == "text":
        content_type = "text/plain"
    match = _TYPE.match(content_type)
    if match is not None:
        part.content_type = match[0]
        part.typed = True
    part.parameters = parameters


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_ABSOLUTE = re.compile(r"(?:[A-Za-z]:[\\/]|\\\\|/)")
MAX_FILENAME_LENGTH = 255


def clean_filename(name: str) -> str:
    """A file name without folders, control and direction characters; at most `MAX_FILENAME_LENGTH` long."""
    name = _CONTROL.sub("", name).strip()
    if _ABSOLUTE.match(name):
        name = re.split(r"[\\/]", name)[-1]
    name = name.replace("/", "_").replace("\\", "_").strip()
    if len(name) > MAX_FILENAME_LENGTH:
        stem, dot, ending = name.rpartition(".")
        keep = f"{dot}{ending}" if dot and len(ending) <= 16 else ""
        name = (stem if keep else name)[: MAX_FILENAME_LENGTH - len(keep)] + keep
    return "" if name in (".", "..") else name


def decode_transfer(data: bytes, encoding: str, text: bool) -> bytes:
    """Bytes with a transfer encoding undone; left as they are where it is unknown or not really there."""
    if encoding == "base64":
        return _decode_base64_words(data) if text and _reads_as_words(data) else decode_base64(data)
    if encoding == "quoted-printable":
        if b"= " in data or b"=\t" in data:
            data = _QP_SPACE.sub(b"=", data)
        return binascii.a2b_qp(data)
    if encoding in ("x-uuencode", "uuencode", "uue", "x-uue"):
        return _decode_uu(data)
    return data


_BASE64_LINES = re.compile(
    rb"\s*+[A-Za-z0-9+/]{40,}+={0,2}[ \t]*+\r?\n(?:[A-Za-z0-9+/]++={0,2}[ \t]*+\r?\n)*+"
)
_WORDS = re.compile(rb"[A-Za-z]{1,20} [A-Za-z]{1,20} [A-Za-z]{1,20} [A-Za-z]{1,20}")


def _reads_as_words(data: bytes) -> bool:
    head = data[:2000]
    return b" " in head and _WORDS.search(head) is not None and len(head.split()) > len(head) / 30


def _decode_base64_words(data: bytes) -> bytes:
    """Words in a part that is said to be base64: all of it, or what a mailing list put below the base64."""
    encoded = _BASE64_LINES.match(data)
    if encoded is None:
        return data
    return decode_base64(encoded[0]) + b"\n" + data[encoded.end() :]


def _decode_uu(data: bytes) -> bytes:
    out = bytearray()
    lines = data.splitlines()
    begin = next((n for n, line in enumerate(lines) if line.startswith(b"begin ")), -1)
    for line in lines[begin + 1 :]:
        if line.strip() in (b"end", b"`"):
            break
        try:
            out += binascii.a2b_uu(line)
        except binascii.Error:
            wanted = (((line[0] - 32) & 63) * 4 + 5) // 3 if line else 0
            try:
                out += binascii.a2b_uu(line[: wanted + 1])
            except binascii.Error:
                continue
    return bytes(out)
