"""Changed master keys (bridge.matrix.crypto.devices.pins): who is told, and how often."""

from bridge.matrix.crypto.devices.pins import Pins
from bridge.matrix.crypto.rows import Rows
from bridge.network import News
from tests.fakes.memory import Notebook


class _Pinned:
    def __init__(self, memory: Notebook | None = None) -> None:
        self.now = 1_700_000_000.0
        self.news: list[News] = []
        self.rows = Rows(memory or Notebook())
        self.pins = Pins(self.rows, lambda: self.now)
        self.pins.tell = self.news.append


async def test_admins_are_told_of_another_master_key_once_and_not_of_the_first() -> None:
    memory = Notebook()
    found = _Pinned(memory)
    await found.rows.load()
    assert not found.pins.note("@ann:hs", "one")
    assert not found.pins.note("@ann:hs", "")
    assert not found.pins.note("@ann:hs", "one")
    await found.rows.flush()
    again = _Pinned(memory)
    await again.rows.load()
    assert again.pins.note("@ann:hs", "two")
    assert not again.pins.note("@ann:hs", "two")
    (told,) = again.news
    assert "@ann:hs has a new identity" in told.text


def test_admins_are_not_told_of_strangers() -> None:
    found = _Pinned()
    found.pins.knows = lambda user: user == "@ann:hs"
    for user in ("@eve:hs", "@ann:hs"):
        found.pins.note(user, "one")
        assert found.pins.note(user, "two")
    assert ["@ann:hs" in news.text for news in found.news] == [True]


def test_a_homeserver_that_changes_everybodys_keys_gives_admins_no_flood() -> None:
    found = _Pinned()
    for key in ("one", "two", "three"):
        for number in range(200):
            found.pins.note(f"@{number}:hs", key)
    assert len({news.id for news in found.news}) == 11
    found.now += 2 * 86_400
    found.pins.note("@7:hs", "four")
    assert "@7:hs" in found.news[-1].text
