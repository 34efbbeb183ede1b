"""What only the running daemon knows or does, as the administration verbs ask for it."""

from collections.abc import Mapping
from typing import Protocol


class NotRunning(Exception):
    """No daemon runs with this store. The text says what to do."""


class Live(Protocol):
    """The running daemon: from the command line over its socket, from a chat directly."""

    def ask(self, question: str, **about: object) -> Mapping[str, object]:
        """The answer to one of the questions of `bridge.app.answers`, as JSON. Call it in a thread without an event
        loop: it blocks. Raises NotRunning, and click.ClickException if the daemon cannot do what is asked."""
        ...
