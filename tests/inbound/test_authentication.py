"""S16: SPF, DKIM and DMARC against a DNS server of our own, with mail that is really signed."""

from __future__ import annotations

from collections.abc import Iterator

import dns.resolver
import pytest

from inbound import lookups
from inbound.authentication import (
    Authentication,
    Strictness,
    Verdict,
    authenticate,
    is_among,
    networks_of,
)
from settings import SettingsError
from tests.inbound.name_server import NameServer, Signer, serving

ANN = "ann@acme.example"
PEER = "192.0.2.1"
MAIL = (
    b"From: Ann <ann@acme.example>\r\nTo: Nora <nora@lead.example>\r\nSubject: Offer\r\n"
    b"Date: Sat, 28 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@acme.example>\r\n\r\nDear Nora\r\n"
)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    monkeypatch.setattr(lookups, "LOOKUP_S", 1.0)
    monkeypatch.setattr("inbound.authentication.LOOKUP_S", 1.0)
    with serving(monkeypatch) as server:
        server.txt["acme.example"] = f"v=spf1 ip4:{PEER} -all"
        server.txt["_dmarc.acme.example"] = "v=DMARC1; p=reject"
        yield server


@pytest.fixture(scope="module")
def acme() -> Signer:
    return Signer("acme.example")


@pytest.fixture(scope="module")
def evil() -> Signer:
    return Signer("evil.example")


def look(
    content: bytes = MAIL, *, author: str = ANN, peer: str = PEER, sender: str = ANN, trusted: bool = False
) -> Authentication:
    return authenticate(
        content, author=author, peer=peer, helo="mx.acme.example", mail_from=sender, trusted=trusted
    )


def verdicts(found: Authentication) -> dict[Strictness, Verdict]:
    every: tuple[Strictness, ...] = ("off", "record", "aligned", "strict")
    return {one: found.verdict(one) for one in every}


# SPF
@pytest.mark.parametrize(
    ("record", "peer", "result"),
    [
        (f"v=spf1 ip4:{PEER} -all", PEER, "pass"),
        (f"v=spf1 ip4:{PEER} -all", "198.51.100.9", "fail"),
        (f"v=spf1 ip4:{PEER} ~all", "198.51.100.9", "softfail"),
        ("v=spf1 ?all", PEER, "neutral"),
        ("some other text", PEER, "none"),
        ("v=spf1 ip4:nonsense -all", PEER, "permerror"),
        ("v=spf1 include:loop.example -all", PEER, "permerror"),
    ],
)
def test_s16_spf_says_whether_the_domain_lets_this_peer_send(
    names: NameServer, record: str, peer: str, result: str
) -> None:
    names.txt["acme.example"] = record
    names.txt["loop.example"] = "v=spf1 include:loop.example -all"
    found = look(peer=peer)
    assert (found.spf, found.aligned) == (result, ("spf",) if result == "pass" else ())
    assert found.dmarc == ("pass" if result == "pass" else "fail")


@pytest.mark.parametrize("how", ["broken", "silent"])
def test_s16_spf_that_cannot_be_looked_up_is_a_temperror(names: NameServer, how: str) -> None:
    getattr(names, how).add("acme.example")
    found = look()
    assert (found.spf, found.dmarc) == ("temperror", "temperror")
    assert verdicts(found)["aligned"] is Verdict.AGAIN


def test_s16_an_address_with_a_colon_prefix_is_spf_over_ipv6(names: NameServer) -> None:
    names.txt["acme.example"] = "v=spf1 ip6:2001:db8::/32 -all"
    assert look(peer="2001:db8::7").spf == "pass"
    assert look(peer="2001:db9::7").spf == "fail"


def test_s16_a_null_sender_proves_no_author(names: NameServer) -> None:
    names.txt["mx.acme.example"] = f"v=spf1 ip4:{PEER} -all"
    found = look(sender="")
    assert (found.spf, found.aligned, found.dmarc) == ("none", (), "fail")


