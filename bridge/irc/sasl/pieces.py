"""SASL messages on IRC: base64 in pieces of 400 characters (https://ircv3.net/specs/extensions/sasl-3.1)."""

from base64 import b64decode, b64encode
from collections.abc import Iterator

_PIECE = 400
_MOST = 8000
"""Most characters of a challenge; those of SCRAM have some 200."""


def cut(message: bytes) -> Iterator[str]:
    """The pieces of a message. One that fills its last piece, or is empty, ends with an empty piece, `+`."""
    data = b64encode(message).decode()
    for start in range(0, len(data), _PIECE):
        yield data[start : start + _PIECE]
    if len(data) % _PIECE == 0:
        yield "+"


class Pieces:
    """Puts the server's challenges together."""

    def __init__(self) -> None:
        self._data = ""

    def add(self, piece: str) -> bytes | None:
        """The challenge, if `piece` is its last one. Raises ValueError if it is too long or no base64."""
        self._data += "" if piece == "+" else piece
        if len(self._data) > _MOST:
            raise ValueError(f"it is longer than {_MOST} characters")
        if len(piece) == _PIECE:
            return None
        data, self._data = self._data, ""
        return b64decode(data, validate=True)
