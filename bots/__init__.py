"""Bots: their interface, their host, and the Little Yellow Duck."""
