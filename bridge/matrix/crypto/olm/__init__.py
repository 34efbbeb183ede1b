"""Olm and Megolm, by nio's machine, on rows of our own. No I/O."""
