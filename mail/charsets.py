"""Bytes to text when the declared charset may be missing, unknown or wrong.

The order: a byte order mark; UTF-8 where the bytes are valid UTF-8; the declared charset; what the mail
hints at elsewhere; a guess from the bytes; windows-1252. Names and supersets follow the WHATWG Encoding Standard.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from functools import lru_cache

from mail.guess import guess_latin, guess_script, in_runs
from mail.jis import read_jis

# Fewer bad bytes than one for this many good UTF-8 characters: UTF-8 with foreign bytes mixed in.
UTF8_GOOD_PER_BAD = 3
# Each foreign byte costs a call; text with more of them is damaged rather than mixed.
MAX_MIXED = 1_000
# Bytes that the guess looks at.
GUESS_BYTES = 20_000
# With so few characters, valid UTF-8 may be chance; a declared double-byte charset is believed.
FEW_CHARACTERS = 2

# Charsets that mail names, and the superset that reads what senders really put into them.
_SUPERSETS = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
    "cp950": "big5hkscs",
    "iso2022_jp": "iso2022_jp_ext",
    "iso2022_jp_1": "iso2022_jp_ext",
    "euc_jp": "euc_jis_2004",
}
_ALIASES = {
    "utf8mb4": "utf-8",
    "unicode-1-1-utf-8": "utf-8",
    "x-utf-8": "utf-8",
    "unicode-1-1-utf-7": "utf-7",
    "unicode": "utf-16",
    "x-gbk": "gbk",
    "gb_2312-80": "gb2312",
    "gb2312-80": "gb2312",
    "cn-gb": "gb2312",
    "csgb2312": "gb2312",
    "x-big5": "big5",
    "cn-big5": "big5",
    "chinesebig5": "big5",
    "x-gb2312": "gb2312",
    "gb_2312": "gb2312",
    "gb2312_charset": "gb2312",
    "iso-2022-jp-ms": "iso2022_jp",
    "x-iso-2022-jp": "iso2022_jp",
    "cp50220": "iso2022_jp",
    "cp50221": "iso2022_jp",
    "jis": "iso2022_jp",
    "cp51932": "euc_jp",
    "eucjpms": "euc_jp",
    "eucjp-ms": "euc_jp",
    "x-mac-ce": "mac_latin2",
    "x-windows-874": "cp874",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "ksc5601": "cp949",
    "ksc_5601": "cp949",
    "x-windows-949": "cp949",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "ms_kanji": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "x-euc-jp": "euc_jp",
    "x-mac-roman": "mac_roman",
    "macintosh": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic",
    "x-cp1250": "cp1250",
    "x-cp1251": "cp1251",
    "x-cp1252": "cp1252",
    "ansi": "cp1252",
    "windows": "cp1252",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8",
    "iso-8859-6-i": "iso8859-6",
    "koi8": "koi8_r",
    "koi": "koi8_r",
    "koi8-ru": "koi8_u",
    "dos-874": "cp874",
    "iso-2022-cn": "gb18030",
    "hz-gb-2312": "hz",
    "us-ascii-8bit": "cp1252",
    "unknown-8bit": "",
    "x-unknown": "",
    "unknown": "",
    "default": "",
    "binary": "",
    "8bit": "",
    "none": "",
    "_autodetect": "",
    "x-user-defined": "",
}
# Python codecs that read text; others (punycode, unicode_escape, zip ...) are never run on foreign bytes.
_TEXT_CODEC = re.compile(
    r"(?:utf-(?:7|8|8-sig|16|16-le|16-be|32|32-le|32-be)|ascii|iso8859-\d+|cp\d+|koi8-[rtu]|kz1048|tis-620"
    r"|mac-\w+|hp-roman8|ptcp154|gb2312|gbk|gb18030|hz|big5|big5hkscs|euc[_-]\w+|iso2022[_-]\w+|shift[_-]\w+|johab)\Z"
)
_PRIVATE = re.compile("[\ue000-\uf8ff]")
"""What two bytes mean in gb18030 that no Chinese charset gives a character."""
_NOT_IN_CP1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_DOUBLE_BYTE = frozenset(
    {
        "gb18030",
        "big5hkscs",
        "cp949",
        "cp932",
        "euc_jis_2004",
        "euc_jp",
        "johab",
        "gbk",
        "gb2312",
        "big5",
        "euc_kr",
    }
)
_SEVEN_BIT = ("iso2022", "hz", "utf-7")
_STATEFUL_ESCAPE = re.compile(rb"\x1b\$[@B(]|\x1b\([BJI]")
_FOREIGN_PUNCTUATION = re.compile(rb"\xe2\x80[\x90-\xaf]")
_C1 = re.compile(r"[\x80-\x9f]")
_C1_BYTES = re.compile(rb"\xc2[\x80-\x9f]")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def clean(text: str) -> str:
    """The text without what PostgreSQL and JSON cannot hold: NUL goes, a lone surrogate becomes U+FFFD."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return _without_surrogates(text)
    return text


def _without_surrogates(text: str) -> str:
    if _PAIR.search(text) is not None:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


@lru_cache(maxsize=512)
def codec_name(charset: str) -> str:
    """Python's name of the codec for a charset as mail names it; empty for an unknown or unsafe one."""
    name = charset.strip(" \t\r\n\"'<>;,:=").lower()
    if len(name) > 40:
        return ""
    name = name.split("*")[0]
    alias = _ALIASES.get(name)
    if alias == "":
        return ""
    name = alias or name
    if name.startswith(("windows-", "windows_")):
        name = "cp" + name[8:]
    elif re.fullmatch(r"(?:iso[-_ ]?)?8859[-_]?\d+(?:[:-].*)?", name):
        name = "iso8859-" + re.findall(r"\d+", name.replace("8859", "", 1))[0]
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError, UnicodeError):
        return ""
    if _TEXT_CODEC.match(found.replace("_", "-") if found.startswith(("mac", "koi8")) else found) is None:
        return ""
    return _SUPERSETS.get(found, found)


