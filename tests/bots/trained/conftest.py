"""Sums take one thread in these tests: with more, tests beside them wait."""

from collections.abc import Iterator

import pytest

from bots.trained import desk


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    with desk.one_thread():
        yield
