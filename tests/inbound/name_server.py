"""A DNS server on this machine, with the records that a test gives it, and mail that is really signed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import dkim
import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from inbound import lookups


@dataclass
class NameServer:
    """`txt` and `a` by name. `broken` names answer SERVFAIL, `silent` ones nothing; all others do not exist."""

    txt: dict[str, str] = field(default_factory=dict)
    a: dict[str, str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def answer(self, query: dns.message.Message) -> dns.message.Message | None:
        """What is said to one question."""
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append(f"{kind} {name}")
        if name in self.silent:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        records = {"TXT": self.txt, "A": self.a}.get(kind, {})
        if name in self.broken:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif name in records:
            response.answer.append(
                dns.rrset.from_text(question.name, 60, "IN", kind, _text(kind, records[name]))
            )
        elif name not in self.txt and name not in self.a:
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response


def _text(kind: str, value: str) -> str:
    """TXT records come in pieces of at most 255 characters."""
    if kind != "TXT":
        return value
    return " ".join(f'"{value[at : at + 250]}"' for at in range(0, len(value), 250))


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    """Start one, and let this process ask it alone."""
    server = NameServer()
    wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    wire.bind(("127.0.0.1", 0))

    def run() -> None:
        while True:
            data, peer = wire.recvfrom(4096)
            if not data:
                return
            response = server.answer(dns.message.from_wire(data))
            if response is not None:
                wire.sendto(response.to_wire(), peer)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    monkeypatch.setattr(dns.resolver, "default_resolver", None)
    port = wire.getsockname()[1]
    lookups.use_servers(f"127.0.0.1:{port}")
    try:
        yield server
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", port))
        thread.join(30)
        wire.close()


class Signer:
    """Signs mail for a domain, as its mail server would; the key is made at run time."""

    def __init__(self, domain: str, selector: str = "mail") -> None:
        self.domain, self.selector = domain, selector
        key = rsa.generate_private_key(65537, 2048)
        self._private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.record = "v=DKIM1; k=rsa; p=" + "".join(public.decode().splitlines()[1:-1])

    @property
    def name(self) -> str:
        """Where the key is looked up."""
        return f"{self.selector}._domainkey.{self.domain}"

    def publish(self, server: NameServer) -> None:
        server.txt[self.name] = self.record

    def sign(
        self, content: bytes, *, length: bool = False, headers: tuple[bytes, ...] | None = None
    ) -> bytes:
        """The mail with a signature on top."""
        signature: bytes = dkim.sign(
            content,
            self.selector.encode(),
            self.domain.encode(),
            self._private,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=list(headers or (b"from", b"to", b"subject", b"date", b"message-id")),
            length=length,
        )
        return signature + content
