"""Ids that are hashes of what they name, not counters."""

import hashlib


def digest(*parts: str) -> str:
    """A 128-bit hash of `parts`, in hex. Part lengths are hashed too, so ('ab', 'c') and ('a', 'bc') differ."""
    joined = b"".join(
        len(data).to_bytes(4, "big") + data for data in (part.encode(errors="surrogatepass") for part in parts)
    )
    return hashlib.blake2b(joined, digest_size=16).hexdigest()
