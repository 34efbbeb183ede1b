"""What a failed TLS handshake says about the other side."""

import ssl

UNANSWERED_S = 5.0
"""Seconds without a connection after which the operator is told: a port for plain connections may wait in silence for
the end of a line that never comes."""
_PLAIN = ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")
"""OpenSSL's words for an answer that is no TLS record."""


def is_plain(error: BaseException | None) -> bool:
    """Whether the answer to the handshake was not TLS: the port is for plain connections."""
    return isinstance(error, ssl.SSLError) and any(word in f"{error.reason or ''} {error}" for word in _PLAIN)
