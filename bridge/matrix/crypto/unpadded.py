"""Base64 without padding, as Matrix writes keys and signatures (spec, "Unpadded Base64")."""

import base64


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def decode(text: str) -> bytes:
    """With or without padding. Raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4))
