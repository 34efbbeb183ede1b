"""Bytes to lines and back, and what a server says about itself."""
