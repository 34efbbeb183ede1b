"""Bounds what previews fetch and upload in a day (of UTC), by `media.max_per_day`."""

from collections.abc import Callable

import structlog

log = structlog.get_logger()

_DAY_S = 86_400


class DailyTraffic:
    """The bytes of today that were read from the web, and those that were uploaded. `clock`: seconds since the epoch.
    All bounds `most` are in bytes a day. The first refusal of a day is logged."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._day = 0
        self._uploaded = 0
        self._read = 0
        self._is_logged = False

    def recall_uploads(self, size: int) -> None:
        """An earlier run has uploaded `size` bytes today."""
        self._begin_day()
        self._uploaded = size

    def is_left(self, most: int) -> bool:
        """Whether anything more may be read and uploaded today."""
        self._begin_day()
        return self._is_within(max(self._uploaded, self._read) + 1, most)

    def may_upload(self, size: int, most: int) -> bool:
        """Whether `size` bytes more may be uploaded today."""
        self._begin_day()
        return self._is_within(self._uploaded + size, most)

    def count_upload(self, size: int) -> None:
        self._begin_day()
        self._uploaded += size

    def count_read(self, size: int, most: int) -> bool:
        """Count bytes that were read; whether more may be. Most are uploaded later, but what turns out to be no file,
        or too large, costs as much."""
        self._begin_day()
        self._read += size
        return self._is_within(self._read, most)

    def _begin_day(self) -> None:
        today = int(self._clock() // _DAY_S)
        if today != self._day:
            self._day, self._uploaded, self._read, self._is_logged = today, 0, 0, False

    def _is_within(self, size: int, most: int) -> bool:
        if size <= most:
            return True
        if not self._is_logged:
            self._is_logged = True
            hint = "until tomorrow (UTC), links to pictures, sound and videos stay links"
            log.warning("media_limit_reached", key="media.max_per_day", bytes=most, hint=hint)
        return False
