"""Bytes whose charset is missing, wrong, or wider than its name, as Asian and Eastern mail has them."""

from __future__ import annotations

import pytest

from mail.charsets import codec_name, decode
from mail.jis import read_jis

JAPANESE = "お世話になっております。見積書をお送りしますのでご確認ください。"
KATAKANA = "デザイン・レイアウト・コンサルタントのセミナー"
SIMPLIFIED = "黄山旅游天天发，南京特价宾馆任你选，欢迎来电咨询"
TRADITIONAL = "辦公室出租，優質商業大樓，交通便利，歡迎洽詢參觀"
KOREAN = "명품화장품특가할인행사안내"
KANJI = "東京都千代田区株式会社代表取締役社長営業本部"
RUSSIAN = "Отправляю договор на подпись"


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        (JAPANESE, "cp932"),
        (KATAKANA, "cp932"),
        (KANJI, "cp932"),
        (JAPANESE, "euc_jp"),
        (SIMPLIFIED, "gb18030"),
        (TRADITIONAL, "big5"),
        (KOREAN, "cp949"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8_r"),
        (RUSSIAN.upper(), "cp1251"),
    ],
)
@pytest.mark.parametrize("declared", [None, "us-ascii", "iso-8859-1"])
def test_the_script_is_found_though_the_charset_is_not_declared(
    text: str, codec: str, declared: str | None
) -> None:
    assert decode(text.encode(codec), declared)[0] == text


@pytest.mark.parametrize(
    ("text", "codec"), [(JAPANESE, "cp932"), (SIMPLIFIED, "gb18030"), (TRADITIONAL, "big5")]
)
def test_the_script_is_found_among_much_english(text: str, codec: str) -> None:
    raw = b"Dear Sir, please see the price list of our new products below.\n" + text.encode(codec)
    assert (
        decode(raw + b"\nBest regards, the sales team of the factory", "iso-8859-1")[0].split("\n")[1] == text
    )


@pytest.mark.parametrize(
    "text",
    [
        "Grüße aus Köln, die Rechnung über 30 € liegt bei – schöne Woche!",
        "L’été à la plage, c’est « génial » : déjà réservé, n’est-ce pas ?",
        "»»» Nur heute ««« ·¸¸·´¯`·¸¸·´¯`·¸¸·´¯ ÄÖÜ",
        "São Paulo não é só a ação: é também coração.",
        "Takk, þriðjudagur hentar vel og við sjáumst þá. Kveðja",
    ],
)
@pytest.mark.parametrize("declared", [None, "iso-8859-1", "windows-1252"])
def test_latin_letters_stay_latin(text: str, declared: str | None) -> None:
    assert decode(text.encode("cp1252"), declared)[0] == text


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("Teşekkürler, salı uygun. Görüşmek üzere, saygılar", "cp1254"),
        ("Dziękuję, proszę o przesłanie umowy w załączniku", "iso8859-2"),
        ("Děkuji, úterý se mi hodí, přijďte prosím včas", "cp1250"),
    ],
)
def test_latin_letters_of_another_region_are_found(text: str, codec: str) -> None:
    assert decode(text.encode(codec))[0] == text


@pytest.mark.parametrize("text", ["①から③まで、№7", "髙橋様と山﨑様", "㈱見本 〜 Ⅲ"])
def test_japanese_mail_with_the_characters_of_its_vendors_is_read(text: str) -> None:
    for prefix in ("", "Offer: "):
        raw = b"".join(_jis(char) for char in prefix + text)
        found, read = decode(raw, "iso-2022-jp")
        assert (found.replace("～", "〜"), read) == (prefix + text, True)


def _jis(char: str) -> bytes:
    """One character as Japanese mail programs write it: its windows-31j code moved into 7 bits."""
    if char.isascii():
        return b"\x1b(B" + char.encode()
    first, second = char.replace("〜", "～").encode("cp932")
    if first >= 0xFA:
        # IBM's rows stand in NEC's place in mail.
        first, second = {"髙": (0xEE, 0xE0), "﨑": (0xED, 0x95)}[char]
    row = (first - (0x81 if first < 0xA0 else 0xC1)) * 2 + 0x21
    if second >= 0x9F:
        return b"\x1b$B" + bytes((row + 1, second - 0x7E))
    return b"\x1b$B" + bytes((row, second - (0x1F if second < 0x7F else 0x20)))


@pytest.mark.parametrize("codec", ["euc_jp", "cp932"])
def test_eight_bit_japanese_that_is_declared_as_seven_bit_is_read(codec: str) -> None:
    assert decode(("Re: " + JAPANESE).encode(codec), "iso-2022-jp")[0] == "Re: " + JAPANESE


@pytest.mark.parametrize(
    "raw", [b"\x1b$B", b"\x1b$B!", b"\x1b$(D\x30", b"\x1b(I\x7f\x21", b'\x1b$B$\x0a$"\x1b(B\xe9', b""]
)
def test_damaged_seven_bit_japanese_never_raises(raw: bytes) -> None:
    assert len(read_jis(raw)) <= len(raw)


def test_half_width_kana_and_the_supplement_are_read() -> None:
    assert read_jis(b"\x1b(I6E\x1b(B ok") == "ｶﾅ ok"
    assert read_jis(b"\x1b$(D0!\x1b(B") == "丂"


def test_control_characters_are_the_signs_that_they_were_in_windows_1252() -> None:
    assert decode("Preis: 30 \x80 \x96 gültig".encode(), "utf-8")[0] == "Preis: 30 € – gültig"


def test_quotes_of_another_charset_among_latin_letters_are_read() -> None:
    raw = "café, thé, été, né, clé ".encode("cp1252") + "l’ami".encode()
    assert decode(raw, "iso-8859-1")[0] == "café, thé, été, né, clé l’ami"


@pytest.mark.parametrize(
    "name", ["CHINESEBIG5", "x-big5", "gb2312_charset", "x-gb2312", "cp51932", "iso-2022-jp-ms"]
)
def test_names_of_charsets_that_no_registry_has_are_known(name: str) -> None:
    assert codec_name(name)


def test_big5_that_is_declared_as_gb2312_is_read() -> None:
    text = "您好，附件是我們的報價單，請查收，謝謝"
    assert decode(text.encode("big5"), "gb2312")[0] == text


def test_letters_that_latin_1_cannot_mean_disprove_it() -> None:
    text = "Dobrý den, posílám nabídku. Děkuji, přeji hezký den, žluťoučký kůň"
    assert decode(text.encode("cp1250"), "iso-8859-1")[0] == text
