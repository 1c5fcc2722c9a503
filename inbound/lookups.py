"""DNS as the checks of a sender need it: that a name does not exist is an answer, silence is none."""

from __future__ import annotations

import dns.exception
import dns.nameserver
import dns.resolver

from settings import SettingsError

LOOKUP_S = 5.0
DNS_PORT = 53


class DnsAway(Exception):
    """Nobody answered, or the answering server is broken: it may be otherwise later."""


def use_servers(servers: str) -> None:
    """Ask these DNS servers instead of the machine's own; all of SPF, DKIM and DMARC go this way.

    Args:
        servers: `address` or `address:port`, separated by commas; empty: the machine's own.

    Raises:
        SettingsError: one of them is no address.
    """
    if not servers.strip():
        return
    resolver = dns.resolver.Resolver(configure=False)
    try:
        resolver.nameservers = [_server(one.strip()) for one in servers.split(",")]
    except ValueError as error:
        raise SettingsError(f"SMTP_INBOUND_DNS_SERVERS: {error}") from error
    dns.resolver.default_resolver = resolver


def _server(written: str) -> dns.nameserver.Nameserver:
    bracketed, _, after = written.removeprefix("[").partition("]")
    if written.startswith("["):
        address, port = bracketed, after.removeprefix(":")
    elif written.count(":") == 1:
        address, _, port = written.partition(":")
    else:
        address, port = written, ""
    return dns.nameserver.Do53Nameserver(address, int(port) if port else DNS_PORT)


def txt(name: str) -> list[bytes]:
    """The TXT records of a name, each in one piece; none where the name or the record does not exist.

    Raises:
        DnsAway: it could not be learned.
    """
    try:
        answer = dns.resolver.resolve(name, "TXT", lifetime=LOOKUP_S)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.resolver.YXDOMAIN):
        return []
    except (dns.resolver.NoNameservers, dns.resolver.NoResolverConfiguration, dns.exception.Timeout) as error:
        raise DnsAway(name) from error
    except (dns.exception.DNSException, UnicodeError):
        return []  # no name that DNS could hold
    return [b"".join(record.strings) for record in answer]
