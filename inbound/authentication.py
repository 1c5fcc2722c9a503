"""Who really sent a mail: SPF, DKIM and DMARC, looked at with the libraries that mail servers use.

A From line alone is easily forged. The results are recorded and shown; with AUTO_BCC_AUTHENTICATION=strict a mail is
taken only where DMARC passes.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

import authheaders
import spf

Resolver = Callable[..., Any]
LOOKUP_S = 5


def is_local(peer: str) -> bool:
    """A peer on this machine or in a private network: no SPF record speaks of it."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return True
    return address.is_loopback or address.is_private


def authenticate(
    content: bytes, *, peer: str, helo: str, mail_from: str, resolver: Resolver | None = None
) -> dict[str, Any]:
    """`{spf, dkim, dmarc}`, each `pass`, `fail`, `none`, `temperror` and so on, as RFC 8601 names them.

    Args:
        resolver: a DNS function as dkimpy takes it; None: the machine's own.
    """
    spf_result = _spf(peer, helo, mail_from)
    dkim_result = None
    if b"dkim-signature" in content.partition(b"\r\n\r\n")[0].lower():
        dkim_result = authheaders.check_dkim(content, dnsfunc=resolver)
    dmarc = "none"
    if dkim_result is not None or (spf_result is not None and spf_result.result == "pass"):
        dmarc = _dmarc(content, spf_result, dkim_result, resolver)
    return {
        "spf": spf_result.result if spf_result else "none",
        "dkim": dkim_result.result if dkim_result else "none",
        "dmarc": dmarc,
        "peer": peer,
    }


def _spf(peer: str, helo: str, mail_from: str) -> Any:
    if is_local(peer) or not mail_from:
        return None
    try:
        result, reason = spf.check2(peer, mail_from, helo, timeout=LOOKUP_S, querytime=LOOKUP_S)
    except (spf.TempError, spf.PermError, OSError, UnicodeError):
        result, reason = "temperror", "SPF could not be looked up"
    return authheaders.SPFAuthenticationResult(
        result=result, reason=reason, smtp_mailfrom=mail_from, smtp_helo=helo
    )


def _dmarc(content: bytes, spf_result: Any, dkim_result: Any, resolver: Resolver | None) -> str:
    try:
        found = authheaders.check_dmarc(
            content, spf_result=spf_result, dkim_result=dkim_result, dnsfunc=resolver
        )
    except (authheaders.DNSException, OSError, UnicodeError):
        return "temperror"
    return str(found.result)