# DKIM
def test_s16_a_signature_of_the_authors_domain_passes(names: NameServer, acme: Signer) -> None:
    acme.publish(names)
    found = look(acme.sign(MAIL), peer="198.51.100.9", sender="srs@forwarder.example")
    assert (found.dkim, found.aligned, found.dmarc) == ("pass", ("dkim",), "pass")


@pytest.mark.parametrize(
    ("change", "result"),
    [
        (lambda mail: mail.replace(b"Dear Nora", b"Dear Carl"), "fail"),
        (lambda mail: mail.replace(b"Subject: Offer", b"Subject: Bill"), "fail"),
        (lambda mail: mail.replace(b"bh=", b"bh=AAAA"), "fail"),
        (lambda mail: mail.replace(b"v=1;", b"v=1"), "permerror"),
        (lambda mail: b"To: stranger@evil.example\r\n" + mail, "policy"),
        (lambda mail: b"From: bob@acme.example\r\n" + mail, "policy"),
    ],
)
def test_s16_a_signature_that_does_not_cover_what_is_there_proves_nothing(
    names: NameServer, acme: Signer, change: object, result: str
) -> None:
    acme.publish(names)
    assert callable(change)
    found = look(change(acme.sign(MAIL)), peer="198.51.100.9")
    assert (found.dkim, found.aligned) == (result, ())
    assert verdicts(found)["aligned"] is Verdict.REFUSE


def test_s16_a_signature_without_a_published_key_fails(names: NameServer, acme: Signer) -> None:
    assert look(acme.sign(MAIL)).dkim == "fail"
    names.txt[acme.name] = "v=DKIM1; k=rsa; p="  # revoked
    assert look(acme.sign(MAIL)).dkim == "fail"


@pytest.mark.parametrize("how", ["broken", "silent"])
def test_s16_a_key_that_cannot_be_looked_up_is_a_temperror(names: NameServer, acme: Signer, how: str) -> None:
    getattr(names, how).add(acme.name)
    found = look(acme.sign(MAIL), peer="198.51.100.9")
    assert (found.dkim, found.dmarc) == ("temperror", "temperror")
    assert verdicts(found)["strict"] is Verdict.AGAIN


def test_s16_a_signature_over_a_part_of_the_text_does_not_count(names: NameServer, acme: Signer) -> None:
    acme.publish(names)
    found = look(acme.sign(MAIL, length=True) + b"Pay to this account instead.\r\n", peer="198.51.100.9")
    assert (found.dkim, found.aligned) == ("policy", ())


