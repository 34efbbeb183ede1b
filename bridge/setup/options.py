"""The answers that were given as options."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_NEEDED = ("matrix_user", "matrix_password_file", "room", "irc", "nick", "channel", "admin_matrix")


@dataclass(frozen=True, slots=True)
class Options:
    """What was given on the command line; None where the question is still to be asked."""

    homeserver: str | None = None
    matrix_user: str | None = None
    matrix_password_file: Path | None = None
    room: str | None = None
    irc: str | None = None
    nick: str | None = None
    channel: str | None = None
    irc_account: str | None = None
    irc_password_file: Path | None = None
    name: str | None = None
    guests: str | None = None
    admin_matrix: str | None = None
    admin_irc: str | None = None
    yes: bool = False

    def missing(self) -> Iterator[str]:
        """The options without which there is a question to ask."""
        for name in _NEEDED:
            if getattr(self, name) is None:
                yield f"--{name.replace('_', '-')}"
        if self.irc_account is not None and self.irc_password_file is None:
            yield "--irc-password-file"
        if not self.yes:
            yield "--yes (the channel's operators agree to the relay)"
