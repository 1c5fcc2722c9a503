"""Message ids: of Message-ID, In-Reply-To and References, as the world sends them."""

from __future__ import annotations

import re

# RFC 5322, 2.1.1: no line is longer, and an id cannot be folded.
MAX_ID_LENGTH = 998
# The thread's first and its last ids; what lies between tells nothing more.
MAX_REFERENCES = 100

_BRACKETED = re.compile(r"<([^<>]{1,4000})>")
_SEPARATOR = re.compile(r"[\s<>,;\"()]+")


def read_ids(value: str | None) -> tuple[str, ...]:
    """The ids in a field, each once, in angle brackets, in their order; at most `MAX_REFERENCES`."""
    if not value:
        return ()
    found = ["".join(inner.split()) for inner in _BRACKETED.findall(value)]
    if not found:
        found = [token for token in _SEPARATOR.split(value[:20_000]) if "@" in token]
    ids = tuple(dict.fromkeys(f"<{inner}>" for inner in found if inner and len(inner) <= MAX_ID_LENGTH - 2))
    return cap(ids)


def read_message_id(value: str | None) -> str | None:
    """The id of a Message-ID field in angle brackets; None where there is none or it is absurdly long."""
    if not value:
        return None
    bracketed = _BRACKETED.search(value)
    inner = "".join((bracketed[1] if bracketed else value.strip("<> \t")).split())
    return f"<{inner}>" if inner and len(inner) <= MAX_ID_LENGTH - 2 else None


def cap(ids: tuple[str, ...]) -> tuple[str, ...]:
    """The first id and the last ones, `MAX_REFERENCES` in all."""
    return ids if len(ids) <= MAX_REFERENCES else (ids[0], *ids[-(MAX_REFERENCES - 1) :])


def answer_references(
    message_id: str | None, references: tuple[str, ...], in_reply_to: tuple[str, ...]
) -> tuple[str, ...]:
    """References of an answer (RFC 5322, 3.6.4): the parent's, else its single In-Reply-To, then its id."""
    before = references or (in_reply_to if len(in_reply_to) == 1 else ())
    own = (message_id,) if message_id else ()
    return cap(tuple(dict.fromkeys((*(i for i in before if i not in own), *own))))
