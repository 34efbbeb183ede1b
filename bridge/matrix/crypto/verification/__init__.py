"""Verification by comparing emoji (SAS)."""
