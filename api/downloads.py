"""Files that leave us: always as a download that no browser runs."""

from __future__ import annotations

import re
from urllib.parse import quote

from fastapi import Response

from models import Attachment

_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}", re.ASCII)
_INLINE = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


def attachment_response(attachment: Attachment, content: bytes) -> Response:
    """The bytes, under their name and type."""
    kind = attachment.content_type.partition(";")[0].strip().lower()
    kind = kind if _TYPE.fullmatch(kind) else "application/octet-stream"
    return file_response(content, attachment.filename, kind, inline=kind in _INLINE)


def file_response(content: bytes, filename: str, content_type: str, *, inline: bool = False) -> Response:
    """Bytes under a name (RFC 6266); only pictures are shown in place."""
    plain = re.sub(r'[^ -~]|["\\]', "_", filename) or "file"
    disposition = "inline" if inline else "attachment"
    return Response(
        content,
        media_type=content_type,
        headers={
            "Content-Disposition": f"{disposition}; filename=\"{plain}\"; filename*=UTF-8''{quote(filename)}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cache-Control": "private, max-age=3600",
        },
    )
