"""The exit codes of all commands."""

DONE = 0
FAILED = 1
"""Trying again may help; or something that was asked about is not well."""
WRONG = 2
"""Wrong usage or configuration: trying again does not help, a supervisor must not restart."""
NOT_RUNNING = 3
"""The command needs the running daemon, and none runs."""
INTERRUPTED = 130
