"""The bytes of a mail, kept once for all mailboxes and read only when somebody asks."""

from __future__ import annotations

import html
import re
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message as MimeMessage
from email.parser import BytesParser
from email.policy import compat32
from email.utils import formataddr, getaddresses, parsedate_to_datetime

HEAD_END = re.compile(rb"\r?\n\r?\n")
UNFOLD = re.compile(r"\n[ \t]+")
FIELDS = re.compile(r"(?m)^([^:\s]+):(.*)$")
MESSAGE_IDS = re.compile(r"<[^<>\s]+>")
TAGS = re.compile(r"(?is)<(style|script|head)\b.*?</\1\s*>|<[^>]*>")
PREFIXES = re.compile(r"(?i)^\s*((re|fwd?|aw|wg|sv|vs|antw|tr|rv|ref|enc)(\[\d+\])?\s*:\s*)+")
Pairs = list[tuple[str, str]]


def decode_words(value: str) -> str:
    """RFC 2047 words decoded; what cannot be decoded stays as written."""
    if "=?" not in value:
        return value
    try:
        parts = decode_header(value)
    except (HeaderParseError, ValueError):
        return value
    out = []
    for part, charset in parts:
        if isinstance(part, str):
            out.append(part)
            continue
        try:
            out.append(part.decode(charset or "latin-1", "replace"))
        except (LookupError, ValueError):
            out.append(part.decode("utf-8", "replace"))
    return "".join(out)


def parse_header_block(block: bytes) -> Pairs:
    """(name, unfolded and decoded value) in order."""
    text = block.decode("utf-8", "replace").replace("\r\n", "\n")
    if "\n " in text or "\n\t" in text:
        text = UNFOLD.sub(" ", text)
    found = FIELDS.findall(text)
    return [(name, decode_words(value.strip()) if "=?" in value else value.strip()) for name, value in found]


def addresses(values: list[str]) -> list[tuple[str, str]]:
    """(name, address) of all mailboxes in header values."""
    return [(name, address) for name, address in getaddresses(values) if address]


def written(name: str, address: str) -> str:
    """`Name <address>` for a header, also where the address is not ASCII."""
    return formataddr((name, address)) if address.isascii() else f"{name} <{address}>".strip()


def subject_key(subject: str) -> str:
    """What Gmail compares when it threads: the subject without reply and forward prefixes."""
    return " ".join(PREFIXES.sub("", subject).lower().split())


class Content:
    """A mail's exact bytes; header facts that threading needs are computed once."""

    __slots__ = ("_facts", "_search", "_snippet", "_text", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._facts: tuple[str, tuple[str, ...], str] | None = None
        self._snippet: str | None = None
        self._search: tuple[str, str, str] | None = None
        self._text: str | None = None

    def head(self) -> bytes:
        """The header block."""
        if self.raw[:1] in (b"\r", b"\n"):
            return b""
        found = HEAD_END.search(self.raw)
        return self.raw[: found.start()] if found else self.raw

    def headers(self) -> Pairs:
        """The header fields in order."""
        return parse_header_block(self.head())

    def get(self, name: str) -> str:
        """The first field of that name, or an empty string."""
        wanted = name.lower()
        return next((value for key, value in self.headers() if key.lower() == wanted), "")

    def get_all(self, *names: str) -> list[str]:
        """All fields of these names."""
        wanted = {name.lower() for name in names}
        return [value for key, value in self.headers() if key.lower() in wanted]

    def _read_facts(self) -> tuple[str, tuple[str, ...], str]:
        if self._facts is None:
            own, references, answered, subject = "", [], [], ""
            for key, value in self.headers():
                name = key.lower()
                if name == "message-id" and not own:
                    found = MESSAGE_IDS.search(value)
                    own = found.group() if found else value
                elif name == "references":
                    references += MESSAGE_IDS.findall(value)
                elif name == "in-reply-to":
                    answered += MESSAGE_IDS.findall(value)
                elif name == "subject" and not subject:
                    subject = value
            self._facts = (own, tuple(references[-100:] + answered[:10]), subject_key(subject))
        return self._facts

    @property
    def message_id(self) -> str:
        """The Message-ID with its brackets, or an empty string."""
        return self._read_facts()[0]

    @property
    def references(self) -> tuple[str, ...]:
        """Message-IDs of References and In-Reply-To."""
        return self._read_facts()[1]

    @property
    def subject_key(self) -> str:
        """The subject as threading compares it."""
        return self._read_facts()[2]

    def date_ms(self) -> int | None:
        """The Date header in epoch milliseconds."""
        try:
            return int(parsedate_to_datetime(self.get("Date")).timestamp() * 1000)
        except (ValueError, TypeError, OverflowError):
            return None

    def mime(self) -> MimeMessage:
        """The parsed MIME tree."""
        return BytesParser(policy=compat32).parsebytes(self.raw)

    def text(self) -> str:
        """Readable text of the mail, for search and snippets."""
        plain: list[str] = []
        markup: list[str] = []
        for part in self.mime().walk():
            kind = part.get_content_type()
            if part.get_filename() or kind not in ("text/plain", "text/html"):
                continue
            (plain if kind == "text/plain" else markup).append(decoded_text(part))
        if plain:
            return "\n".join(plain)
        return html.unescape(TAGS.sub(" ", "\n".join(markup)))

    def snippet(self) -> str:
        """HTML-escaped beginning of the text, at most about 200 characters."""
        if self._snippet is None:
            words = " ".join(self.text()[:4000].split())
            self._snippet = (
                html.escape(words[:200].rstrip(), quote=False).replace("'", "&#39;").replace('"', "&quot;")
            )
        return self._snippet

    def search_headers(self) -> tuple[str, str, str]:
        """Lower-case (from, to+cc+bcc, subject) for q."""
        if self._search is None:
            senders, recipients, subject = [], [], ""
            for key, value in self.headers():
                name = key.lower()
                if name == "from":
                    senders.append(value)
                elif name in ("to", "cc", "bcc"):
                    recipients.append(value)
                elif name == "subject":
                    subject = value
            self._search = (" ".join(senders).lower(), " ".join(recipients).lower(), subject.lower())
        return self._search

    def search_text(self) -> str:
        """Lower-case text for q."""
        if self._text is None:
            self._text = self.text().lower()[:20_000]
        return self._text


def payload_bytes(part: MimeMessage) -> bytes:
    """The part's content with its transfer encoding removed."""
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def decoded_text(part: MimeMessage) -> str:
    """The part's text in Unicode."""
    data = payload_bytes(part)
    try:
        return data.decode(part.get_content_charset() or "utf-8", "replace")
    except (LookupError, ValueError):
        return data.decode("utf-8", "replace")


def without_headers(raw: bytes, *names: str) -> bytes:
    """The mail without the named header fields, everything else byte for byte."""
    found = HEAD_END.search(raw)
    head, rest = (raw[: found.start()], raw[found.start() :]) if found else (raw, b"")
    wanted = tuple(name.lower().encode() + b":" for name in names)
    kept, skipping = [], False
    for line in head.split(b"\n"):
        if line[:1] not in (b" ", b"\t"):
            skipping = line.lower().replace(b" :", b":").startswith(wanted)
        if not skipping:
            kept.append(line)
    joined = b"\n".join(kept)
    if joined.endswith(b"\r") and rest.startswith(b"\r\n"):
        joined = joined[:-1]
    return joined + rest


def newline_of(raw: bytes) -> bytes:
    """The line ending that the mail uses."""
    at = raw.find(b"\n")
    return b"\n" if at > 0 and raw[at - 1 : at] != b"\r" else b"\r\n"
