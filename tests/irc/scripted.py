"""A scripted server that really speaks SASL: PLAIN, SCRAM, EXTERNAL and ECDSA, honestly or as somebody in between."""

from base64 import b64decode, b64encode
from collections.abc import Iterator
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from scramp import ScramException, ScramMechanism

from bridge.irc.sasl.pieces import cut
from tests.irc.test_client import Ircd

CHALLENGE = bytes(range(32))


class Lie(StrEnum):
    """What somebody in between does, who does not know the password."""

    NONE = ""
    SIGNATURE = "a wrong signature"
    SILENCE = "success without a signature"
    ALREADY = "907 without a signature"
    EMPTY = "an empty signature"
    GARBAGE = "no base64"


class SaslServer:
    """The SASL side of a server, line by line: it offers `mechanisms`, and knows `account` by `password`, by the key
    `signer`, and by its certificate if `certified`. `without`: mechanisms that it offers, but for which the account has
    no credentials. `rounds` are those of SCRAM. `greeting` is sent after CAP END."""

    def __init__(
        self,
        mechanisms: str = "SCRAM-SHA-512,SCRAM-SHA-256,PLAIN",
        *,
        account: str = "duck",
        password: str = "quack",
        signer: ec.EllipticCurvePublicKey | None = None,
        certified: bool = False,
        without: str = "",
        lie: Lie = Lie.NONE,
        rounds: int = 4096,
        silent: bool = False,
    ) -> None:
        self.mechanisms = mechanisms
        self.account, self.password = account, password
        self.signer, self.certified, self.without = signer, certified, without
        self.lie, self.rounds, self.silent = lie, rounds, silent
        self.greeting = (":irc 001 duck :Welcome", ":irc 376 duck :end")
        self.tried: list[str] = []
        """The mechanisms that we have tried."""
        self._exchange: Iterator[tuple[str, ...]] | None = None
        self._said = b""
        self._pieces = ""

    def answers(self, line: str) -> tuple[str, ...]:
        match line.split(" "):
            case ["CAP", "LS", _]:
                value = "" if self.silent else f"={self.mechanisms}"
                return (f":irc CAP * LS :sasl{value}",)
            case ["CAP", "REQ", "sasl"]:
                return (":irc CAP * ACK :sasl",)
            case ["CAP", "END"]:
                return self.greeting
            case ["AUTHENTICATE", "*"]:
                self._exchange = None
                return (":irc 906 * :SASL authentication aborted",)
            case ["AUTHENTICATE", word] if self._exchange is None:
                return self._begin(word)
            case ["AUTHENTICATE", piece]:
                return self._piece(piece)
        return ()

    def _begin(self, name: str) -> tuple[str, ...]:
        self.tried.append(name)
        if name not in self.mechanisms.split(","):
            return (f":irc 908 * {self.mechanisms} :are available", ":irc 904 * :SASL authentication failed")
        self._exchange = self._run(name)
        return next(self._exchange)

    def _piece(self, piece: str) -> tuple[str, ...]:
        self._pieces += "" if piece == "+" else piece
        if len(piece) == 400:
            return ()
        self._said, self._pieces = b64decode(self._pieces), ""
        assert self._exchange is not None
        answer = next(self._exchange)
        if answer[-1].startswith(":irc 9"):
            self._exchange = None
        return answer

    def _run(self, name: str) -> Iterator[tuple[str, ...]]:
        yield ("AUTHENTICATE +",)
        if name in self.without.split(","):
            yield _FAILED
        elif name.startswith("SCRAM"):
            yield from self._scram(name)
        elif name == "PLAIN":
            right = f"{self.account}\0{self.account}\0{self.password}".encode()
            yield self._in() if self._said == right else _FAILED
        elif name == "EXTERNAL":
            yield self._in() if self.certified and not self._said else _FAILED
        else:
            yield from self._ecdsa()

    def _scram(self, name: str) -> Iterator[tuple[str, ...]]:
        mechanism = ScramMechanism(name)
        info = mechanism.make_auth_info(self.password, iteration_count=4096)
        server = mechanism.make_server(lambda user: (*info[:3], self.rounds) if user == self.account else None)
        try:
            server.set_client_first(self._said.decode())
        except ScramException:
            yield _FAILED
            return
        yield _pieces(server.get_server_first())
        try:
            server.set_client_final(self._said.decode())
            final = server.get_server_final()
        except ScramException:
            final = ""
        match self.lie:
            case Lie.SILENCE:
                yield self._in()
            case Lie.ALREADY:
                yield (":irc 907 * :You have already authenticated",)
            case Lie.SIGNATURE:
                yield _pieces("v=" + b64encode(bytes(32)).decode())
            case Lie.EMPTY:
                yield ("AUTHENTICATE :",)
            case Lie.GARBAGE:
                yield ("AUTHENTICATE \x02==!",)
            case _ if not final:
                yield (*_pieces("e=invalid-proof"), *_FAILED)
            case _:
                yield _pieces(final)
        yield self._in()

    def _ecdsa(self) -> Iterator[tuple[str, ...]]:
        assert self._said.decode() == self.account
        yield (f"AUTHENTICATE {b64encode(CHALLENGE).decode()}",)
        try:
            assert self.signer is not None
            self.signer.verify(self._said, CHALLENGE, ec.ECDSA(Prehashed(hashes.SHA256())))
            yield self._in()
        except InvalidSignature:
            yield _FAILED

    def _in(self) -> tuple[str, ...]:
        account = self.account
        return (f":irc 900 * duck!u@h {account} :You are now logged in as {account}", ":irc 903 * :SASL successful")


_FAILED = (":irc 904 * :SASL authentication failed",)


def _pieces(message: str) -> tuple[str, ...]:
    return tuple(f"AUTHENTICATE {piece}" for piece in cut(message.encode()))


class SaslIrcd(Ircd):
    """The same on a real socket."""

    def __init__(self, sasl: SaslServer) -> None:
        super().__init__()
        self.sasl = sasl
        self.greeting = ()

    def _answers(self, line: str) -> tuple[str, ...]:
        return self.sasl.answers(line) or super()._answers(line)
