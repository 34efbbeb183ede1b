"""What is said when a language model fails, and how long it is then left alone. Pure."""

from enum import Enum

from bridge.lib.backoff import Backoff


class Failure(Enum):
    """Why there is no answer, in words for the room."""

    AWAY = "My language model does not answer right now."
    SLOW = "My language model takes too long right now."
    BUSY = "My language model is asked too much right now."
    REFUSED = "My language model does not let me in; who runs me can mend that."
    BROKEN = "My language model has trouble right now."
    UNFIT = "My language model did not accept that question."
    NONSENSE = "My language model said nothing that I could understand."


_PAUSES = Backoff(10.0, 3600.0)
_SHORT = Backoff(10.0, 120.0)
_BY_QUESTION = {Failure.UNFIT, Failure.NONSENSE, Failure.SLOW}
"""A stranger's question may cause these: they must not silence the model for an hour."""


class Rest:
    """How long the model is left alone after failures in a row. Times are seconds of any one clock."""

    def __init__(self) -> None:
        self._failures = 0
        self._until = float("-inf")
        self.last = Failure.AWAY

    def is_over(self, now: float) -> bool:
        """Whether it may be asked again."""
        return now >= self._until

    def failed(self, failure: Failure, now: float, wait_s: float = 0.0) -> None:
        """It failed; `wait_s`: the server said when to come again."""
        self.last = failure
        pauses = _SHORT if failure in _BY_QUESTION else _PAUSES
        self._until = now + max(pauses.plain(self._failures), min(wait_s, 3600.0))
        self._failures += 1

    def worked(self) -> None:
        """It has answered."""
        self._failures, self._until = 0, float("-inf")


def failure_of(status: int) -> Failure:
    """What an HTTP status says."""
    if status == 429:
        return Failure.BUSY
    if status in (400, 413, 422):
        return Failure.UNFIT
    return Failure.REFUSED if status in (401, 403) else Failure.BROKEN
