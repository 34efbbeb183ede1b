"""End-to-end encryption: what is sealed and opened, with whose keys, and what of it is kept."""
