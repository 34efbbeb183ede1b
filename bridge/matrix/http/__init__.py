"""The client-server API: requests, filters, answers."""
