"""Who really sent a mail: SPF (RFC 7208), DKIM (RFC 6376) and DMARC (RFC 7489).

pyspf and dkimpy look at the proofs. Whether a proof speaks for the author's domain is decided here, for the one
address that decides who may file: `authheaders.check_dmarc` (0.16.3) reads `x@acme.example-evil.com` and
`"x@acme.example"@evil.com` as acme.example, so that a stranger's own domain would prove our user's.
"""

from __future__ import annotations

import functools
import importlib.resources
import ipaddress
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal

import dns.exception
import spf
from authheaders.dmarc_lookup import DMARCException, answer_to_dict
from publicsuffix2 import PublicSuffixList

from inbound import signatures
from inbound.lookups import LOOKUP_S, DnsAway, txt
from settings import SettingsError

Strictness = Literal["off", "record", "aligned", "strict"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MOST_SIGNATURES = 3
"""Of those that speak for the author's domain; each costs a pass over the whole mail."""
_PLAIN = re.compile(r"[A-Za-z0-9.!#$&'*+/=?^_`{|}~-]+")


class Verdict(StrEnum):
    """What becomes of a mail that names one of us as its author."""

    TAKE = "take"
    REFUSE = "refuse"
    AGAIN = "again"
    """DNS is away: it cannot be known now."""


class Conclusion(StrEnum):
    """What the proofs come to."""

    PROVEN = "proven"
    TRUSTED = "trusted"
    """No proof, but a peer whose own checks count handed it over."""
    UNPROVEN = "unproven"
    UNKNOWN = "unknown"
    """DNS did not answer."""


@dataclass(frozen=True, slots=True)
class Authentication:
    """Results as RFC 8601 names them: `pass`, `fail`, `softfail`, `none`, `temperror`, `permerror`, `policy`..."""

    spf: str = "none"
    dkim: str = "none"
    dmarc: str = "none"
    domain: str = ""
    """Of the address in From."""
    aligned: tuple[str, ...] = ()
    """Which of `spf` and `dkim` pass for that domain or one of the same organisation, not only for some domain."""
    trusted: bool = False
    """Handed over by a peer whose own checks count (SMTP_INBOUND_TRUSTED_PEERS)."""
    peer: str = ""

    @property
    def conclusion(self) -> Conclusion:
        """May the From line be believed?"""
        if self.dmarc == "pass" or (self.aligned and self.dmarc == "none"):
            return Conclusion.PROVEN
        if self.trusted:
            return Conclusion.TRUSTED
        unsure = "temperror" in (self.spf, self.dkim, self.dmarc)
        return Conclusion.UNKNOWN if unsure else Conclusion.UNPROVEN

    def verdict(self, strictness: Strictness) -> Verdict:
        """What follows, as strictly as the setting says."""
        if strictness in ("off", "record") or self.dmarc == "pass":
            return Verdict.TAKE
        if strictness == "aligned" and self.conclusion in (Conclusion.PROVEN, Conclusion.TRUSTED):
            return Verdict.TAKE
        return Verdict.AGAIN if "temperror" in (self.spf, self.dkim, self.dmarc) else Verdict.REFUSE

    def as_json(self) -> dict[str, Any]:
        """As it is kept with the mail."""
        return asdict(self) | {"aligned": list(self.aligned), "conclusion": self.conclusion.value}


UNKNOWN = Authentication(spf="temperror", dkim="temperror", dmarc="temperror")
"""What is known where the look-ups took too long."""


def networks_of(written: str) -> tuple[Network, ...]:
    """Networks separated by commas, such as `127.0.0.0/8, ::1`.

    Raises:
        SettingsError: one of them is none.
    """
    try:
        return tuple(ipaddress.ip_network(one.strip()) for one in written.split(",") if one.strip())
    except ValueError as error:
        raise SettingsError(f"SMTP_INBOUND_TRUSTED_PEERS: {error}") from error


def is_among(peer: str, networks: tuple[Network, ...]) -> bool:
    """Is this address in one of the networks? An IPv4 peer at a dual-stack socket counts as IPv4."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


def authenticate(
    content: bytes, *, author: str, peer: str, helo: str, mail_from: str, trusted: bool = False
) -> Authentication:
    """Look at the proofs of one mail.

    Args:
        author: the one address in From.
        trusted: the peer hands on other people's mail, so SPF has nothing to say about it.
    """
    domain = _domain(author)
    sender = "" if trusted else mail_from
    spf_result = _spf(peer, helo, sender)
    dkim_result, signers = _dkim(content, domain)
    proofs = {
        "spf": (_domain(sender),) if spf_result == "pass" else (),
        "dkim": signers,
    }
    aligned = tuple(
        name for name, domains in proofs.items() if any(_same_organisation(one, domain) for one in domains)
    )
    asked = not trusted or dkim_result != "none"
    return Authentication(
        spf=spf_result,
        dkim=dkim_result,
        dmarc=_dmarc(domain, proofs, "temperror" in (spf_result, dkim_result)) if asked else "none",
        domain=domain,
        aligned=aligned,
        trusted=trusted,
        peer=peer,
    )


def _spf(peer: str, helo: str, sender: str) -> str:
    """Of the envelope's sender. A null sender (a notice) authors no mail of a user, so that HELO proves nothing."""
    domain = _domain(sender)
    if not domain:
        return "none"
    # pyspf takes what follows the first @ for the domain: a quoted local part must not choose whose record is read.
    local_part = sender.rpartition("@")[0]
    asked_for = f"{local_part if _PLAIN.fullmatch(local_part) else 'postmaster'}@{domain}"
    try:
        result, _ = spf.check2(peer, asked_for, helo, timeout=LOOKUP_S, querytime=LOOKUP_S)
    except (spf.TempError, dns.exception.Timeout, dns.resolver.NoResolverConfiguration, OSError):
        return "temperror"
    except (spf.PermError, dns.exception.DNSException, ValueError):
        return "permerror"
    return str(result)


def _dkim(content: bytes, domain: str) -> tuple[str, tuple[str, ...]]:
    """The best result, and the domains whose signatures hold; those that speak for the author are looked at first."""
    head, body = signatures.split(content)
    try:
        mail = signatures.headers_of(head)
    except signatures.BROKEN:
        return "permerror", ()
    signers = signatures.signers(mail)
    speaking = [one for one in signers if _same_organisation(one[1], domain)][:MOST_SIGNATURES]
    results = [(_signature(mail, index, body), signer) for index, signer in speaking or signers[:1]]
    passing = tuple(signer for result, signer in results if result == "pass")
    found = {result for result, _ in results}
    order = ("pass", "temperror", "fail", "policy")
    otherwise = "permerror" if b"dkim-signature" in head.lower() else "none"
    return next((result for result in order if result in found), otherwise), passing


def _signature(mail: Any, index: int, body: bytes) -> str:
    try:
        return signatures.verify(mail, index, body, _key)
    except DnsAway:
        return "temperror"


def _key(name: bytes) -> bytes | None:
    found = txt(name.decode("ascii", "replace"))
    return found[0] if found else None


def _dmarc(domain: str, proofs: dict[str, tuple[str, ...]], unsure: bool) -> str:
    if not domain:
        return "permerror"
    try:
        record = _policy(domain) or _policy(_organisation(domain))
    except DnsAway:
        return "temperror"
    except DMARCException:
        return "permerror"
    if not record.get("p"):
        return "none"
    modes = {"spf": record.get("aspf", "r"), "dkim": record.get("adkim", "r")}
    for name, domains in proofs.items():
        same: Callable[[str, str], bool] = str.__eq__ if modes[name] == "s" else _same_organisation
        if any(same(one, domain) for one in domains):
            return "pass"
    return "temperror" if unsure else "fail"


def _policy(domain: str) -> dict[str, str]:
    """The DMARC record of a domain; empty where there is none, or several, which count as none (RFC 7489, 6.6.3)."""
    found = [record for record in txt(f"_dmarc.{domain}") if record.startswith(b"v=DMARC1")]
    return dict(answer_to_dict(found[0].decode("utf-8", "replace"))) if len(found) == 1 else {}


def _domain(address: str) -> str:
    """What follows the last @, in the form in which DNS compares it."""
    domain = address.strip().rpartition("@")[2].rstrip(".").lower() if "@" in address else ""
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def _same_organisation(one: str, other: str) -> bool:
    return bool(one) and bool(other) and _organisation(one) == _organisation(other)


def _organisation(domain: str) -> str:
    """The domain that somebody registered: acme.co.uk of mail.acme.co.uk (RFC 7489, 3.2)."""
    found = str(_suffixes().get_public_suffix(domain) or domain)
    # A top-level domain that the list does not have is a suffix too, although publicsuffix2 gives it as the answer.
    return found if "." in found else ".".join(domain.split(".")[-2:])


@functools.cache
def _suffixes() -> PublicSuffixList:
    bundled = importlib.resources.files("authheaders").joinpath("public_suffix_list.txt")
    with bundled.open(encoding="utf-8") as lines:
        return PublicSuffixList(lines)
