"""The cursor of a Matrix account, as the store keeps it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SyncPosition:
    """The end of a sync: its `token`, and when it came (`at`, seconds since the epoch; 0.0 if unknown)."""

    token: str
    at: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "SyncPosition":
        """Parse what `dump` wrote, or the bare token of earlier versions."""
        token, _, at = text.partition(" ")
        try:
            return cls(token, max(0.0, float(at)))
        except ValueError:
            return cls(token)

    def dump(self) -> str:
        return f"{self.token} {self.at:.0f}"
