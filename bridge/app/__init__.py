"""The composition root: from the config to running objects, and to others while it runs."""
