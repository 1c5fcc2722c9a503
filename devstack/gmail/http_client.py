"""A small HTTP client for pushes: one POST, connections kept for the next one."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_idle: dict[tuple[str, int, bool], list[Pair]] = {}
MAX_IDLE = 16


async def post(url: str, headers: dict[str, str], body: bytes) -> int:
    """POST once and return the status. Raises OSError or EOFError when no answer comes."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    key = (host, port, secure)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"POST {target} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode() + body
    idle = _idle.setdefault(key, [])
    while idle:
        pair = idle.pop()
        if pair[0].at_eof() or pair[1].is_closing():
            pair[1].close()
            continue
        try:
            return await _exchange(key, pair, request)
        except (OSError, EOFError):
            continue
    return await _exchange(key, await asyncio.open_connection(host, port, ssl=secure or None), request)


async def _exchange(key: tuple[str, int, bool], pair: Pair, request: bytes) -> int:
    reader, writer = pair
    try:
        writer.write(request)
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split(" ")[1])
        fields = {line.partition(":")[0].strip().lower(): line.partition(":")[2].strip() for line in head[1:]}
        reusable = fields.get("connection", "").lower() != "close"
        if "content-length" in fields:
            await reader.readexactly(int(fields["content-length"]))
        elif status not in (204, 304):
            reusable = False
    except BaseException:
        writer.close()
        raise
    if reusable and len(_idle[key]) < MAX_IDLE:
        _idle[key].append(pair)
    else:
        writer.close()
    return status
