"""The certificate that browsers are shown."""

from __future__ import annotations

import ssl
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.asyncio.client import connect

import appliance.api.certificate
from appliance.api.certificate import tls
from appliance.config import Server
from appliance.errors import BadConfig
from appliance.message import now
from tests.http.house import House, free_port

BEYOND = Server(host="0.0.0.0", public_url="https://assistant.clinic.example")  # noqa: S104 - nothing listens


def read(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def test_on_this_machine_only_there_is_no_certificate(tmp_path: Path):
    assert tls(Server(host="127.0.0.1"), tmp_path) is None
    assert tls(Server(host="::1"), tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_beyond_this_machine_a_certificate_is_made_that_names_the_machine(tmp_path: Path):
    made = tls(BEYOND, tmp_path)
    assert made
    assert made.private_key.stat().st_mode & 0o777 == 0o600
    assert made.private_key.parent.stat().st_mode & 0o777 == 0o700
    certificate = read(made.certificate)
    held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    names = {str(name.value) for name in held}
    assert {"localhost", "127.0.0.1", "::1", "assistant.clinic.example"} <= names and "0.0.0.0" not in names  # noqa: S104 - a name
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1"
    assert now() < certificate.not_valid_after_utc < now() + timedelta(days=398)


def test_it_is_kept_until_it_is_about_to_run_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = tls(BEYOND, tmp_path)
    assert made
    first = made.certificate.read_bytes()
    tls(BEYOND, tmp_path)
    assert made.certificate.read_bytes() == first
    later = now() + timedelta(days=368)
    monkeypatch.setattr(appliance.api.certificate, "now", lambda: later)
    tls(BEYOND, tmp_path)
    assert made.certificate.read_bytes() != first


def test_a_new_name_or_a_damaged_file_makes_a_new_one(tmp_path: Path):
    made = tls(BEYOND, tmp_path)
    assert made
    first = made.certificate.read_bytes()
    tls(Server(host="0.0.0.0", public_url="https://other.clinic.example"), tmp_path)  # noqa: S104 - nothing listens
    second = made.certificate.read_bytes()
    made.private_key.write_bytes(b"broken")
    tls(BEYOND, tmp_path)
    assert len({first, second, made.certificate.read_bytes()}) == 3


def test_the_clinics_own_files_are_checked_at_start(tmp_path: Path):
    one, other = (tls(BEYOND, tmp_path / name) for name in ("one", "other"))
    assert one and other
    good = Server(certificate=str(one.certificate), private_key=str(one.private_key))
    assert tls(good, tmp_path) == one
    for certificate, key, word in (
        (one.certificate, other.private_key, "belongs together"),
        (tmp_path / "none.pem", one.private_key, "cannot be read"),
        (one.private_key, one.private_key, "cannot be read"),
    ):
        with pytest.raises(BadConfig, match=word):
            tls(Server(certificate=str(certificate), private_key=str(key)), tmp_path)


class TestServed:
    @pytest.fixture
    def server_settings(self, tmp_path: Path):
        made = tls(BEYOND, tmp_path / "given")
        assert made
        return Server(port=free_port(), certificate=str(made.certificate), private_key=str(made.private_key))

    async def test_over_tls_the_cookie_is_secure_and_the_socket_works(self, house: House, browser: httpx.AsyncClient):
        assert house.tls and house.origin.startswith("https://")
        trusted = ssl.create_default_context(cafile=str(house.tls.certificate))
        reply = await browser.post("/api/conversations", json={})
        assert "secure" in reply.headers["set-cookie"].lower()
        assert reply.headers["strict-transport-security"].startswith("max-age=")
        url = f"wss://127.0.0.1:{urlsplit(house.origin).port}/api/conversation/socket"
        cookie = {"cookie": f"conversation={browser.cookies['conversation']}"}
        async with connect(url, ssl=trusted, origin=house.origin, additional_headers=cookie) as line:  # type: ignore[arg-type]  # a NewType of str
            await line.send('{"type":"ping"}')
            assert await line.recv() == '{"type":"pong"}'

    async def test_old_tls_is_refused(self, house: House):
        assert house.tls
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("DEFAULT:@SECLEVEL=0")
        with pytest.deprecated_call():
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        async with httpx.AsyncClient(verify=old, timeout=60) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(house.origin)
