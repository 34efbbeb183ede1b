"""`quackbridge irc-cert`: a certificate of the bridge's own, by which an IRC network knows it (SASL EXTERNAL)."""

import datetime
from pathlib import Path

import click

from bridge.cli.options import config_option
from bridge.lib.files import make_folders, write_new
from bridge.model import identifiers

_YEARS = 10
_YESTERDAY = datetime.timedelta(days=1)
"""It is valid since then: the clock of the network may be behind ours."""


@click.command("irc-cert")
@config_option
@click.argument("network")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The file to write.")
def irc_cert(config: Path, network: str, out: Path | None) -> None:
    """Make a certificate and its key, by which NETWORK knows the bridge without a password.

    The file is secrets/NETWORK.pem beside the configuration, unless --out names another. It is never overwritten. The
    certificate is self-signed: the network remembers its fingerprint.
    """
    try:
        identifiers.one_word(network)
        if "/" in network or network.startswith("."):
            raise ValueError(f"{network!r}: a network's name has no slash, and no dot first")
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    path = out or config.parent / "secrets" / f"{network}.pem"
    made = _made()
    _write(path, made[0])
    sha256, sha512 = made[1:]
    click.echo(f"wrote {path}\n\nSHA-256 {sha256}\nSHA-512 {sha512}\n")
    click.echo(
        "Register it: log in to the account with any IRC client, and say (most networks take SHA-512 or SHA-256;\n"
        "try the other if one is refused):\n\n"
        f"    /msg NickServ CERT ADD {sha512}\n"
        f"    /msg NickServ CERT ADD {sha256}\n\n"
        "Some services (Anope 2.0) register only the certificate of who asks: connect once with an IRC client\n"
        "that uses this file, log in, and say `/msg NickServ CERT ADD`.\n\n"
        f"Then name the file in the configuration, under networks.{network}:\n\n"
        f"    sasl: {{account: YOUR-ACCOUNT, certificate: {path if out else f'secrets/{network}.pem'}}}"
    )


def _made() -> tuple[bytes, str, str]:
    """The PEM of a new key and its certificate, and the fingerprints. P-256: small, and known to all servers."""
    from cryptography import x509  # slow: only this command needs it
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "quackbridge")])
    builder = x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - _YESTERDAY)
    builder = builder.not_valid_after(now + datetime.timedelta(days=365 * _YEARS))
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem = key.private_bytes(*plain) + certificate.public_bytes(serialization.Encoding.PEM)
    return pem, certificate.fingerprint(hashes.SHA256()).hex(), certificate.fingerprint(hashes.SHA512()).hex()


def _write(path: Path, content: bytes) -> None:
    try:
        make_folders(path.parent)
        write_new(path, content)
    except FileExistsError as error:
        raise click.ClickException(f"{path} is there already; it is not overwritten: move it away first") from error
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error.strerror}") from error