def test_s16_a_signature_that_leaves_from_out_does_not_count(
    names: NameServer, acme: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.publish(names)
    signed = acme.sign(MAIL)
    assert look(signed.replace(b"h=from :", b"h=x-from :"), peer="198.51.100.9").dkim == "policy"


def test_s16_of_several_signatures_the_authors_counts_wherever_it_stands(
    names: NameServer, acme: Signer, evil: Signer
) -> None:
    acme.publish(names)
    evil.publish(names)
    for signed in (evil.sign(acme.sign(MAIL)), acme.sign(evil.sign(MAIL))):
        found = look(signed, peer="198.51.100.9")
        assert (found.dkim, found.aligned) == ("pass", ("dkim",))


def test_s16_a_thousand_signatures_cost_a_few_look_ups(names: NameServer, acme: Signer) -> None:
    signature = acme.sign(MAIL)[: -len(MAIL)]
    look(signature * 1000 + MAIL, peer="198.51.100.9")
    assert names.asked.count(f"TXT {acme.name}") <= 3


# Alignment
@pytest.mark.parametrize(
    ("sender", "why"),
    [
        ("x@evil.example", "the stranger's own domain"),
        ("x@acme.example-evil.com", "a domain that begins like the user's"),
        ('"x@acme.example"@evil.example', "an address that holds the user's domain"),
        ("x@evilacme.example", "a domain that ends like the user's"),
        ("x@acme.example.evil.example", "a sub-domain of the stranger's that looks like the user's"),
    ],
)
def test_s16_a_strangers_own_spf_does_not_speak_for_the_user(
    names: NameServer, sender: str, why: str
) -> None:
    names.txt[sender.rpartition("@")[2]] = f"v=spf1 ip4:{PEER} -all"
    found = look(sender=sender)
    assert (found.spf, found.aligned, found.dmarc) == ("pass", (), "fail"), why
    assert verdicts(found) == {
        "off": Verdict.TAKE,
        "record": Verdict.TAKE,
        "aligned": Verdict.REFUSE,
        "strict": Verdict.REFUSE,
    }


def test_s16_a_strangers_own_signature_does_not_speak_for_the_user(names: NameServer, evil: Signer) -> None:
    evil.publish(names)
    found = look(evil.sign(MAIL), peer="198.51.100.9")
    assert (found.dkim, found.aligned, found.dmarc) == ("pass", (), "fail")
    assert verdicts(found)["aligned"] is Verdict.REFUSE


@pytest.mark.parametrize(("mode", "result"), [("r", "pass"), ("s", "fail")])
def test_s16_a_sub_domain_speaks_for_its_organisation_unless_the_policy_is_strict(
    names: NameServer, mode: str, result: str
) -> None:
    names.txt["_dmarc.acme.example"] = f"v=DMARC1; p=reject; aspf={mode}"
    names.txt["news.acme.example"] = f"v=spf1 ip4:{PEER} -all"
    found = look(sender="x@news.acme.example")
    assert (found.aligned, found.dmarc) == (("spf",), result)
    assert found.verdict("aligned") is (Verdict.TAKE if result == "pass" else Verdict.REFUSE)


@pytest.mark.parametrize(
    ("author", "sender", "same"),
    [
        ("ann@sales.acme.co.uk", "x@acme.co.uk", True),
        ("ann@acme.co.uk", "x@evil.co.uk", False),
        ("ann@ann.github.io", "x@evil.github.io", False),
        ("ann@acme-corp.com", "x@acme-corp.com", True),
        ("ann@acme.com", "x@acme-corp.com", False),
        ("ann@acme.internal", "x@evil.internal", False),
        ("ann@bücher.example", "x@xn--bcher-kva.example", True),
        ("ann@ACME.example.", "x@acme.EXAMPLE", True),
    ],
)
def test_s16_one_organisation_is_one_registered_domain(
    names: NameServer, author: str, sender: str, same: bool
) -> None:
    names.txt[sender.rpartition("@")[2].lower()] = f"v=spf1 ip4:{PEER} -all"
    found = look(author=author, sender=sender)
    assert found.spf == "pass"
    assert bool(found.aligned) is same


def test_s16_the_policy_of_the_organisation_holds_for_its_sub_domains(names: NameServer) -> None:
    names.txt["sales.acme.example"] = f"v=spf1 ip4:{PEER} -all"
    found = look(author="ann@sales.acme.example", sender="ann@sales.acme.example")
    assert found.dmarc == "pass"
    assert "TXT _dmarc.sales.acme.example" in names.asked


# DMARC
@pytest.mark.parametrize(
    ("record", "result"),
    [
        ("v=DMARC1; p=none", "pass"),
        ("v=DMARC1; p=reject; adkim=s; aspf=s", "pass"),
        ("v=DMARC1", "none"),
        ("not DMARC", "none"),
        ("v=DMARC1; p", "permerror"),
    ],
)
def test_s16_dmarc_needs_a_record_that_reads(names: NameServer, record: str, result: str) -> None:
    names.txt["_dmarc.acme.example"] = record
    assert look().dmarc == result


def test_s16_without_a_policy_an_aligned_proof_suffices_unless_strict(names: NameServer) -> None:
    del names.txt["_dmarc.acme.example"]
    found = look()
    assert (found.aligned, found.dmarc) == (("spf",), "none")
    assert (found.verdict("aligned"), found.verdict("strict")) == (Verdict.TAKE, Verdict.REFUSE)


def test_s16_without_any_proof_nothing_is_taken(names: NameServer) -> None:
    names.txt.clear()
    found = look()
    assert (found.spf, found.dkim, found.dmarc, found.aligned) == ("none", "none", "none", ())
    assert found.verdict("aligned") is Verdict.REFUSE


def test_s16_a_policy_that_cannot_be_looked_up_is_a_temperror(names: NameServer) -> None:
    names.broken.add("_dmarc.acme.example")
    found = look()
    assert (found.spf, found.dmarc) == ("pass", "temperror")
    assert found.verdict("aligned") is Verdict.AGAIN


# Who is asked
def test_s16_a_trusted_peers_mail_is_taken_without_asking_dns(names: NameServer) -> None:
    found = look(trusted=True)
    assert (found.trusted, found.spf, found.dkim, found.dmarc) == (True, "none", "none", "none")
    assert (found.verdict("aligned"), found.verdict("strict")) == (Verdict.TAKE, Verdict.REFUSE)
    assert names.asked == []


def test_s16_a_trusted_peer_that_keeps_the_signature_passes_the_strict_setting_too(
    names: NameServer, acme: Signer
) -> None:
    acme.publish(names)
    found = look(acme.sign(MAIL), trusted=True)
    assert (found.dmarc, found.verdict("strict")) == ("pass", Verdict.TAKE)


def test_s16_which_peers_are_trusted_is_a_list_of_networks() -> None:
    networks = networks_of("127.0.0.0/8, ::1, 10.1.0.0/16")
    assert all(is_among(peer, networks) for peer in ("127.0.0.9", "::1", "10.1.2.3", "::ffff:10.1.2.3"))
    assert not any(is_among(peer, networks) for peer in ("10.2.0.1", "2001:db8::1", "", "no address"))
    assert not is_among("127.0.0.1", networks_of(""))
    with pytest.raises(SettingsError, match="SMTP_INBOUND_TRUSTED_PEERS"):
        networks_of("localhost")


def test_s16_the_dns_servers_are_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns.resolver, "default_resolver", None)
    lookups.use_servers("192.0.2.53, 192.0.2.54:5353, [2001:db8::53]:54, 2001:db8::54")
    resolver = dns.resolver.default_resolver
    assert resolver is not None
    assert [str(server) for server in resolver.nameservers] == [
        "Do53:192.0.2.53@53",
        "Do53:192.0.2.54@5353",
        "Do53:2001:db8::53@54",
        "Do53:2001:db8::54@53",
    ]
    with pytest.raises(SettingsError, match="SMTP_INBOUND_DNS_SERVERS"):
        lookups.use_servers("192.0.2.53:domain")


