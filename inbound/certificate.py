"""The certificate of STARTTLS: a given one, or one made at start, which encrypts but proves no name."""

from __future__ import annotations

import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from settings import SettingsError


def server_context(certificate: str, key: str, name: str) -> ssl.SSLContext:
    """A server's TLS context.

    Args:
        certificate, key: paths of PEM files; empty: a self-signed pair is made.

    Raises:
        SettingsError: the files cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        if certificate:
            context.load_cert_chain(certificate, key or None)
        else:
            with tempfile.TemporaryDirectory() as folder:
                made = Path(folder) / "self-signed.pem"
                made.write_bytes(_self_signed(name))
                context.load_cert_chain(made)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"SMTP_INBOUND_TLS_CERTIFICATE and _KEY cannot be used: {error}") from error
    return context


def _self_signed(name: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=825))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return certificate.public_bytes(pem) + key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
