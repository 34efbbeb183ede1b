"""Whom we trust by TLS: a CA, or pinned fingerprints; and who we are to the server, by a certificate of our own."""

import asyncio
import hashlib
import ssl
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from hypothesis import given
from hypothesis import strategies as st

from bridge.irc.dialing import pins, tls
from bridge.irc.settings import IrcSettings
from tests.integration.certificates import Signed
from tests.irc.harbour import attempt, certified, serving
from tests.irc.test_client import Ircd
from tests.settings import irc_settings

pytestmark = pytest.mark.real_time


def der(signed: Signed) -> bytes:
    return ssl.PEM_cert_to_DER_cert(signed.certificate.read_text())


def pin(signed: Signed, kind: str = "sha256") -> str:
    return next(each for each in pins.fingerprints(der(signed)) if each.startswith(f"{kind}:"))


def together(folder: Path, signed: Signed, key: bytes | None = None) -> Path:
    """A certificate and a key in one file."""
    file = folder / "client.pem"
    file.write_bytes(signed.certificate.read_bytes() + (key or signed.key.read_bytes()))
    return file


def as_client(certificate: Path) -> IrcSettings:
    settings = irc_settings(sasl_account="duck", sasl_password="x")
    sasl = SimpleNamespace(certificate=certificate)
    return settings.model_copy(update={"sasl": sasl})


