"""Puppets: members of the allowlist who speak on IRC with a connection and a nick of their own."""
