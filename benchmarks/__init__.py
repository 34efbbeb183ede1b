"""Benchmarks: what the bridge costs, next to the cost without it."""
