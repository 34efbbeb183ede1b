"""The composition root: builds what the config says, and replaces it on a reload."""
