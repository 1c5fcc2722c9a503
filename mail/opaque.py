"""S/MIME mail that is signed as a whole (application/pkcs7-mime; smime-type=signed-data): the mail inside it.

Only the envelope is read (RFC 5652, 5.1: ContentInfo, SignedData, encapContentInfo), no signature is checked. Both
forms of length occur: definite (DER) and indefinite (BER, as programs write that sign while they send).
"""

from __future__ import annotations

MAX_ELEMENTS = 100_000
MAX_DEPTH = 20

_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_SEQUENCE, _SET, _INTEGER, _OBJECT_ID, _EXPLICIT = 0x30, 0x31, 0x02, 0x06, 0xA0
_OCTETS, _OCTETS_IN_PIECES = 0x04, 0x24
_CONSTRUCTED = 0x20


class _UnreadableError(Exception):
    """The bytes are no signed data."""


def signed_content(data: bytes) -> bytes | None:
    """The content that a CMS message signs; None where it is something else, encrypted, or broken. Linear."""
    try:
        return _Reader(data).content()
    except (_UnreadableError, IndexError):
        return None


class _Reader:
    """Walks the elements of BER without copying them. IndexError: the bytes end too early."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.left = MAX_ELEMENTS

    def content(self) -> bytes:
        self.enter(_SEQUENCE)
        if self.value(_OBJECT_ID) != _SIGNED_DATA:
            raise _UnreadableError
        self.enter(_EXPLICIT)
        self.enter(_SEQUENCE)
        self.value(_INTEGER)
        self.skip(_SET)
        self.enter(_SEQUENCE)
        self.value(_OBJECT_ID)
        self.enter(_EXPLICIT)
        return b"".join(self.octets())

    def head(self) -> tuple[int, int | None]:
        """Tag and length of the element here, and moves to its content; no length where it is indefinite."""
        self.left -= 1
        if self.left < 0:
            raise _UnreadableError
        tag, length = self.data[self.at], self.data[self.at + 1]
        self.at += 2
        if length == 0x80 and tag & _CONSTRUCTED:
            return tag, None
        if length & 0x80:
            size = length & 0x7F
            if not 0 < size <= 5:
                raise _UnreadableError
            length = int.from_bytes(self.data[self.at : self.at + size])
            self.at += size
        if self.at + length > len(self.data):
            raise IndexError
        return tag, length

    def enter(self, wanted: int) -> int | None:
        tag, length = self.head()
        if tag != wanted:
            raise _UnreadableError
        return length

    def value(self, wanted: int) -> bytes:
        length = self.enter(wanted)
        if length is None:
            raise _UnreadableError
        self.at += length
        return self.data[self.at - length : self.at]

    def skip(self, wanted: int) -> None:
        length = self.enter(wanted)
        if length is not None:
            self.at += length
            return
        open_elements = 1
        while open_elements:
            tag, length = self.head()
            if length is None:
                open_elements += 1
            elif tag == 0 and length == 0:
                open_elements -= 1
            else:
                self.at += length

    def octets(self, depth: int = 0) -> list[bytes]:
        """An octet string, whole or in pieces."""
        tag, length = self.head()
        if tag == _OCTETS and length is not None:
            self.at += length
            return [self.data[self.at - length : self.at]]
        if tag != _OCTETS_IN_PIECES or depth > MAX_DEPTH:
            raise _UnreadableError
        end = None if length is None else self.at + length
        pieces: list[bytes] = []
        while end is None or self.at < end:
            if end is None and self.data[self.at : self.at + 2] == b"\x00\x00":
                self.at += 2
                break
            pieces += self.octets(depth + 1)
        return pieces
