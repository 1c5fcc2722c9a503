"""`python -m mail FILE...`: the value and the classification of mails, one JSON object a line, in their order.

`-` reads paths from standard input, one a line. A file that cannot be read gives a line that says so. Many files at
a time are shared out to the cores.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from mail import bounce, classify, forward, quotes
from mail.message import Address, Mail
from mail.parse import parse
from mail.sanitise import safe_html

USAGE = "usage: python -m mail FILE...   (- reads paths from standard input)\n"
MANY = 64
"""From so many files at a time on, starting processes for them pays."""
PROCESSES = min(os.cpu_count() or 1, 8)


def describe(file: str, mail: Mail) -> dict[str, Any]:
    """What the command prints of a mail; keys as the contract names them."""
    notice = bounce.read(mail)
    split = quotes.split(mail.text or "", mail.html)
    return {
        "file": file,
        "from": _addresses(mail.from_ or ((mail.sender,) if mail.sender else ())),
        "to": _addresses(mail.to),
        "cc": _addresses(mail.cc),
        "bcc": _addresses(mail.bcc),
        "reply_to": _addresses(mail.reply_to),
        "subject": mail.subject,
        "date": mail.date.isoformat().replace("+00:00", "Z") if mail.date else None,
        "message_id": mail.message_id,
        "in_reply_to": mail.in_reply_to,
        "references": mail.references,
        "text": mail.text,
        "html": mail.html,
        "safe_html": safe_html(mail.html) if mail.html is not None else None,
        "attachments": [
            {
                "filename": attachment.filename,
                "content_type": attachment.content_type,
                "size": attachment.size,
                "content_id": attachment.content_id,
            }
            for attachment in mail.attachments
        ],
        "problems": mail.problems,
        "kind": classify.kind_given(mail, notice),
        "forwarded": forward.is_forward_given(mail, notice),
        "bounce": None
        if notice is None
        else {
            "recipients": notice.recipients,
            "original_message_ids": notice.original_message_ids,
            "permanent": notice.permanent,
            "status": notice.status,
            "reason": notice.reason,
        },
        "new_text": split.new_text,
        "quoted_text": split.quoted_text,
    }


def _addresses(addresses: Iterable[Address]) -> list[dict[str, str]]:
    return [{"name": address.name, "email": address.email} for address in addresses]


def _read(file: str) -> dict[str, Any]:
    try:
        raw = Path(file).read_bytes()
    except (OSError, ValueError) as error:
        # The value of no bytes at all: the same keys, and why.
        nothing = Mail(problems=(f"file cannot be read: {type(error).__name__}",))
        return describe(file, nothing)
    return describe(file, parse(raw))


def _line(file: str) -> bytes:
    value = _read(file)
    value["file"] = file.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return to_json(value) + b"\n"


@cache
def _processes() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(PROCESSES)


def _lines(files: list[str]) -> Iterable[bytes]:
    """The lines of files, in their order."""
    if len(files) < MANY or PROCESSES == 1:
        return map(_line, files)
    return _processes().map(_line, files, chunksize=16)


def _batches(arguments: list[str]) -> Iterator[list[str]]:
    """The paths, as many at a time as there are: whoever writes one to us and waits for its line gets it."""
    for is_standard_input, named in groupby(arguments, "-".__eq__):
        if is_standard_input:
            yield from _batches_from_standard_input()
        else:
            yield list(named)


def _batches_from_standard_input() -> Iterator[list[str]]:
    rest = b""
    while read := os.read(sys.stdin.fileno(), 65_536):
        *lines, rest = (rest + read).split(b"\n")
        yield _paths(lines)
    yield _paths([rest])


def _paths(lines: list[bytes]) -> list[str]:
    paths = [line.decode("utf-8", "surrogateescape").rstrip("\r") for line in lines]
    return [path for path in paths if path]


def main(arguments: list[str]) -> int:
    """Prints a line for each file; 2 where none was named."""
    if not arguments or arguments[0] in ("-h", "--help"):
        (sys.stdout if arguments else sys.stderr).write(USAGE)
        return 0 if arguments else 2
    out = sys.stdout.buffer
    for files in _batches(arguments):
        for line in _lines(files):
            out.write(line)
            out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
