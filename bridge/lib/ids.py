"""Ids that follow from what they name, and are never counted."""

import hashlib


def digest(*parts: str) -> str:
    """128 bits that follow from `parts` and from nothing else; the lengths keep ('ab', 'c') and ('a', 'bc') apart."""
    joined = b"".join(
        len(data).to_bytes(4, "big") + data for data in (part.encode(errors="surrogatepass") for part in parts)
    )
    return hashlib.blake2b(joined, digest_size=16).hexdigest()
