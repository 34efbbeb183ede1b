"""The duck's brains, one per file."""
