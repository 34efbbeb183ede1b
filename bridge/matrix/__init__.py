"""Matrix: pure conversion either way, and a thin shell that talks to a homeserver."""

from bridge.matrix.client import MatrixNetwork
from bridge.matrix.settings import MatrixSettings

__all__ = ["MatrixNetwork", "MatrixSettings"]
