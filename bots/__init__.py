"""The Little Yellow Duck, and what a bot is."""
