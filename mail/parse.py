"""Any bytes to one `Mail`: never raises, never hangs, and says in `problems` what it could not read.

Python's own email package is not under it: `policy.default` raises on some real mail and takes seconds on
some headers, compat32 costs more time. The tree is read from offsets (`mime`), each subject has its file:
`headers`, `charsets`, `addresses`, `dates`, `references`, `bodies`, `tnef`.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator

from mail.addresses import MAX_ADDRESSES, lone_angle, read_addresses
from mail.bodies import Bodies, Piece, join_html, select
from mail.charsets import clean
from mail.dates import read_date
from mail.headers import decode_pairs, decode_value, decode_words, raw_value, read_fields
from mail.htmltext import text_of
from mail.message import Address, Attachment, EmbeddedMail, Headers, Mail
from mail.mime import Part, clean_filename, read_content_fields, read_tree
from mail.opaque import signed_content
from mail.references import read_ids, read_message_id
from mail.tnef import read_tnef

# Gmail takes in 50 MB and sends out 36,700,160 bytes; what is longer is read up to here.
MAX_MAIL_BYTES = 104_857_600
MAX_EMBEDDED = 50
MAX_WRAPPED = 5
MAX_STATUS_GROUPS = 500
MAX_SUBJECT_LENGTH = 2_000
MAX_ATTACHMENTS = 500

RawFields = dict[str, list[bytes]]

_WORD_CHARSET = re.compile(rb"=\?([^?\s*]{2,40})[*?]")
_CID = re.compile(r"cid:([^\"'\s<>()]{1,998})")
_EMPTY_LINES = re.compile(rb"\r?\n(?:[ \t]*\r?\n)+")
_HEADER_PARTS = frozenset({"text/rfc822-headers", "message/rfc822-headers", "message/global-headers"})
_OPAQUE_PARTS = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_MAIL_PARTS = frozenset({"message/rfc822", "message/global"})
_STATUS_PARTS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_OTHER_SENDERS = ("sender", "reply-to", "resent-from", "x-sender", "x-original-from", "return-path")
_ADDRESS_FIELDS = frozenset({"from", "to", "cc", "bcc", *_OTHER_SENDERS})
_ENDINGS = {
    "text/plain": ".txt",
    "text/html": ".html",
    "text/calendar": ".ics",
    "text/csv": ".csv",
    "text/vcard": ".vcf",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/svg+xml": ".svg",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "application/pgp-signature": ".asc",
    "application/pkcs7-signature": ".p7s",
    "application/pkcs7-mime": ".p7m",
    "message/delivery-status": ".txt",
    "text/rfc822-headers": ".txt",
}


def parse(raw: bytes) -> Mail:
    """The mail in any bytes. Texts store in PostgreSQL, attachments are decoded; linear in its size."""
    problems: list[str] = []
    if len(raw) > MAX_MAIL_BYTES:
        raw = raw[:MAX_MAIL_BYTES]
        problems.append("mail cut at 100 MiB")
    root = _read_root(raw, problems)
    if root.content_type in _OPAQUE_PARTS:
        _open_signed(root, problems)
    bodies = select(root, _CharsetHints(root))
    return _assemble(Headers(_decode_fields(root.fields)), root, bodies, problems)


def _open_signed(root: Part, problems: list[str]) -> None:
    """Puts the mail that an S/MIME envelope signs, but does not encrypt, below the envelope's part."""
    content = signed_content(root.payload())
    if content is not None:
        root.parameters["smime-type"] = "signed-data"
        root.children = [_read_root(content, problems)]


def parse_headers(pairs: Iterable[tuple[str, str]]) -> Mail:
    """A mail of which only the headers are known (Gmail API: messages.get, format=metadata): no bodies."""
    pairs = list(pairs)
    root = Part(b"", 0, 0, [(clean(name), raw_value(value)) for name, value in pairs if name], "")
    read_content_fields(root)
    return _assemble(Headers(decode_pairs(pairs)), root, Bodies(), [])


def _read_root(raw: bytes, problems: list[str]) -> Part:
    if not raw.strip():
        problems.append("empty mail")
    raw = raw.removeprefix(BOM_UTF8)
    if b"\n" not in raw and b"\r" in raw:
        raw = raw.replace(b"\r", b"\n")
    return read_tree(raw, problems)


def _decode_fields(fields: list[tuple[str, bytes]]) -> tuple[tuple[str, str], ...]:
    joined = b"\n".join([value for _, value in fields])
    if joined.isascii() and b"\x1b" not in joined and b"\x00" not in joined:
        # All at once, where no value holds a line break of its own.
        texts = joined.decode("ascii").split("\n")
        if len(texts) == len(fields):
            if b"=?" in joined:
                texts = [decode_words(text) if "=?" in text else text for text in texts]
            return tuple([(field[0], text) for field, text in zip(fields, texts, strict=True)])
    return tuple((name, decode_value(value)) for name, value in fields)


