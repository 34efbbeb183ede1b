"""Ghosts, without a homeserver."""
