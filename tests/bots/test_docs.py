"""The code of docs/bots.md runs, and does what the page says."""

import asyncio
import re
from pathlib import Path
from types import ModuleType

import pytest

from bots.load import load_brain
from bots.testing import FakeHome, ask, question
from bots.testing import answers as said_to

PAGE = Path(__file__).parents[2] / "docs" / "bots.md"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """All Python of the page, as a module."""
    code = "\n\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    (tmp_path / "quackbridge_page.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    import importlib

    return importlib.import_module("quackbridge_page")


@pytest.mark.parametrize(("settings", "said"), [({}, "alice says: hi hi"), ({"times": 3}, "alice says: hi hi hi")])
async def test_the_parrot_speaks_as_often_as_its_settings_say(
    page: ModuleType, settings: dict[str, object], said: str
) -> None:
    assert page
    parrot = load_brain("quackbridge_page:Parrot", settings, FakeHome())  # type: ignore[arg-type]
    assert await said_to(parrot, question("hi", user="alice")) == [said]
    with pytest.raises(ValueError, match="times"):
        load_brain("quackbridge_page:Parrot", {"times": "often"}, FakeHome())  # type: ignore[arg-type]


async def test_eggs_are_counted_and_told_at_night_once(page: ModuleType) -> None:
    home = FakeHome()
    await page.test_eggs_are_counted(home, ask.__wrapped__())  # type: ignore[attr-defined]
    running = asyncio.create_task(page.Eggs(home).run())
    await asyncio.sleep(90_000)
    running.cancel()
    await asyncio.wait({running})
    assert [text for _, text in home.said] == ["2 eggs today. Good night!"]


async def test_the_story_comes_word_by_word(page: ModuleType) -> None:
    story = load_brain("quackbridge_page:Story")
    assert await said_to(story, question("tell me")) == ["Once upon a pond there was a duck."]
    grown = [so_far async for so_far in page.Story().stream(question("tell me"))]
    assert grown[:2] == ["Once", "Once upon"]


async def test_what_is_said_once_is_kept_once_in_the_made_up_home() -> None:
    home = FakeHome()
    await home.tell("alice", "hi", once="1")
    await home.tell("alice", "hi", once="1")
    await home.tell("alice", "**hi**")
    assert home.said == [("alice", "hi"), ("alice", "hi")]
