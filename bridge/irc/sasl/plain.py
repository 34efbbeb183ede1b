"""SASL PLAIN (RFC 4616): the password itself, readable by the server and by everybody where nothing encrypts."""

from bridge.irc.sasl.mechanism import Distrusted


class Plain:
    """One PLAIN exchange. The authorization identity is the account, too: some services want it."""

    mutual = False
    trusted = True

    def __init__(self, account: str, password: str) -> None:
        self._message = f"{account}\0{account}\0{password}".encode()
        self.judged = False

    def respond(self, challenge: bytes) -> bytes:
        if self.judged:
            raise Distrusted("the server asks for the password twice")
        self.judged = True
        return self._message
