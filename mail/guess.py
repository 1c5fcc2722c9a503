"""Which charset undeclared 8-bit text is in, from how often its commonest letters come.

Each candidate is decoded; its score is the share of characters that the language writes often, against what real
text has of them. The best one wins if it explains the text; else nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

# Bytes that are looked at.
SAMPLE_BYTES = 4_000
MIN_SCORE = 0.55

# Lead bytes of the characters that the standards themselves call the commonest, and their share of real text.
_FIRST_LEVEL = (
    ("cp949", 0xB0, 0xC8, 0.98),
    ("gb18030", 0xB0, 0xD7, 0.85),
    ("big5hkscs", 0xA4, 0xC6, 0.85),
    ("cp932", 0x88, 0x97, 0.85),
)
SIGNS = (0xA1, 0xA3)
MIN_IDEOGRAPHS = 8
# Different bytes in runs; with fewer they are ornaments.
MIN_VARIETY = 8
_RUN = re.compile(rb"[\x80-\xff]{3,}")
_ASCII = bytes(range(128))
# Of Shift_JIS; in windows-1252 one is no character at all and two are rare signs.
_KANA_LEADS = (b"\x81", b"\x82", b"\x83")


@dataclass(frozen=True, slots=True)
class _Script:
    codecs: tuple[str, ...]
    first: str
    last: str
    common: frozenset[str]
    # What share of real text the common characters are.
    usual: float


_SCRIPTS = (
    _Script(
        ("cp1251", "koi8_u", "iso8859-5", "cp866"), "\u0400", "\u045f", frozenset("оеаинтсрвлкмдпу"), 0.75
    ),
    _Script(("cp1253", "iso8859-7"), "\u0384", "\u03ce", frozenset("αοιετσνηυρπκμςλάίόέ"), 0.85),
    _Script(("cp1255", "iso8859-8"), "\u05b0", "\u05f4", frozenset("יוהלאתרמבשנ"), 0.75),
    _Script(("cp1256", "iso8859-6"), "\u060c", "\u06d2", frozenset("اليمنوتربةكع"), 0.75),
    _Script(("cp874",), "\u0e01", "\u0e5b", frozenset("านรอกเงมยลวดทสต่้ัีิ"), 0.72),
    _Script(
        ("cp932", "euc_jis_2004"),
        "\u3001",
        "\u9fff",
        frozenset("のにはをたがでてとしれさいまするりなっも。、うこかおくんーンスルトイリクラシ"),
        0.55,
    ),
    _Script(
        ("cp949",),
        "\uac00",
        "\ud7a3",
        frozenset("이다는에을의하가고로를은한지서기니도사나시대해드리안세요"),
        0.45,
    ),
    _Script(
        ("gb18030",),
        "\u4e00",
        "\u9fff",
        frozenset("的一是不了在人有我他这中大来上国个到们为和你地出时年要以会，。您好请"),
        0.25,
    ),
    _Script(
        ("big5hkscs",),
        "\u4e00",
        "\u9fff",
        frozenset("的一是不了在人有我他這中大來上國個到們為和你地出時年要以會，。您好請"),
        0.25,
    ),
)
_LATIN = {
    "cp1252": frozenset("éèàùìòáíóúüöäßñçãõêôâîåæøûïëœðþÐÞÉÀÖÜÄÇÅØ’‘“”„–—…«»°€£§´•·®©¡¿\xa0"),
    "cp1254": frozenset("ışğçöüİŞĞÇÖÜâîûé’“”–…\xa0"),
    "cp1250": frozenset("ěščřžýáíéůúóňťďąćęłńśźżőűăşţľôäöüßđâîçŁŚŻŽŠČŘÁÍ„”“–…\xa0"),
    "iso8859-2": frozenset("ěščřžýáíéůúóňťďąćęłńśźżőűăşţľôäöüßđâîçŁŚŻŽŠČŘÁÍ\xa0"),
}


@dataclass(frozen=True, slots=True)
class _Table:
    """Bytes of a single-byte charset: letters of its script, the common ones, capitals, those of the common ones."""

    inside: bytes
    common: bytes
    upper: bytes
    upper_common: bytes
    undefined: bytes

    @classmethod
    def of(cls, codec: str, script: _Script) -> _Table:
        chars = {byte: bytes([byte]).decode(codec, "replace") for byte in range(0x80, 0x100)}

        def where(holds: Callable[[str], bool]) -> bytes:
            return bytes(byte for byte, char in chars.items() if holds(char))

        return cls(
            where(lambda char: script.first <= char <= script.last or char in script.common),
            where(lambda char: char in script.common),
            where(str.isupper),
            where(lambda char: char.lower() in script.common),
            where(lambda char: char == "\ufffd"),
        )


_TABLES = {
    codec: _Table.of(codec, script)
    for script in _SCRIPTS
    for codec in script.codecs
    if codec.startswith(("cp12", "iso", "koi8", "cp866", "cp874"))
}


def in_runs(data: bytes) -> bool:
    """Do the bytes above ASCII stand mostly in runs, or behind the lead bytes of kana? Those of Latin letters
    stand alone among ASCII ones.
    """
    high = len(data.translate(None, _ASCII))
    if sum(map(data.count, _KANA_LEADS)) * 4 >= max(high, 16):
        return True
    runs = _RUN.findall(data)
    if not runs:
        return False
    joined = b"".join(runs)
    if len(set(joined)) < MIN_VARIETY:
        return False
    alone = high - len(joined)
    return sum(len(run) for run in runs if len(set(run)) > 2) > alone


def guess_script(data: bytes) -> str:
    """Codec of text in a script other than Latin; empty where none explains the bytes."""
    return _guess_script(data[:SAMPLE_BYTES])


@lru_cache(maxsize=64)
def _guess_script(sample: bytes) -> str:
    best, best_score = "", MIN_SCORE
    for script in _SCRIPTS:
        for codec in script.codecs:
            score = _score(sample, codec, script)
            if score > best_score:
                best, best_score = codec, score
    return best or _guess_ideographs(sample)


def _guess_ideographs(sample: bytes) -> str:
    """Codec of Chinese in words too rare for the table of common ones: nearly all of first-level characters."""
    for codec, first, last, share in _FIRST_LEVEL:
        high = [char for char in sample.decode(codec, "replace") if char > "\x7f"]
        leads = [char.encode(codec, "replace")[0] for char in high]
        plain = sum(1 for lead in leads if first <= lead <= last)
        signs = sum(1 for lead in leads if SIGNS[0] <= lead <= SIGNS[1])
        if plain >= MIN_IDEOGRAPHS and plain >= share * (len(high) - signs):
            return codec
    return ""


def guess_latin(data: bytes) -> str:
    """Codec of text in Latin letters: windows-1252 unless another explains clearly more of the bytes."""
    sample = data[:SAMPLE_BYTES]
    best, best_count = "cp1252", -1
    for codec, common in _LATIN.items():
        count = sum(1 for char in sample.decode(codec, "replace") if char > "\x7f" and char in common)
        if count > best_count:
            best, best_count = codec, count
    return best


def _score(sample: bytes, codec: str, script: _Script) -> float:
    table = _TABLES.get(codec)
    if table is not None:
        return _score_bytes(sample, table, script.usual)
    text = sample.decode(codec, "replace")
    high = [char for char in text if char > "\x7f"]
    # The sample may end inside a character, and a mail may hold a broken one.
    if not high or text.count("\ufffd") > 1 + len(high) // 50:
        return 0.0
    inside = sum(1 for char in high if script.first <= char <= script.last or char in script.common)
    common = sum(1 for char in high if char in script.common)
    return _weigh(len(high), inside, common, script.usual)


def _score_bytes(sample: bytes, table: _Table, usual: float) -> float:
    """The same of a charset of single bytes, without decoding."""
    high = sample.translate(None, _ASCII)
    size = len(high)
    if not size or size - len(high.translate(None, table.undefined)) > size // 50:
        return 0.0
    inside = size - len(high.translate(None, table.inside))
    common = table.common if high.translate(None, table.upper) else table.upper_common
    return _weigh(size, inside, size - len(high.translate(None, common)), usual)


def _weigh(size: int, inside: int, common: int, usual: float) -> float:
    share = inside / size
    return min(1.0, common / size / usual) * share * share
