"""`python -m mail FILE...`: the value and the classification of mails, one JSON object a line, in their order.

`-` reads paths from standard input, one a line. A file that cannot be read gives a line that says so.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from mail import bounce, classify, forward, quotes
from mail.message import Address, Mail
from mail.parse import parse
from mail.sanitise import safe_html

USAGE = "usage: python -m mail FILE...   (- reads paths from standard input)\n"


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


def _paths(arguments: list[str]) -> Iterator[str]:
    for argument in arguments:
        if argument == "-":
            for line in sys.stdin.buffer:
                path = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
                if path:
                    yield path
        else:
            yield argument


def main(arguments: list[str]) -> int:
    """Prints a line for each file; 2 where none was named."""
    if not arguments or arguments[0] in ("-h", "--help"):
        (sys.stdout if arguments else sys.stderr).write(USAGE)
        return 0 if arguments else 2
    out = sys.stdout.buffer
    for path in _paths(arguments):
        value = _read(path)
        value["file"] = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        out.write(to_json(value) + b"\n")
        out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
