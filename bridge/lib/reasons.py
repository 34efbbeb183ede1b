"""Why a connection failed, in the system's own words, without its numbers."""

import os


def why(error: OSError) -> str:
    """`Connection refused`, `Name or service not known`, ...: also where a library has put more around it."""
    if error.errno is not None and error.errno > 0 and not isinstance(error.errno, bool):
        return os.strerror(error.errno)
    if error.strerror:  # of a name that was not found
        return error.strerror
    return str(error) or ("it closed the connection" if isinstance(error, ConnectionError) else type(error).__name__)
