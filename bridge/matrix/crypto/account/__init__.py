"""Our account: its cross-signing keys, its secret storage, and the keys of our device at the homeserver."""
