"""The HTTP server and its endpoints."""