class _CharsetHints:
    """Charsets that the mail names anywhere, for bytes that do not say theirs; looked for when first asked."""

    def __init__(self, root: Part) -> None:
        self.root = root
        self.found: tuple[str, ...] | None = None

    def __iter__(self) -> Iterator[str]:
        if self.found is None:
            self.found = self._look()
        return iter(self.found)

    def _look(self) -> tuple[str, ...]:
        hints = [part.parameters["charset"] for part in _parts(self.root) if "charset" in part.parameters]
        for name, value in self.root.fields:
            if b"=?" in value and name.lower() in ("subject", "from"):
                hints.extend(
                    charset.decode("ascii", "replace") for charset in _WORD_CHARSET.findall(value[:2000])
                )
        return tuple(dict.fromkeys(hints))


def _parts(root: Part) -> Iterator[Part]:
    """All parts, depth first, in the order of the mail."""
    stack = [root]
    while stack:
        part = stack.pop()
        yield part
        stack.extend(reversed(part.children))


def _assemble(headers: Headers, root: Part, bodies: Bodies, problems: list[str]) -> Mail:
    fields: RawFields = {}
    for name, value in root.fields:
        key = name.lower()
        if key in _ADDRESS_FIELDS:
            fields.setdefault(key, []).append(value)
    from_, sender = _read_sender(fields, problems)
    to, cc, bcc = (_read_all(fields, name) for name in ("to", "cc", "bcc"))
    if max(len(to), len(cc), len(bcc)) >= MAX_ADDRESSES:
        problems.append(f"recipients after the first {MAX_ADDRESSES} left out")
    date_value = headers.get("date")
    date = read_date(date_value)
    if date is None:
        problems.append("date unreadable" if date_value else "date missing")
    id_value = headers.get("message-id")
    message_id = read_message_id(id_value)
    if message_id is None:
        problems.append("message id unreadable" if id_value else "message id missing")
    parts = list(_parts(root))
    embedded = _read_embedded(parts)
    attachments, tnef_pieces = _read_attachments(bodies, problems)
    if not bodies.text and not bodies.html:
        bodies.text.extend(tnef_pieces)
        bodies.html.extend(tnef_pieces)
    html = join_html(bodies.html)
    if bodies.unread:
        problems.append("charset of the body wrong or unknown")
    signed, encrypted = _protection(parts, bodies)
    if encrypted:
        problems.append("encrypted: the content cannot be shown")
    return Mail(
        headers=headers,
        from_=from_,
        sender=sender,
        to=to,
        cc=cc,
        bcc=bcc,
        reply_to=_read_all(fields, "reply-to"),
        subject=(headers.get("subject") or "")[:MAX_SUBJECT_LENGTH],
        date=date,
        message_id=message_id,
        in_reply_to=read_ids(headers.get("in-reply-to")),
        references=read_ids(" ".join(headers.get_all("references")[:10])),
        text=_plain_text(bodies.text, html, embedded),
        html=html,
        attachments=tuple(_mark_inline(attachments, html)),
        content_type=root.content_type,
        parts_info=tuple((part.content_type, part.parameters) for part in parts),
        embedded=embedded,
        delivery_status=_read_status(parts),
        signed=signed,
        encrypted=encrypted,
        problems=tuple(dict.fromkeys(problems)),
    )


def _read_all(fields: RawFields, name: str) -> tuple[Address, ...]:
    values = fields.get(name)
    if not values:
        return ()
    return read_addresses(values[0]) if len(values) == 1 else read_addresses(b", ".join(values[:100]))


def _read_sender(fields: RawFields, problems: list[str]) -> tuple[tuple[Address, ...], Address | None]:
    """The From mailboxes, and who sent: the lone `<addr>` of From, else the first; else who else is named."""
    from_: tuple[Address, ...] = ()
    for value in fields.get("from", ())[:10]:
        found = read_addresses(value)
        if len(found) == 1 and "@" in found[0].email:
            return found, found[0]
        lone = lone_angle(value)
        if lone is not None:
            sender = next((address for address in found if address.email == lone), Address("", lone))
            return (sender,), sender
        if any("@" in address.email for address in found):
            return found, next(address for address in found if "@" in address.email)
        from_ = from_ or found
    problems.append("sender unreadable" if fields.get("from") else "sender missing")
    for name in _OTHER_SENDERS:
        for value in fields.get(name, ())[:3]:
            for address in read_addresses(value):
                if "@" in address.email and not from_:
                    problems.append(f"sender taken from {name}")
                    return from_, address
    return from_, from_[0] if from_ else None


def _plain_text(pieces: list[Piece], html: str | None, embedded: tuple[EmbeddedMail, ...]) -> str | None:
    """The body as plain text: of its plain parts, else of its html, else of the mail inside it."""
    text = "\n".join(text_of(piece) if is_html else piece for piece, is_html in pieces) if pieces else None
    if html is not None and (text is None or not text.strip()):
        text = text_of(html)
    if text is None and embedded:
        text = embedded[0].text
    return text


