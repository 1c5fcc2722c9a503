"""ISO-2022-JP as Japanese mail programs really write it: with the characters of windows-31j (NEC and IBM rows).

Circled digits, "No." and name kanji such as those of Takahashi have no place in the standard, which is why strict
codecs refuse such text. Each pair is moved to Shift_JIS and read as windows-31j (WHATWG Encoding Standard, 12.2).
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(rb"\x1b(\$[@B]|\$\([BD]|\([BJI])")


def read_jis(data: bytes) -> str:
    """The text; what is no character becomes U+FFFD. Never raises; linear."""
    pieces = _ESCAPE.split(data)
    texts = [pieces[0].decode("ascii", "replace")]
    for charset, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        if charset in (b"$@", b"$B", b"$(B"):
            texts.append(_pairs(piece))
        elif charset == b"$(D":
            texts.append(_pairs_of_supplement(piece))
        elif charset == b"(I":
            texts.append(
                bytes(byte | 0x80 if 0x21 <= byte <= 0x5F else byte for byte in piece).decode(
                    "cp932", "replace"
                )
            )
        else:
            texts.append(piece.decode("ascii", "replace"))
    return "".join(texts)


def _pairs(piece: bytes) -> str:
    """JIS X 0208 with the vendors' rows; a line break ends no pair, it stands alone."""
    moved = bytearray()
    at = 0
    while at < len(piece):
        first = piece[at]
        if not 0x21 <= first <= 0x7E:
            moved.append(first)
            at += 1
            continue
        second = piece[at + 1] if at + 1 < len(piece) else 0
        if not 0x21 <= second <= 0x7E:
            moved += b"\x80"
            at += 1
            continue
        moved.append(((first + 1) >> 1) + (0x70 if first <= 0x5E else 0xB0))
        moved.append(second + (0x7E if first % 2 == 0 else 0x1F if second < 0x60 else 0x20))
        at += 2
    return moved.decode("cp932", "replace")


def _pairs_of_supplement(piece: bytes) -> str:
    """JIS X 0212."""
    moved = bytearray()
    for at in range(0, len(piece) - 1, 2):
        moved += bytes((0x8F, piece[at] | 0x80, piece[at + 1] | 0x80))
    return moved.decode("euc_jp", "replace")
