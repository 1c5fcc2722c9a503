"""Partial responses: the `fields` parameter. Google API: "Performance tips"."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from devstack.gmail.errors import invalid

Mask = dict[str, Any]


@lru_cache(maxsize=512)
def parse(text: str) -> Mask:
    """The mask of `a,b(c,d/e)`; 400 where it is malformed."""
    mask, rest = _parse_list(text, 0)
    if rest != len(text):
        raise invalid(f"Invalid field selection {text}")
    return mask


def _parse_list(text: str, at: int) -> tuple[Mask, int]:
    mask: Mask = {}
    while True:
        start = at
        while at < len(text) and text[at] not in ",()/":
            at += 1
        name = text[start:at].strip()
        if not name:
            raise invalid(f"Invalid field selection {text}")
        inner: Mask = {}
        if at < len(text) and text[at] == "/":
            inner, at = _parse_path(text, at + 1)
        elif at < len(text) and text[at] == "(":
            inner, at = _parse_list(text, at + 1)
            if at >= len(text) or text[at] != ")":
                raise invalid(f"Invalid field selection {text}")
            at += 1
        _merge(mask, name, inner)
        if at < len(text) and text[at] == ",":
            at += 1
            continue
        return mask, at


def _parse_path(text: str, at: int) -> tuple[Mask, int]:
    start = at
    while at < len(text) and text[at] not in ",()/":
        at += 1
    name = text[start:at].strip()
    if not name:
        raise invalid(f"Invalid field selection {text}")
    if at < len(text) and text[at] == "/":
        inner, at = _parse_path(text, at + 1)
        return {name: inner}, at
    if at < len(text) and text[at] == "(":
        inner, at = _parse_list(text, at + 1)
        if at >= len(text) or text[at] != ")":
            raise invalid(f"Invalid field selection {text}")
        return {name: inner}, at + 1
    return {name: {}}, at


def _merge(mask: Mask, name: str, inner: Mask) -> None:
    if name not in mask:
        mask[name] = inner
    elif not inner or not mask[name]:
        mask[name] = {}
    else:
        for key, value in inner.items():
            _merge(mask[name], key, value)


def select(value: Any, mask: Mask) -> Any:
    """The part of a JSON value that the mask names; lists are transparent."""
    if not mask:
        return value
    if isinstance(value, list):
        return [select(item, mask) for item in value]
    if not isinstance(value, dict):
        return value
    if "*" in mask:
        return {key: select(item, mask["*"]) for key, item in value.items()}
    return {key: select(item, mask[key]) if mask[key] else item for key, item in value.items() if key in mask}
