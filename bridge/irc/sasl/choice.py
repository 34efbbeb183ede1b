"""Which SASL mechanism is used: the strongest that the server offers and that we have the means for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bridge.irc.login_settings import Sasl
from bridge.irc.sasl.ecdsa import Ecdsa, private_key
from bridge.irc.sasl.external import External
from bridge.irc.sasl.mechanism import Mechanism, Name
from bridge.irc.sasl.plain import Plain
from bridge.irc.sasl.scram import Scram
from bridge.irc.settings import IrcSettings

SCRAMS = (Name.SCRAM_SHA_512, Name.SCRAM_SHA_256)


@dataclass(slots=True)
class Trust:
    """What we remember of a network's server from one connection to the next. `lied`: it has failed to prove that it
    knows the password. Until it does, nothing but SCRAM, which asks for that proof, is tried."""

    lied: bool = False


def usable(settings: IrcSettings) -> tuple[Name, ...]:
    """The mechanisms that the configuration allows and has the means for, in the order in which they are tried."""
    sasl = settings.sasl
    if sasl is None:
        return ()
    wanted = [Name(name.upper()) for name in sasl.mechanism] if sasl.mechanism != ("auto",) else [*Name]
    return tuple(name for name in wanted if _has_means(name, settings, sasl))


def _has_means(name: Name, settings: IrcSettings, sasl: Sasl) -> bool:
    match name:
        case Name.EXTERNAL:
            return sasl.certificate is not None and settings.tls
        case Name.ECDSA:
            return bool(sasl.key)
        case Name.PLAIN:
            return bool(sasl.password)  # without TLS, the settings have seen to `allow_plaintext`
        case Name.SCRAM_SHA_512 | Name.SCRAM_SHA_256:
            return bool(sasl.password)


def choose(
    means: Sequence[Name], offered: Collection[str] | None, tried: Collection[Name], trust: Trust
) -> Name | None:
    """The next mechanism to try; None if there is none left. `offered` is None if the server does not say."""
    for name in means:
        allowed = name in SCRAMS or not trust.lied
        if allowed and name not in tried and (offered is None or name in offered):
            return name
    return None


def begin(name: Name, sasl: Sasl) -> Mechanism:
    """A new exchange. Raises `Unfit`."""
    match name:
        case Name.EXTERNAL:
            return External()
        case Name.ECDSA:
            return Ecdsa(sasl.account, private_key(sasl.key))
        case Name.PLAIN:
            return Plain(sasl.account, sasl.password)
        case Name.SCRAM_SHA_512 | Name.SCRAM_SHA_256:
            return Scram(name, sasl.account, sasl.password)
