"""What a TLS connection needs: whom we trust, and who we are."""

import ssl
from pathlib import Path

from bridge.irc.settings import IrcSettings


class Unusable(Exception):
    """A file of the configuration cannot be used. `key`: where it stands there (as `Refused.key`)."""

    def __init__(self, reason: str, key: tuple[str, ...]) -> None:
        super().__init__(reason)
        self.key = key


def context(settings: IrcSettings) -> ssl.SSLContext:
    """The context for a connection. With pins it accepts each certificate: judge it by `pins.are_met` before anything
    is written. Reads files: call it in a thread, and for each connection, so that renewed files are used. Raises
    Unusable."""
    made = _trust(settings)
    certificate: Path | None = getattr(settings.sasl, "certificate", None)
    if certificate is not None:
        _identify(made, certificate, settings)
    return made


def _trust(settings: IrcSettings) -> ssl.SSLContext:
    try:
        made = ssl.create_default_context(cafile=settings.tls_ca_file)
    except OSError as error:
        reason = f"the CA file {settings.tls_ca_file} cannot be used: {error}"
        raise Unusable(reason, settings.key("tls_ca_file")) from error
    if settings.tls_fingerprints:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def _identify(made: ssl.SSLContext, certificate: Path, settings: IrcSettings) -> None:
    """Show the server our own certificate."""
    try:
        made.load_cert_chain(certificate, password=_locked)
    except _Locked:
        reason = "its key is locked by a passphrase: write it without one, readable by nobody but its owner (chmod 600)"
    except ssl.SSLError as error:
        mismatch = "MISMATCH" in (error.reason or "")
        reason = (
            "its key is not that of its certificate"
            if mismatch
            else "it has to hold a certificate and its private key, both in PEM"
        )
    except OSError as error:
        reason = error.strerror or str(error)
    else:
        return
    raise Unusable(
        f"the client certificate {certificate} cannot be used: {reason}", settings.key("sasl", "certificate")
    )


class _Locked(Exception):
    """OpenSSL asks for a passphrase: it would ask on the terminal."""


def _locked() -> str:
    raise _Locked
