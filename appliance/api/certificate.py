"""The certificate that patients' browsers are shown: the clinic's own, or one made here. Knows no route and no server.

A self-made one encrypts and can be pinned, but browsers warn: nobody they trust has vouched for it.
"""

from __future__ import annotations

import fcntl
import ipaddress
import logging
import os
import socket
import struct
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance.config import Server
from appliance.errors import BadConfig
from appliance.message import now

log = logging.getLogger(__name__)

DAYS = 397
"""Browsers refuse longer ones."""
RENEWED_BEFORE = timedelta(days=30)
SIOCGIFADDR = 0x8915
"""Linux: the IPv4 address of a network card (netdevice(7))."""


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """Two PEM files."""

    certificate: Path
    private_key: Path


def tls(server: Server, data: Path) -> Tls | None:
    """What to serve with: the clinic's files, a self-made pair beyond this machine, or nothing on this machine only."""
    if server.certificate:
        return _given(server)
    if on_this_machine(server.host):
        return None
    made = Tls(certificate=data / "tls" / "certificate.pem", private_key=data / "tls" / "private_key.pem")
    names = _names(server)
    if not _still_good(made, names):
        _make(made, names)
    log.warning("certificate=self-made sha256=%s", fingerprint(made.certificate))
    return made


def on_this_machine(host: str) -> bool:
    """Can nobody else reach this address?"""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def fingerprint(certificate: Path) -> str:
    """What a person compares with the browser's."""
    read = x509.load_pem_x509_certificate(certificate.read_bytes())
    return read.fingerprint(hashes.SHA256()).hex(":").upper()


def _given(server: Server) -> Tls:
    files = Tls(certificate=Path(server.certificate), private_key=Path(server.private_key))
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        key = serialization.load_pem_private_key(files.private_key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise BadConfig(f"server.certificate or server.private_key cannot be read as PEM: {error}") from None
    if key.public_key() != certificate.public_key():
        raise BadConfig("server.private_key is not the key of server.certificate: give the pair that belongs together")
    if certificate.not_valid_after_utc < now():
        raise BadConfig(
            f"server.certificate ran out on {certificate.not_valid_after_utc:%Y-%m-%d}: put a new one there"
        )
    return files


def _names(server: Server) -> tuple[str, ...]:
    """Every name and address by which this machine may be called."""
    called = {"localhost", "127.0.0.1", "::1", socket.gethostname(), socket.getfqdn(), server.host, *_addresses()}
    if server.public_url:
        called.add(urlsplit(server.public_url).hostname or "")
    return tuple(sorted(name for name in called if name and name not in ("0.0.0.0", "::")))  # noqa: S104 - left out, not bound


def _addresses() -> set[str]:
    """Of this machine's network cards."""
    found = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for _, card in socket.if_nameindex():
            try:
                told = fcntl.ioctl(any_socket, SIOCGIFADDR, struct.pack("256s", card.encode()[:15]))
            except OSError:  # a card without an address
                continue
            found.add(socket.inet_ntoa(told[20:24]))
    with suppress(OSError):  # no IPv6 here
        lines = Path("/proc/net/if_inet6").read_text(encoding="ascii").splitlines()
        found |= {str(ipaddress.IPv6Address(bytes.fromhex(line.split()[0]))) for line in lines}
    return found


def _still_good(made: Tls, names: tuple[str, ...]) -> bool:
    try:
        read = x509.load_pem_x509_certificate(made.certificate.read_bytes())
        key = serialization.load_pem_private_key(made.private_key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError):
        return False
    held = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    fits = set(names) <= {str(name.value) for name in held} and key.public_key() == read.public_key()
    return fits and read.not_valid_after_utc - now() > RENEWED_BEFORE


def _make(made: Tls, names: tuple[str, ...]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    made.certificate.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(
        made.private_key,
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    _write(made.certificate, _signed(key, names).public_bytes(serialization.Encoding.PEM))


def _signed(key: ec.EllipticCurvePrivateKey, names: tuple[str, ...]) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "MedinovAI")])
    began = now() - timedelta(hours=1)  # a clock that is a little behind must not refuse it
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(began + timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.encode("idna").decode())


def _write(file: Path, content: bytes) -> None:
    """0600 from its first byte, and whole or not at all."""
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(handle)
    fresh.replace(file)
