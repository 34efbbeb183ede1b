"""What gathers, and the clock."""

from bridge.model.event import Event, Topic
from bridge.model.outbox import Delivery
from bridge.store import Commit
from bridge.store.core import Core
from tests.events import HOME, LIBERA, matrix
from tests.fakes.store import MemoryStore


async def test_what_gathers_goes_on_waiting_as_long_when_the_clock_is_set() -> None:
    store = MemoryStore(lambda: 1_000.0)
    home, libera = await store.acquire("home", "test"), await store.acquire("libera", "test")
    event = Event("$1", HOME, matrix("alice"), 1_000.0, Topic("ducks"))
    await home.commit(Commit(None, "1", [event], [Delivery.of(event.key, LIBERA, gather=4.0)]))
    Core(store.sql, lambda: 500.0).shift(-500.0)
    assert await libera.due(503.9) == []
    assert len(await libera.due(504.0)) == 1
