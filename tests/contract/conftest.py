"""The engine that a contract test is run on."""

import pytest

from tests.contract.stores import ENGINES, Engine, engine_of


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn; its server runs."""
    return engine_of(request)