def test_s16_a_machine_without_dns_is_a_temperror(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> dns.resolver.Resolver:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver, "get_default_resolver", none)
    found = look()
    assert (found.spf, found.dmarc) == ("temperror", "temperror")
    assert found.verdict("aligned") is Verdict.AGAIN


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n\r\n",
        b"DKIM-Signature: \r\n\r\n",
        b"DKIM-Signature: v=1; a=rsa-sha256; d=acme.example; s=\xff; h=from; bh=; b=\r\n\r\n",
        b"DKIM-Signature: v=1; v=1; a=;;;=\r\nno header\r\n\r\n",
        b"DKIM-Signature: v=1; a=rsa-sha256; c=x/y/z; d=acme.example; s=mail; h=from; bh=AAAA; b=AAAA\r\n"
        b"From: ann@acme.example\r\n\r\n",
        b"DKIM-Signature: v=1; a=ed25519-sha256; d=acme.example; s=mail; h=from; bh=AAAA; b=AAAA\r\n"
        b"From: ann@acme.example\r\n\r\n",
        b"DKIM-Signature: v=1; a=rsa-sha256; d=acme.example; s=mail; h=from; t=99999999999999; bh=A; b=A\r\n\r\n",
    ],
)
def test_s16_broken_signatures_prove_nothing_and_break_nothing(
    names: NameServer, acme: Signer, content: bytes
) -> None:
    acme.publish(names)
    found = look(content, peer="198.51.100.9")
    assert found.dkim in {"none", "permerror", "fail"}
    assert found.aligned == ()
