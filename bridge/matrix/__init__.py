"""Matrix: pure conversion either way, and a thin shell that talks to a homeserver."""
