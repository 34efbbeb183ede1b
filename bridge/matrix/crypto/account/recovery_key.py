"""Recovery keys: the key of a secret storage as people write it down (spec, "Key representation"). Pure."""

from functools import reduce
from operator import xor

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BEGINS = b"\x8b\x01"


def shown(secret: bytes) -> str:
    """The recovery key of the 32 bytes `secret`, in groups of four characters."""
    data = _BEGINS + secret
    number, found = int.from_bytes(data + bytes([reduce(xor, data)]), "big"), ""
    while number:
        number, digit = divmod(number, len(_ALPHABET))
        found = _ALPHABET[digit] + found
    return " ".join(found[at : at + 4] for at in range(0, len(found), 4))


def read(written: str) -> bytes:
    """The secret of a recovery key, with or without blanks. Raises ValueError if it is none, or has a typing error."""
    number, characters = 0, "".join(written.split())[:100]
    for character in characters:
        number = number * len(_ALPHABET) + _ALPHABET.find(character)
    is_key = all(character in _ALPHABET for character in characters) and 0 < number < 2 ** (8 * 35)
    data = number.to_bytes(35, "big") if is_key else b""
    if data[:2] != _BEGINS or reduce(xor, data):
        raise ValueError("this is no recovery key, or it has a typing error")
    return data[2:34]
