"""SASL SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, RFC 7677): the password is never sent, and the server has to prove
that it knows it, too."""

import re

from scramp import ScramClient, ScramException

from bridge.irc.sasl.mechanism import Declined, Distrusted, Unfit

LIED = "the server does not know the password itself: somebody may be in between"
_LEAST_ROUNDS, _MOST_ROUNDS = 4096, 200_000
"""Rounds of hashing. With fewer (RFC 7677 section 4), whoever asks can guess the password from our answer; more would
hold up the event loop for longer than a tenth of a second. Atheme, the largest that is in use, has 64,000."""
_ROUNDS = re.compile(r"(?:^|,)i=([0-9]{1,9})(?:,|$)")


class Scram:
    """One SCRAM exchange without channel binding."""

    mutual = True

    def __init__(self, name: str, account: str, password: str) -> None:
        try:
            self._client = ScramClient([name], account, password)
        except ScramException as error:
            raise Unfit(f"account or password cannot be used with {name}: {error}") from error
        self._step = 0
        self.judged = False
        self.trusted = False

    def respond(self, challenge: bytes) -> bytes:
        self._step += 1
        try:
            text = challenge.decode()
            if text.startswith("e="):
                raise Declined(text.removeprefix("e=")[:100])
            return self._answer(text).encode()
        except (ScramException, UnicodeDecodeError) as error:
            raise Distrusted(LIED if self.judged else f"the server's SCRAM challenge is not valid: {error}") from error

    def _answer(self, text: str) -> str:
        match self._step:
            case 1:
                return str(self._client.get_client_first())
            case 2:
                self._check_rounds(text)
                self._client.set_server_first(text)
                self.judged = True
                return str(self._client.get_client_final())
            case 3:
                self._client.set_server_final(text)
                self.trusted = True
                return ""
        raise Distrusted("the server goes on with SCRAM after its end")

    def _check_rounds(self, text: str) -> None:
        found = _ROUNDS.search(text)
        if found is None:
            return  # a challenge without rounds is not valid anyway
        rounds = int(found[1])
        if not _LEAST_ROUNDS <= rounds <= _MOST_ROUNDS:
            raise Distrusted(
                f"the server wants {rounds} rounds of SCRAM; the bridge does {_LEAST_ROUNDS} to {_MOST_ROUNDS}"
            )
