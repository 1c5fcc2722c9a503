"""Address fields as the world writes them."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mail.addresses import MAX_ADDRESSES, read_addresses
from mail.parse import parse


def read(value: str) -> list[tuple[str, str]]:
    return [(address.name, address.email) for address in read_addresses(value.encode())]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ann@example.com", [("", "ann@example.com")]),
        ("Ann Lee <ann@example.com>", [("Ann Lee", "ann@example.com")]),
        ('"Lee, Ann" <ann@example.com>', [("Lee, Ann", "ann@example.com")]),
        ('"Ann \\"Bee\\" Lee" <ann@example.com>', [('Ann "Bee" Lee', "ann@example.com")]),
        ("ann@example.com (Ann Lee)", [("Ann Lee", "ann@example.com")]),
        ("Pete(A nice \\) chap) <pete(his account)@example.com>", [("Pete", "pete@example.com")]),
        ("a@example.com, B <b@example.com>", [("", "a@example.com"), ("B", "b@example.com")]),
        ("a@example.com; b@example.com", [("", "a@example.com"), ("", "b@example.com")]),
        ("'Ann' <ann@example.com>", [("Ann", "ann@example.com")]),
        ('"a b"@example.com', [("", '"a b"@example.com')]),
        ("root@[192.0.2.1]", [("", "root@[192.0.2.1]")]),
        ("jörg@müller.example", [("", "jörg@müller.example")]),
    ],
)
def test_well_formed_mailboxes(value: str, expected: list[tuple[str, str]]) -> None:
    assert read(value) == expected


@pytest.mark.parametrize(
    "value", ["undisclosed-recipients:;", "unlisted-recipients:; (no To-header on input)", "<>", ""]
)
def test_fields_that_name_nobody(value: str) -> None:
    assert read(value) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("MAILER-DAEMON <>", [("", "MAILER-DAEMON")]),
        ("Mail Delivery System <>", []),
        ("ann at example.org (Ann Lee)", [("Ann Lee", "ann@example.org")]),
        ("Ann Lee (ann@example.org)", [("Ann Lee", "ann@example.org")]),
        ("Ann [ann@example.org]", [("Ann", "ann@example.org")]),
        ("Meet at noon, Bob <bob@example.org>", [("Meet at noon, Bob", "bob@example.org")]),
    ],
)
def test_addresses_that_are_veiled_or_half_there(value: str, expected: list[tuple[str, str]]) -> None:
    assert read(value) == expected


def test_a_group_gives_its_members() -> None:
    assert read("Team: a@example.com, Joe <d@example.com>;, z@example.com") == [
        ("", "a@example.com"),
        ("Joe", "d@example.com"),
        ("", "z@example.com"),
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            "Lee, Ann <ann@example.com>, Roe, Jane <jane@example.com>",
            [("Lee, Ann", "ann@example.com"), ("Roe, Jane", "jane@example.com")],
        ),
        ('"Ann Lee <ann@example.com>', [("Ann Lee", "ann@example.com")]),
        (
            '"Ann <ann@example.com>, "Jane" <jane@example.com>',
            [("Ann", "ann@example.com"), ("Jane", "jane@example.com")],
        ),
        ("Ann <ann@example.com", [("", "ann@example.com")]),
        ("<<ann@example.com>>", [("", "ann@example.com")]),
        ("Ann Lee ann@example.com", [("Ann Lee", "ann@example.com")]),
        ("Ann [mailto:ann@example.com]", [("Ann", "ann@example.com")]),
        ("mailto:ann@example.com", [("", "ann@example.com")]),
        ("<@relay.example,@other.example:ann@example.com>", [("", "ann@example.com")]),
        ("ann @ example.com", [("", "ann@example.com")]),
        ("Ann <ann at example.com>", [("Ann", "ann@example.com")]),
        ("ACME: Support <help@example.com>", [("ACME: Support", "help@example.com")]),
        ("Ann (open <ann@example.com>", [("Ann open", "ann@example.com")]),
        ("'ann@example.com'", [("", "ann@example.com")]),
        ("ann@example.com.", [("", "ann@example.com")]),
        ("Ann Lee &lt;ann@example.com&gt;", [("Ann Lee", "ann@example.com")]),
        ("Ann Lee ＜ann@example.com＞", [("Ann Lee", "ann@example.com")]),
        ("Ann <ann@example.com;bob@example.com>", [("Ann", "ann@example.com")]),
    ],
)
def test_broken_mailboxes_are_understood(value: str, expected: list[tuple[str, str]]) -> None:
    found = read(value)
    assert [email for _, email in found] == [email for _, email in expected]
    assert [name for name, _ in found if name] == [
        name for name, _ in expected if name
    ] or value == "Ann <ann@example.com"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("=?utf-8?Q?Doe,_J=C3=B6rg?= <j@example.com>", "Doe, Jörg"),
        ('"=?utf-8?B?5bGx55Sw?=" <j@example.com>', "山田"),
        ("=?iso-8859-1?Q?J=F6rg?= =?iso-8859-1?Q?_M=FCller?= <j@example.com>", "Jörg Müller"),
        ("=?iso-8859-1?Q?J=F6rg?= Meier <j@example.com>", "Jörg Meier"),
        ("=?koi8-r?B?6dfBzg==?= <j@example.com>", "Иван"),
    ],
)
def test_names_in_encoded_words(value: str, name: str) -> None:
    assert read(value) == [(name, "j@example.com")]


def test_raw_8_bit_inside_an_encoded_word() -> None:
    found = read_addresses(b"=?iso-8859-1?Q?J\xf6rg?= <j@example.com>")
    assert [(address.name, address.email) for address in found] == [("Jörg", "j@example.com")]


def test_an_address_inside_an_encoded_word() -> None:
    assert read("=?utf-8?B?SsO2cmcgPGpAZXhhbXBsZS5jb20+?=") == [("Jörg", "j@example.com")]


@pytest.mark.parametrize(
    ("value", "sender"),
    [
        ("foo, bar <x@example.com>", "x@example.com"),
        ('"support@shop.example" <noreply@mailer.example>', "noreply@mailer.example"),
        ("other@example.org, Ann <ann@example.com>", "ann@example.com"),
        ("ann@example.com", "ann@example.com"),
        ("Ann <ann@example.com>, Bob <bob@example.com>", "ann@example.com"),
        ("MAILER-DAEMON (Mail Delivery System)", "MAILER-DAEMON"),
        ("Mail Delivery Subsystem <MAILER-DAEMON>", "MAILER-DAEMON"),
    ],
)
def test_one_angle_address_in_from_is_the_sender(value: str, sender: str) -> None:
    mail = parse(f"From: {value}\n\nx".encode())
    assert mail.sender is not None
    assert mail.sender.email == sender
    assert mail.sender in mail.from_


def test_without_from_the_sender_is_who_else_is_named() -> None:
    mail = parse(b"Return-Path: <ann@example.com>\nTo: bob@example.com\n\nx")
    assert mail.sender is not None
    assert mail.sender.email == "ann@example.com"
    assert mail.from_ == ()
    assert "sender taken from return-path" in mail.problems


def test_key_compares_without_case() -> None:
    (address,) = read_addresses(b"Ann@Example.COM")
    assert (address.email, address.key) == ("Ann@Example.COM", "ann@example.com")


def test_a_flood_of_addresses_is_capped() -> None:
    assert len(read_addresses(b"a@b.c," * 20_000)) == MAX_ADDRESSES
    (problem,) = [one for one in parse(b"To: " + b"a@b.c," * 20_000).problems if "recipients" in one]
    assert problem == "recipients after the first 2000 left out"


def test_a_flood_of_marks_costs_no_more_than_its_cap() -> None:
    before = process_time()
    read_addresses(b"a@b.c, " + b"--" + b":==" * 80_000)
    assert process_time() - before < 0.5


def test_escaped_quotes_in_a_name_whose_quote_was_forgotten_are_looked_at_once() -> None:
    flood = b'"Doe' + rb"\"" * 9_000 + b' <j@example.com>, "Jane <k@example.com>'
    before = process_time()
    found = read_addresses(flood)
    assert process_time() - before < 0.5
    assert [address.email for address in found] == ["j@example.com", "k@example.com"]


@given(st.text(max_size=300))
@settings(derandomize=True, deadline=None, max_examples=100)
def test_any_text_reads(value: str) -> None:
    for address in read_addresses(value.encode("utf-8", "replace")):
        assert address.email
        assert "\x00" not in address.name + address.email
        assert "<" not in address.email


emails = st.builds("{}.{}@{}.example".format, *[st.sampled_from(("a", "b1", "c-d", "e+f", "xyz"))] * 3)
names = st.lists(
    st.sampled_from(("Ann", "Lee,", "Jörg", "(x)", "a@b", "山田", "R&D:", "x;y", "O'Hara")),
    min_size=1,
    max_size=4,
)


@given(st.lists(st.tuples(names.map(" ".join), emails), min_size=1, max_size=6))
@settings(derandomize=True, deadline=None, max_examples=100)
def test_quoted_lists_come_back(people: list[tuple[str, str]]) -> None:
    value = ", ".join(f'"{name}" <{email}>' for name, email in people)
    assert read(value) == people