@given(st.binary(min_size=32, max_size=32))
def test_a_fingerprint_may_have_colons_and_capital_letters(digest: bytes) -> None:
    plain = f"sha256:{digest.hex()}"
    assert pins.parse(plain) == pins.parse(f" SHA256:{digest.hex(':').upper()}") == plain


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ab" * 32, "begins with sha256:, sha512: or spki-sha256:"),
        (f"sha1:{'ab' * 20}", "begins with sha256:, sha512: or spki-sha256:"),
        (f"sha256:{'ab' * 31}", "64 hexadecimal digits, not 62"),
        (f"sha512:{'ab' * 32}", "128 hexadecimal digits, not 64"),
        (f"sha256:{'xy' * 32}", "64 hexadecimal digits"),
        ("sha256:", "64 hexadecimal digits, not 0"),
    ],
)
def test_what_is_no_fingerprint_is_refused_with_what_is_missing(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        pins.parse(text)


def test_the_fingerprints_are_those_that_openssl_shows(tmp_path: Path) -> None:
    signed = certified(tmp_path / "one")
    command = ["openssl", "x509", "-in", str(signed.certificate), "-noout"]
    for kind in ("sha256", "sha512"):
        shown = subprocess.run([*command, "-fingerprint", f"-{kind}"], capture_output=True, text=True, check=True)
        assert pins.parse(f"{kind}:{shown.stdout.strip().rpartition('=')[2]}") == pin(signed, kind)
    key = subprocess.run([*command, "-pubkey"], capture_output=True, text=True, check=True).stdout
    spki = serialization.load_pem_public_key(key.encode()).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert pin(signed, "spki-sha256") == f"spki-sha256:{hashlib.sha256(spki).hexdigest()}"


def test_a_certificate_that_nobody_can_read_has_fingerprints_of_its_bytes_only() -> None:
    assert [each.partition(":")[0] for each in pins.fingerprints(b"no certificate")] == ["sha256", "sha512"]


@pytest.mark.parametrize("kind", ["sha256", "sha512", "spki-sha256"])
async def test_a_pinned_certificate_needs_no_ca_no_name_and_no_date(tmp_path: Path, kind: str) -> None:
    signed, ircd = certified(tmp_path / "one", "elsewhere.test", days=-1), Ircd()
    others = ["sha256:" + "00" * 32, pin(signed, kind).upper().replace("SPKI-SHA256", "spki-sha256")]
    async with serving(ircd, signed) as port, attempt(f"localhost:{port}", tls_fingerprints=others) as us:
        await us.online()


async def test_a_renewed_certificate_of_the_same_key_fits_the_pin_of_the_key_and_not_its_own(tmp_path: Path) -> None:
    old = certified(tmp_path / "old")
    made = x509.load_pem_x509_certificate(old.certificate.read_bytes())
    key = serialization.load_pem_private_key(old.key.read_bytes(), None)
    new = x509.CertificateBuilder(made.issuer, made.subject, made.public_key(), 7).not_valid_before(
        made.not_valid_before_utc
    )
    again = new.not_valid_after(made.not_valid_after_utc).sign(key, hashes.SHA256())  # type: ignore[arg-type]
    renewed = again.public_bytes(serialization.Encoding.DER)
    assert pins.are_met([pin(old, "spki-sha256")], renewed)
    assert not pins.are_met([pin(old)], renewed)


async def test_another_certificate_than_the_pinned_one_is_told_with_its_fingerprints_and_gets_not_one_byte(
    tmp_path: Path,
) -> None:
    pinned, seen, ircd = certified(tmp_path / "pinned"), certified(tmp_path / "seen"), Ircd()
    async with serving(ircd, seen) as port:
        async with attempt(
            f"localhost:{port}", tls_fingerprints=[pin(pinned)], server_password="hunter2", allow_plaintext=False
        ) as us:
            offline = await us.log.shows("offline")
        assert f"the certificate of localhost:{port} is none of `tls_fingerprints`" in offline["reason"]
        assert f"it is {pin(seen)} or {pin(seen, 'spki-sha256')}: nothing was sent" in offline["reason"]
        assert "add its fingerprint" in offline["reason"]
        assert 30 <= offline["retry_in_s"] <= 60
        assert not us.log.of("online")
        assert ircd.lines == []


async def test_a_ca_still_judges_where_nothing_is_pinned(tmp_path: Path) -> None:
    signed, ircd = certified(tmp_path / "one"), Ircd()
    async with serving(ircd, signed) as port:
        async with attempt(f"localhost:{port}", tls_ca_file=signed.certificate) as us:
            await us.online()
        async with attempt(f"localhost:{port}") as us:
            offline = await us.log.shows("offline")
    assert "is not trusted (self-signed certificate)" in offline["reason"]
    assert "tls_fingerprints" in offline["reason"]


# Our own certificate


async def test_our_certificate_is_shown_to_a_server_that_asks_for_one(tmp_path: Path) -> None:
    server, client, ircd = certified(tmp_path / "server"), certified(tmp_path / "client", "duck"), Ircd()
    shown: list[bytes | None] = []
    serve = ircd.serve

    async def served(reader: object, writer: object) -> None:
        shown.append(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))  # type: ignore[attr-defined]
        await serve(reader, writer)  # type: ignore[arg-type]

    ircd.serve = served  # type: ignore[method-assign]
    context = tls.context(as_client(together(tmp_path, client)))
    context.load_verify_locations(server.certificate)
    async with serving(ircd, server, client_ca=client.certificate) as port:
        _, writer = await asyncio.open_connection("localhost", port, ssl=context)
        writer.write(b"QUIT\r\n")
        await ircd.told(lambda line: line == "QUIT")
        writer.close()
    assert shown == [der(client)]


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("missing", "No such file"),
        ("certificate only", "a certificate and its private key, both in PEM"),
        ("text", "a certificate and its private key, both in PEM"),
        ("another key", "its key is not that of its certificate"),
        ("locked", "its key is locked by a passphrase"),
    ],
)
def test_a_client_certificate_that_cannot_be_used_is_told_in_words(tmp_path: Path, what: str, why: str) -> None:
    one, two = certified(tmp_path / "one"), certified(tmp_path / "two")
    file = together(tmp_path, one)
    match what:
        case "missing":
            file.unlink()
        case "certificate only":
            file.write_bytes(one.certificate.read_bytes())
        case "text":
            file.write_text("quack")
        case "another key":
            together(tmp_path, one, two.key.read_bytes())
        case "locked":
            key = serialization.load_pem_private_key(one.key.read_bytes(), None)
            locked = serialization.BestAvailableEncryption(b"quack")
            form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
            together(tmp_path, one, key.private_bytes(*form))
    with pytest.raises(tls.Unusable, match=r"the client certificate .* cannot be used: ") as caught:
        tls.context(as_client(file))
    assert why in str(caught.value)
    assert str(file) in str(caught.value)
    assert caught.value.key == ("networks", "net", "sasl", "certificate")
