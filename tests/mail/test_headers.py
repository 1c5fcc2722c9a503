"""Header fields, encoded words, parameters and charsets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail.charsets import codec_name, decode
from mail.headers import MAX_FIELDS, MAX_WORDS, decode_base64, decode_words, read_fields, read_parameters
from mail.message import Headers
from mail.parse import parse, parse_headers


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("plain", "plain"),
        ("=?utf-8?Q?Gr=C3=BC=C3=9Fe_aus_K=C3=B6ln?=", "Grüße aus Köln"),
        ("=?UTF-8?B?5L2g5aW9?=", "你好"),
        ("=?utf-8?B?w6k=?= =?utf-8?B?w6g=?=", "éè"),
        ("=?utf-8?B?w6k=?= and =?utf-8?B?w6g=?=", "é and è"),
        ("=?utf-8?B?5L2g5Q==?= =?utf-8?B?pb0=?=", "你好"),
        ("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
        ("=?windows-1251?Q?=CF=F0=E8=E2=E5=F2?=", "Привет"),
        ("=?gb2312?B?xOO6ww==?=", "你好"),
        ("=?big5?B?p0Gmbg==?=", "你好"),
        ("=?euc-kr?B?vsiz5w==?=", "안녕"),
        ("=?utf-8*de?Q?=C3=BC?=", "ü"),
        ("=?utf-8?Q?two words unencoded?=", "two words unencoded"),
        ("=?utf-8?B?w6k?=", "é"),
        ("=?iso-8859-1?Q?=80_euro?=", "€ euro"),
        ("=?x-nonsense?Q?caf=C3=A9?=", "café"),
        ("=?utf-8?Q?broken", "=?utf-8?Q?broken"),
        ("=?us-ascii?Q?a?=b", "ab"),
    ],
)
def test_encoded_words(written: str, read: str) -> None:
    assert decode_words(written) == read
    assert parse(f"Subject: {written}\n\n".encode()).subject == read


def test_an_encoded_line_break_stays_in_its_field() -> None:
    assert decode_words("=?utf-8?Q?a=0D=0ABcc:_x?=") == "a  Bcc: x"


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("Grüße".encode(), "Grüße"),
        ("Grüße".encode("latin-1"), "Grüße"),
        ("Привет, как дела, всё ли хорошо".encode("cp1251"), "Привет, как дела, всё ли хорошо"),
        ("Привет, как дела сегодня".encode("koi8-r"), "Привет, как дела сегодня"),
    ],
)
def test_raw_8_bit_headers(raw: bytes, read: str) -> None:
    assert parse(b"Subject: " + raw + b"\n\n").subject == read


def test_folded_values_become_one_line() -> None:
    mail = parse(b"Subject: a\r\n b\r\n\tc\r\nReferences: <1@x>\r\n\t<2@x>\r\n\r\n")
    assert mail.subject == "a b c"
    assert mail.references == ("<1@x>", "<2@x>")


def test_headers_answer_without_case_and_in_order() -> None:
    headers = Headers((("Received", "1"), ("To", "a"), ("received", "2")))
    assert headers.get("RECEIVED") == "1"
    assert headers.get_all("Received") == ["1", "2"]
    assert headers.get("Cc") is None
    assert "to" in headers
    assert list(headers) == [("Received", "1"), ("To", "a"), ("received", "2")]


@pytest.mark.parametrize(
    "block",
    [
        b"Subject: hi\nthis line is none\nFrom: a@example.com\n\nbody",
        b"Subject : hi\nFrom: a@example.com\n\nbody",
        b"From a@example.com Mon Jan  1 00:00:00 2026\nSubject: hi\nFrom: a@example.com\n\nbody",
        b"\r\n\r\nSubject: hi\r\nFrom: a@example.com\r\n\r\nbody",
        b"Subject: hi\r\r\nFrom: a@example.com\r\r\n\r\r\nbody",
        b"Subject: hi\rFrom: a@example.com\r\rbody",
        b"Subject: hi\nFrom: a@example.com\nno empty line before the body",
    ],
)
def test_broken_header_blocks(block: bytes) -> None:
    mail = parse(block)
    assert mail.subject == "hi"
    assert mail.sender is not None
    assert mail.sender.email == "a@example.com"
    assert "body" in (mail.text or "")


def test_a_flood_of_fields_is_capped() -> None:
    fields, _ = read_fields(b"X: y\n" * 10_000)
    assert len(fields) == MAX_FIELDS


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (b'attachment; filename="report.pdf"', "report.pdf"),
        (b"attachment; filename=report 1.pdf", "report 1.pdf"),
        (b"attachment; filename*=UTF-8''%C3%9Cbersicht.pdf", "Übersicht.pdf"),
        (b"attachment; filename*0*=iso-8859-1'de'%DCber; filename*1=\"sicht.pdf\"", "Übersicht.pdf"),
        (b'attachment; filename*1="b.pdf"; filename*0="a"', "ab.pdf"),
        (b'attachment; filename="=?utf-8?B?w5xiZXI=?="', "Über"),
        ('attachment; filename="Übersicht.pdf"'.encode("latin-1"), "Übersicht.pdf"),
        (b'attachment; filename="a\\"b.pdf"', 'a"b.pdf'),
        (b'attachment; filename="open.pdf', "open.pdf"),
        (b"attachment; filename=fallback.pdf; filename*=UTF-8''better.pdf", "better.pdf"),
    ],
)
def test_file_names_in_parameters(value: bytes, name: str) -> None:
    kind, parameters = read_parameters(value)
    assert kind == "attachment"
    assert parameters["filename"] == name


@pytest.mark.parametrize(
    ("data", "declared", "text"),
    [
        ("Grüße".encode(), "iso-8859-1", "Grüße"),
        ("Grüße".encode(), None, "Grüße"),
        ("Grüße – „so“".encode("cp1252"), "us-ascii", "Grüße – „so“"),
        ("Grüße".encode("latin-1"), "utf-8", "Grüße"),
        ("日本語".encode("shift_jis"), "shift-jis", "日本語"),
        ("日本語のテキスト".encode("iso2022_jp"), None, "日本語のテキスト"),
        ("中文".encode("gb18030"), "gb2312", "中文"),
        ("中文内容在这里，没有声明".encode("gb18030"), None, "中文内容在这里，没有声明"),
        ("한국어".encode("cp949"), "ks_c_5601-1987", "한국어"),
        ("שלום".encode("iso8859-8"), "iso-8859-8-i", "שלום"),
        ("Ελληνικά".encode("iso8859-7"), "ISO-8859-7", "Ελληνικά"),
        ("ไทย".encode("cp874"), "tis-620", "ไทย"),
        ("abc".encode("utf-16"), "utf-16", "abc"),
        (b"\xef\xbb\xbfabc", None, "abc"),
        ("€".encode("cp1252"), "iso-8859-1", "€"),
        (b"a\x00b", None, "ab"),
        (
            "naïve text in UTF-8 with éàü, then ".encode() + b"a caf\xe9",
            "utf-8",
            "naïve text in UTF-8 with éàü, then a café",
        ),
    ],
)
def test_charsets_declared_missing_and_wrong(data: bytes, declared: str | None, text: str) -> None:
    assert decode(data, declared)[0] == text


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("Уважаемые коллеги, направляем вам счёт за март.", "cp1251"),
        ("Уважаемые коллеги, направляем вам счёт за март.", "koi8-r"),
        ("Шановні колеги, надсилаємо вам рахунок за послуги.", "koi8-u"),
        ("Уважаеми колеги, изпращаме ви фактура за услугите.", "cp1251"),
        ("Αγαπητοί συνάδελφοι, σας αποστέλλουμε το τιμολόγιο.", "iso8859-7"),
        ("שלום רב, מצורפת חשבונית עבור השירותים שניתנו.", "cp1255"),
        ("السلام عليكم، نرسل لكم الفاتورة الخاصة بالخدمات", "cp1256"),
        ("เรียนลูกค้าทุกท่าน ขอส่งใบแจ้งหนี้", "cp874"),
        ("お世話になっております。三月分の請求書をお送りします。", "shift_jis"),
        ("お世話になっております。三月分の請求書をお送りします。", "euc_jp"),
        ("尊敬的客户，您好！随信附上三月份的服务发票，请查收。", "gbk"),
        ("親愛的客戶您好，隨信附上三月份的服務發票，請查收。", "big5"),
        ("안녕하세요, 3월 서비스에 대한 청구서를 보내드립니다.", "cp949"),
        ("Szanowni Państwo, przesyłamy fakturę za usługi, proszę o zapłatę.", "cp1250"),
        ("Sayın ilgililer, mart ayında verilen hizmetler için faturanız ektedir.", "cp1254"),
        ("Chers collègues, voici la facture préparée à Noël, ça va où ?", "cp1252"),
        ("Sehr geehrte Damen, anbei die Rechnung für März. Grüße", "cp1252"),
    ],
)
@pytest.mark.parametrize("declared", [None, "us-ascii", "utf-8"])
def test_a_charset_that_is_missing_or_wrong_is_guessed(text: str, charset: str, declared: str | None) -> None:
    assert decode(text.encode(charset), declared)[0] == text


def test_a_hint_elsewhere_in_the_mail_decides_for_undeclared_bytes() -> None:
    czech = "Příliš žluťoučký kůň"
    assert decode(czech.encode("cp1250"), None, ("windows-1250",))[0] == czech


@pytest.mark.parametrize(
    "name", ["punycode", "unicode_escape", "idna", "rot13", "zlib", "hex", "x-unknown", "", "a" * 500]
)
def test_codecs_that_are_no_charsets_are_never_run(name: str) -> None:
    assert codec_name(name) == ""


@given(
    st.binary(max_size=200),
    st.sampled_from(["utf-7", "utf-16", "utf-32", "hz", "iso-2022-kr", "gbk", "utf-8", "x", None]),
)
@settings(derandomize=True, deadline=None, max_examples=150)
def test_any_bytes_decode_to_storable_text(data: bytes, declared: str | None) -> None:
    text, _ = decode(data, declared)
    assert "\x00" not in text
    assert text.encode("utf-8").decode("utf-8") == text


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"aGVsbG8=", b"hello"),
        (b"aGVsbG8", b"hello"),
        (b"aGVs\r\n bG8=\r\n", b"hello"),
        (b"aGVsbG8=aGVsbG8=", b"hellohello"),
        (b"aGVsbG8=\n-- \nThe list and its footer, which is no base64.", b"hello"),
        (b"a", b""),
        (b"", b""),
    ],
)
def test_base64_as_senders_write_it(written: bytes, read: bytes) -> None:
    assert decode_base64(written) == read


def test_headers_from_gmail_metadata() -> None:
    mail = parse_headers(
        [
            ("From", "=?utf-8?Q?J=C3=B6rg?= <j@example.com>"),
            ("To", "Ann <ann@example.com>,\r\n bob@example.com"),
            ("Subject", "Grüße \ud800"),
            ("Message-ID", "<1@example.com>"),
            ("Date", "Mon, 02 Mar 2026 10:00:00 +0100"),
            ("Content-Type", 'multipart/report; report-type="delivery-status"; boundary=x'),
        ]
    )
    assert mail.sender is not None
    assert (mail.sender.name, mail.sender.email) == ("Jörg", "j@example.com")
    assert [address.email for address in mail.to] == ["ann@example.com", "bob@example.com"]
    assert mail.subject.startswith("Grüße")
    assert mail.subject.encode("utf-8")
    assert mail.content_type == "multipart/report"
    assert mail.parts_info[0][1]["report-type"] == "delivery-status"
    assert mail.text is None
    assert mail.html is None


def test_a_nul_in_the_name_of_a_parameter_is_left_out() -> None:
    value, parameters = read_parameters(b"multipart/re\x00port; rep\x00ort-type=delivery-status")
    assert (value, parameters) == ("multipart/report", {"report-type": "delivery-status"})


def test_a_flood_of_encoded_words_is_decoded_up_to_a_cap() -> None:
    decoded = decode_words("=?utf-8?q?=C3=A9?= x " * (MAX_WORDS + 10))
    assert (decoded.count("é"), decoded.count("=C3=A9")) == (MAX_WORDS, 10)
