"""What the tests on real servers share."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from tests.integration.irc import Log


@pytest.fixture
def log() -> Iterator[Log]:
    """What our own process logs."""
    with capture_logs() as entries:
        yield Log(entries)
