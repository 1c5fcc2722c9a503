"""winmail.dat: the attachments and the body that Outlook packs into application/ms-tnef."""

from __future__ import annotations

import logging
import struct
from dataclasses import dataclass

from tnefparse import TNEF

from mail.charsets import clean, decode
from mail.mime import clean_filename

MAX_TNEF_BYTES = 26_214_400
# tnefparse copies the rest of the file for every object.
MAX_COPIED_BYTES = 500_000_000
MAX_OBJECTS = 2_000
MAX_FILES = 200

_SIGNATURE = b"\x78\x9f\x3e\x22"
_OBJECT_HEADER = struct.Struct("<BHHI")

logging.getLogger("tnefparse").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Tnef:
    """What a winmail.dat holds."""

    files: tuple[tuple[str, bytes], ...]
    text: str | None
    html: str | None


def read_tnef(data: bytes) -> Tnef | None:
    """The contents of a winmail.dat; None where it cannot be read."""
    if not data.startswith(_SIGNATURE) or len(data) > MAX_TNEF_BYTES or not _is_sound(data):
        return None
    try:
        tnef = TNEF(data, do_checksum=False)
        files = tuple(
            (
                clean_filename(_text(attachment.long_filename() or "")) or "attachment",
                bytes(attachment.data or b""),
            )
            for attachment in tnef.attachments[:MAX_FILES]
        )
        text = _text(tnef.body) if tnef.body else None
        html = _text(tnef.htmlbody) if tnef.htmlbody else None
    # tnefparse raises whatever its unpacking meets (struct.error, IndexError, ...) on broken files.
    except Exception as error:  # noqa: BLE001
        logging.getLogger(__name__).debug("tnef_unreadable", extra={"error": type(error).__name__})
        return None
    return Tnef(files, text, html)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return decode(value.rstrip(b"\x00"))[0]
    if isinstance(value, list):
        return "".join(_text(item) for item in value)
    return clean(str(value)).rstrip("\x00")


def _is_sound(data: bytes) -> bool:
    """Whether the chain of objects stays inside the file and is short enough to be read in time."""
    offset, copied, count = 6, 0, 0
    while offset + 12 < len(data):
        _, _, _, length = _OBJECT_HEADER.unpack_from(data, offset)
        copied += len(data) - offset
        count += 1
        offset += _OBJECT_HEADER.size + length + 2
        if copied > MAX_COPIED_BYTES or count > MAX_OBJECTS:
            return False
    return True
