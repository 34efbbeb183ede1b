from pathlib import Path

import pytest
from pydantic import BaseModel

from bots.api import Home, Question, Reply
from bots.duck import Duck
from bots.hosting.unseen import UNSEEN
from bots.load import brains, load_bot, load_brain
from bridge.lib.settings import FilePath
from bridge.model.text import words
from tests.events import HOME, irc

QUESTION = Question("1", words("hi"), irc("eve"), HOME, 1.0)


class Parrot:
    """Says what it is told to, as often as it is told to."""

    class Settings(BaseModel):
        text: str
        times: int = 1
        file: FilePath = Path("x")

    def __init__(self, settings: Settings, home: Home) -> None:
        self.settings = settings
        self.home = home

    async def reply(self, _question: Question) -> str:
        return self.settings.text * self.settings.times


PARROT = f"{__name__}:Parrot"


async def test_a_brain_gets_its_settings_and_its_home_and_files_are_beside_the_configuration() -> None:
    brain = load_brain(PARROT, {"text": "ha", "times": 2, "file": "a.txt"}, UNSEEN, Path("/pond"))
    assert isinstance(brain, Parrot)
    assert (brain.home, brain.settings.file) == (UNSEEN, Path("/pond/a.txt"))
    assert await brain.reply(QUESTION) == "haha"


async def test_a_bot_has_a_chain_of_brains_each_with_settings_of_its_own() -> None:
    bot = load_bot("bots.duck:Duck", "Duck", [PARROT, "echo"], 0, settings={PARROT: {"text": "ha"}}, home=UNSEEN)
    assert isinstance(bot, Duck)
    assert await bot.answer(QUESTION) == [Reply("ha", PARROT)]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({PARROT: {"text": "x", "times": "often"}}, f"settings.{PARROT}.times: Input should be a valid integer"),
        ({PARROT: {}}, f"settings.{PARROT}.text: Field required"),
        ({"echo": {"x": 1}, PARROT: {"text": "x"}}, "settings.echo: this brain has no settings"),
        ({"rule": {}}, "settings.rule: there is no such brain in `brain`; there are: "),
        ({"bot": {"x": 1}, PARROT: {"text": "x"}}, "settings.bot: this bot has no settings"),
    ],
    ids=["wrong", "missing", "none", "strange", "bot"],
)
def test_a_mistake_in_settings_is_reported_with_its_place(settings: dict[str, dict[str, object]], said: str) -> None:
    with pytest.raises(ValueError, match="settings") as caught:
        load_bot("bots.duck:Duck", "Duck", [PARROT, "echo"], 0, settings=settings, home=UNSEEN)
    assert str(caught.value).startswith(said)


def test_a_bot_without_brains_has_no_settings_of_brains(tmp_path: Path) -> None:
    settings: dict[str, dict[str, object]] = {"bot": {"folder": tmp_path}, "archive": {"days": 3}}
    with pytest.raises(ValueError, match=r"settings\.archive: this bot has no brains"):
        load_bot("bots.archive:Archive", "Archive", "echo", 0, settings=settings)


def test_all_brains_that_come_with_the_bridge_are_named() -> None:
    assert "echo" in brains()
