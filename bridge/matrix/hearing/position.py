"""Where a Matrix account resumes: what the store keeps for us."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SyncPosition:
    """Behind the sync that ended with `token`, which came `at` that time, in seconds since the epoch; 0.0 where that is
    not known."""

    token: str
    at: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "SyncPosition":
        """What `dump` wrote, or the bare token of earlier versions."""
        token, _, at = text.partition(" ")
        try:
            return cls(token, max(0.0, float(at)))
        except ValueError:
            return cls(token)

    def dump(self) -> str:
        return f"{self.token} {self.at:.0f}"