def _decode_mixed(error: UnicodeError) -> tuple[str, int]:
    """Reads the bytes that are no UTF-8 as windows-1252: what a relay or list appends in its own charset."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("mail.mixed", _decode_mixed)


def decode(data: bytes, declared: str | None = None, hints: Iterable[str] = ()) -> tuple[str, bool]:
    """Text of the bytes without NUL and lone surrogates, and whether all of them could be read.

    `declared` is the charset that the mail claims for these bytes, `hints` those that it names elsewhere.
    """
    codec = codec_name(declared) if declared else ""
    if data.isascii():
        return _decode_ascii(data, codec)
    if data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        marked = "utf-8-sig" if data.startswith(codecs.BOM_UTF8) else "utf-16"
        text = data.decode(marked, "replace")
        if text.count("\ufffd") * 20 <= len(text):
            return clean(text), "\ufffd" not in text
    if codec.startswith(("utf-16", "utf-32")) and b"\x00" in data:
        text = data.decode(codec, "replace")
        if text.count("\ufffd") * 20 <= len(text):
            return clean(text), "\ufffd" not in text
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return _decode_legacy(data, codec, hints)
    if codec in _DOUBLE_BYTE and sum(1 for c in text[:4096] if c > "\x7f") <= FEW_CHARACTERS:
        try:
            return clean(data.decode(codec)), True
        except UnicodeDecodeError:
            pass
    if _C1_BYTES.search(data) is not None:
        # No mail means control characters: windows-1252 was taken for ISO 8859-1 on the way (WHATWG does alike).
        text = _C1.sub(lambda found: found[0].encode("latin-1").decode("cp1252", "ignore"), text)
    return text.replace("\x00", ""), True


def _decode_ascii(data: bytes, codec: str) -> tuple[str, bool]:
    if codec.startswith(_SEVEN_BIT):
        return _decode_codec(data, codec)
    if b"\x1b" in data and _STATEFUL_ESCAPE.search(data):
        return _decode_codec(data, "iso2022_jp_ext")
    text = data.decode("ascii")
    if "\x00" not in text:
        return text, True
    if codec.startswith(("utf-16", "utf-32")) or text.count("\x00") * 5 > len(text) * 2:
        wide = (
            codec
            if codec.startswith(("utf-16", "utf-32"))
            else "utf-16-be"
            if text[0] == "\x00"
            else "utf-16-le"
        )
        wide_text = data.decode(wide, "replace")
        if wide_text.count("\ufffd") * 20 <= len(wide_text):
            return clean(wide_text), True
    return text.replace("\x00", ""), True


def _decode_legacy(data: bytes, codec: str, hints: Iterable[str]) -> tuple[str, bool]:
    """Text of bytes that are not valid UTF-8."""
    if codec and not codec.startswith(("utf-", "cp1252")):
        text, read = _decode_codec(data, codec)
        if read and not (codec == "gb18030" and _PRIVATE.search(text) is not None):
            return text, True
        if codec.startswith("iso2022_jp"):
            hints = ("euc-jp", "shift_jis", *hints)
    mixed = data.decode("utf-8", "replace")
    bad = mixed.count("\ufffd")
    good = len(mixed) - bad - _ascii_count(data)
    if good >= UTF8_GOOD_PER_BAD * bad:
        if bad > MAX_MIXED:
            return mixed.replace("\x00", ""), False
        return data.decode("utf-8", "mail.mixed").replace("\x00", ""), False
    if codec and codec.startswith("utf-8") and good > bad:
        return mixed.replace("\x00", ""), False
    for hint in hints:
        other = codec_name(hint)
        if other and other not in (codec, "cp1252") and not other.startswith(("utf-", *_SEVEN_BIT)):
            text, read = _decode_codec(data, other)
            if read:
                return text, True
    if _no_latin(data) or in_runs(data[:GUESS_BYTES]):
        guessed = guess_script(data)
        if guessed and guessed != codec:
            return _decode_codec(data, guessed)[0], False
    if codec in _DOUBLE_BYTE:
        text, _ = _decode_codec(data, codec)
        if text.count("\ufffd") * 20 <= len(text):
            return text, False
    believed = codec == "cp1252" and (b"\xe2\x80" in data or _NOT_IN_CP1252.search(data) is None)
    latin = "cp1252" if believed else guess_latin(data)
    if b"\xe2\x80" in data:
        # Quotes and dashes of another charset than the rest: pages that gather other people's words have them.
        data = _FOREIGN_PUNCTUATION.sub(lambda found: found[0].decode().encode(latin, "replace"), data)
    text, read = _decode_codec(data, latin)
    return text, read and codec == latin


def _decode_codec(data: bytes, codec: str) -> tuple[str, bool]:
    try:
        return clean(data.decode(codec)), True
    except (UnicodeDecodeError, ValueError):
        text = read_jis(data) if codec.startswith("iso2022_jp") else data.decode(codec, "replace")
        return clean(text), "\ufffd" not in text


def _ascii_count(data: bytes) -> int:
    return len(data) - len(data.translate(None, _ASCII))


_ASCII = bytes(range(128))


def _no_latin(data: bytes) -> bool:
    """Whether most letters are above ASCII: text of a script that windows-1252 does not write."""
    sample = data[:GUESS_BYTES].lower()
    high = len(sample) - _ascii_count(sample)
    letters = sum(map(sample.count, b"etaoinsrhldcu"))
    return high >= 6 and high > 2 * letters
