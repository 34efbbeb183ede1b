"""SASL ECDSA-NIST256P-CHALLENGE (as Atheme and Limnoria do it): we sign 32 bytes that the server has chosen."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bridge.irc.sasl.mechanism import Distrusted

_CHALLENGE_BYTES = 32


def private_key(pem: str) -> ec.EllipticCurvePrivateKey:
    """The key in PEM text. Raises ValueError if it is none for this mechanism."""
    try:
        # `openssl ecparam -genkey` writes the parameters first, in a block of their own
        key = load_pem_private_key(pem[max(pem.find("-----BEGIN EC PRIVATE KEY"), 0) :].encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("is no private key (PEM, without a passphrase)") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("is no key of the curve NIST P-256 (prime256v1)")
    return key


class Ecdsa:
    """One exchange: the account's name, then the signature (DER) of the challenge, which is signed as if it were a
    SHA-256 hash."""

    mutual = False
    judged = False
    trusted = True

    def __init__(self, account: str, key: ec.EllipticCurvePrivateKey) -> None:
        self._account = account
        self._key = key
        self._named = False

    def respond(self, challenge: bytes) -> bytes:
        if not self._named:
            self._named = True
            return self._account.encode()
        if len(challenge) != _CHALLENGE_BYTES:
            raise Distrusted(f"the server's challenge has {len(challenge)} bytes instead of {_CHALLENGE_BYTES}")
        return self._key.sign(challenge, ec.ECDSA(Prehashed(hashes.SHA256())))
