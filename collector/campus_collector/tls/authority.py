"""A private certificate authority and the collector's own certificate (RFC 5280), made with `cryptography`: ECDSA on P-256.

The authority lives ten years and can sign only these names' servers (path length 0); the certificate 397 days, as browsers ask. Renewing
makes a new certificate and key under the same authority: gateways that know the authority notice nothing.
"""

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from campus_base.files import make_folder, write_whole

CA_FILE, CA_KEY_FILE, CERT_FILE, KEY_FILE = "ca.pem", "ca-key.pem", "cert.pem", "key.pem"
CA_DAYS, CERT_DAYS = 3650, 397
BACKDATED = timedelta(hours=1)
"""For gateways whose clocks are behind."""


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """The folder of a new certificate, the SHA-256 fingerprint of its authority (hex), and when the certificate ends."""

    folder: Path
    fingerprint: str
    expires: datetime


def make_authority(folder: Path, names: Sequence[str], now: datetime) -> IssuedCertificate:
    """A new authority and certificate in a folder that has none. Raises FileExistsError, OSError, ValueError (a bad name)."""
    make_folder(folder)
    for name in (CA_FILE, CA_KEY_FILE, CERT_FILE, KEY_FILE):
        if (folder / name).exists():
            raise FileExistsError(17, os.strerror(17), str(folder / name))
    alternatives = [alternative(name) for name in names]
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"CampusMeter CA {now:%Y-%m-%d}")])
    authority = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(folder / CA_KEY_FILE, _private(key), 0o600)
    _write(folder / CA_FILE, authority.public_bytes(serialization.Encoding.PEM), 0o644)
    return _issue(folder, authority, key, alternatives, now)


def renew(folder: Path, names: Sequence[str], now: datetime) -> IssuedCertificate:
    """A new certificate under the authority that is there, for the same names unless others are given. Raises OSError, ValueError."""
    authority = x509.load_pem_x509_certificate((folder / CA_FILE).read_bytes())
    key = serialization.load_pem_private_key((folder / CA_KEY_FILE).read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{folder / CA_KEY_FILE}: is not the authority's key")
    if names:
        alternatives: Sequence[x509.GeneralName] = [alternative(name) for name in names]
    else:
        old = x509.load_pem_x509_certificate((folder / CERT_FILE).read_bytes())
        alternatives = list(old.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    return _issue(folder, authority, key, alternatives, now)


def fingerprint_of(pem: bytes) -> str:
    """SHA-256 of a certificate, as it is printed and typed. Raises ValueError."""
    return x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex()


def alternative(name: str) -> x509.GeneralName:
    """A host name or an address. Raises ValueError."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        letters = name.removeprefix("*.")
        if not letters or not letters.isascii() or not all(letter.isalnum() or letter in "-." for letter in letters):
            raise ValueError(f"{name!r} is neither a host name nor an address") from None
        return x509.DNSName(name)


def _issue(
    folder: Path,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    alternatives: Sequence[x509.GeneralName],
    now: datetime,
) -> IssuedCertificate:
    key = ec.generate_private_key(ec.SECP256R1())
    expires = min(now + timedelta(days=CERT_DAYS), authority.not_valid_after_utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, str(alternatives[0].value))]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(expires)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    chain = certificate.public_bytes(serialization.Encoding.PEM) + authority.public_bytes(serialization.Encoding.PEM)
    _write(folder / KEY_FILE, _private(key), 0o640)
    _write(folder / CERT_FILE, chain, 0o644)
    return IssuedCertificate(folder, authority.fingerprint(hashes.SHA256()).hex(), expires)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    """The file belongs to its folder's owner; what root writes with mode 600, the authority's key, stays root's."""
    keeps_root = os.geteuid() == 0 and mode == 0o600
    write_whole(path, content, mode, (0, path.parent.stat().st_gid) if keeps_root else None)
