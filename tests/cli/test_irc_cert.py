"""`quackbridge irc-cert` as people use it."""

import re
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bridge.cli import cli


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["irc-cert", "-c", str(folder / "config.yaml"), *arguments])


def test_a_certificate_is_written_for_its_owner_alone_and_its_fingerprints_are_printed(tmp_path: Path) -> None:
    done = run(tmp_path, "libera")
    assert done.exit_code == 0
    path = tmp_path / "secrets" / "libera.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    for kind in (hashes.SHA256(), hashes.SHA512()):
        assert f"/msg NickServ CERT ADD {certificate.fingerprint(kind).hex()}\n" in done.output
    assert "certificate: secrets/libera.pem}" in done.output
    assert "PRIVATE" not in done.output
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    assert certificate.not_valid_after_utc - datetime.now(UTC) > timedelta(days=3649)
    ssl.create_default_context().load_cert_chain(path)


def test_a_certificate_is_never_overwritten(tmp_path: Path) -> None:
    assert run(tmp_path, "libera").exit_code == 0
    before = (tmp_path / "secrets" / "libera.pem").read_bytes()
    again = run(tmp_path, "libera")
    assert again.exit_code == 1
    assert "is there already; it is not overwritten" in again.output
    (tmp_path / "link.pem").symlink_to(tmp_path / "secrets" / "libera.pem")
    assert run(tmp_path, "libera", "--out", str(tmp_path / "link.pem")).exit_code == 1
    assert (tmp_path / "secrets" / "libera.pem").read_bytes() == before


def test_another_file_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.pem"
    done = run(tmp_path, "libera", "--out", str(path))
    assert path.exists()
    assert f"certificate: {path}}}" in done.output


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".x", "a b"])
def test_a_name_that_is_no_networks_is_refused(tmp_path: Path, name: str) -> None:
    assert run(tmp_path, name).exit_code == 2
    assert [*tmp_path.iterdir()] == []


def test_each_certificate_is_a_new_one(tmp_path: Path) -> None:
    found = {re.search("SHA-256 ([0-9a-f]{64})", run(tmp_path, name).output) for name in ("a", "b")}
    assert len({match[1] for match in found if match}) == 2