def _read_attachments(bodies: Bodies, problems: list[str]) -> tuple[list[Attachment], list[Piece]]:
    """The attachments, those inside winmail.dat unpacked, and the body that one held."""
    found: list[Attachment] = []
    pieces: list[Piece] = []
    for part in bodies.attachments:
        if len(found) >= MAX_ATTACHMENTS:
            problems.append("too many attachments")
            break
        content = part.payload()
        if (
            part.content_type in ("application/ms-tnef", "application/vnd.ms-tnef")
            or part.filename == "winmail.dat"
        ):
            tnef = read_tnef(content)
            if tnef is not None and (tnef.files or tnef.text or tnef.html):
                found.extend(
                    Attachment(name, "application/octet-stream", len(data), None, False, data, part.part_id)
                    for name, data in tnef.files
                )
                if tnef.html:
                    pieces.append((tnef.html, True))
                elif tnef.text:
                    pieces.append((tnef.text, False))
                continue
            problems.append("winmail.dat unreadable")
        inline = part.disposition == "inline"
        name = part.filename or _default_name(part, content)
        found.append(
            Attachment(name, part.content_type, len(content), part.content_id, inline, content, part.part_id)
        )
    return found, pieces


def _default_name(part: Part, content: bytes) -> str:
    if part.content_type in _MAIL_PARTS:
        fields, _ = read_fields(content[:8192])
        subject = next((decode_value(value) for name, value in fields if name.lower() == "subject"), "")
        return clean_filename((subject[:100] or "message") + ".eml") or "message.eml"
    if part.content_type == "text/calendar":
        return "invite.ics"
    stem = f"part-{part.part_id}" if part.part_id else "part"
    return stem + _ENDINGS.get(part.content_type, "")


def _mark_inline(attachments: list[Attachment], html: str | None) -> Iterator[Attachment]:
    """What the html shows by its Content-ID is inline, whatever its disposition says."""
    shown = set(_CID.findall(html)) if html is not None and attachments else set()
    for attachment in attachments:
        if attachment.content_id in shown and not attachment.inline:
            yield Attachment(
                attachment.filename,
                attachment.content_type,
                attachment.size,
                attachment.content_id,
                True,
                attachment.content,
                attachment.part_id,
            )
        else:
            yield attachment


def _read_embedded(parts: list[Part]) -> tuple[EmbeddedMail, ...]:
    found: list[EmbeddedMail] = []
    for part in parts:
        if part.content_type in _HEADER_PARTS:
            fields, _ = read_fields(part.payload().lstrip(b"\r\n"))
            found.append(EmbeddedMail(Headers(_decode_fields(fields)), part.content_type))
        elif part.content_type in _MAIL_PARTS and part.end > part.start:
            inner = _read_root(part.payload(), [])
            found.append(
                EmbeddedMail(Headers(_decode_fields(inner.fields)), part.content_type, _inner_text(inner))
            )
        if len(found) >= MAX_EMBEDDED:
            break
    return tuple(found)


def _inner_text(inner: Part) -> str | None:
    """The text of a mail inside the mail; of one that only wraps another, the other's."""
    for _ in range(MAX_WRAPPED):
        pieces = select(inner, _CharsetHints(inner)).text
        if pieces:
            return "\n".join(text_of(piece) if is_html else piece for piece, is_html in pieces)
        wrapped = next((part for part in _parts(inner) if part.content_type in _MAIL_PARTS), None)
        if wrapped is None:
            return None
        inner = _read_root(wrapped.payload(), [])
    return None


def _read_status(parts: list[Part]) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Groups of fields of the delivery status (RFC 3464): of the whole message, then of each recipient."""
    groups: list[tuple[tuple[str, str], ...]] = []
    for part in parts:
        if part.content_type in _STATUS_PARTS:
            for block in _EMPTY_LINES.split(part.payload().strip(), maxsplit=MAX_STATUS_GROUPS):
                fields, _ = read_fields(block)
                if fields:
                    groups.append(_decode_fields(fields))
    return tuple(groups)


def _protection(parts: list[Part], bodies: Bodies) -> tuple[bool, bool]:
    """Whether the mail is signed and whether it is encrypted (S/MIME, PGP/MIME, PGP in the text)."""
    signed = encrypted = False
    for part in parts:
        content_type = part.content_type
        if content_type == "multipart/signed":
            signed = True
        elif content_type in ("multipart/encrypted", "application/pgp-encrypted"):
            encrypted = True
        elif content_type in _OPAQUE_PARTS:
            kind = part.parameters.get("smime-type", "").lower()
            signed = signed or kind == "signed-data"
            encrypted = encrypted or kind not in ("signed-data", "certs-only")
    for text, _ in bodies.text:
        if "-----BEGIN PGP" in text:
            signed = signed or "-----BEGIN PGP SIGNED MESSAGE-----" in text
            encrypted = encrypted or "-----BEGIN PGP MESSAGE-----" in text
    return signed, encrypted
