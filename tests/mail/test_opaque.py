"""S/MIME mail that is signed as a whole: its content is shown, whoever signed it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

from mail.opaque import signed_content
from mail.parse import parse

INNER = (
    b'Content-Type: multipart/mixed; boundary="i"\r\n\r\n--i\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n'
    b"Gr\xc3\xbc\xc3\x9fe\r\n--i\r\nContent-Type: application/pdf; name=offer.pdf\r\n\r\n%PDF\r\n--i--\r\n"
)
SIGNED = bytes.fromhex("06092a864886f70d010702")
DATA = bytes.fromhex("06092a864886f70d010701")


def signed(content: bytes) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bob@example.com")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content).add_signer(certificate, key, hashes.SHA256())
    return builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])


def in_pieces(*pieces: bytes) -> bytes:
    """As programs write it that sign while they send: no lengths, the content in pieces."""
    octets = b"\x24\x80" + b"".join(b"\x04" + bytes([len(piece)]) + piece for piece in pieces) + b"\x00\x00"
    content = b"\x30\x80" + DATA + b"\xa0\x80" + octets + b"\x00\x00" * 2
    version_and_digests = b"\x02\x01\x01" + b"\x31\x80\x30\x80\x05\x00" + b"\x00\x00" * 2
    return b"\x30\x80" + SIGNED + b"\xa0\x80\x30\x80" + version_and_digests + content + b"\x00\x00" * 3


@pytest.mark.parametrize("parameters", ["; smime-type=signed-data; name=smime.p7m", ""])
@pytest.mark.parametrize("media", ["application/pkcs7-mime", "application/x-pkcs7-mime"])
def test_mail_that_is_signed_as_a_whole_is_read(media: str, parameters: str) -> None:
    head = f"From: bob@example.com\r\nContent-Type: {media}{parameters}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    mail = parse(head.encode() + base64.encodebytes(signed(INNER)))
    assert mail.text is not None
    assert mail.text.strip() == "Grüße"
    assert [attachment.filename for attachment in mail.attachments] == ["offer.pdf"]
    assert (mail.signed, mail.encrypted) == (True, False)


def test_lengths_may_be_left_out_and_content_come_in_pieces() -> None:
    assert signed_content(in_pieces(b"one ", b"", b"two")) == b"one two"


def test_encrypted_mail_stays_closed() -> None:
    enveloped = b"\x30\x80" + bytes.fromhex("06092a864886f70d010703") + b"\xa0\x80\x30\x80\x02\x01\x00"
    mail = parse(b"From: a@b.example\nContent-Type: application/pkcs7-mime\n\n" + enveloped)
    assert mail.encrypted
    assert mail.text is None


def test_a_broken_envelope_is_no_content_and_raises_nothing() -> None:
    for whole in (in_pieces(b"one", b"two"), signed(b"x")):
        for end in range(len(whole)):
            found = signed_content(whole[:end])
            assert found is None or found in (b"onetwo", b"x")
        for at in range(min(len(whole), 80)):
            for byte in (0x00, 0x24, 0x80, 0x84, 0xFF):
                found = signed_content(whole[:at] + bytes([byte]) + whole[at + 1 :])
                assert found is None or len(found) < len(whole)


@pytest.mark.parametrize("piece", [b"\x24\x80", b"\x30\x80", b"\x04\x00", b"\x24\x80\x00\x00"])
def test_an_envelope_of_many_elements_is_given_up(piece: bytes) -> None:
    start = in_pieces()[: -2 * 7]
    assert signed_content(start + b"\x24\x80" + piece * 200_000) is None
