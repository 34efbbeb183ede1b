"""The rules brain: answers by the patterns of a file, at first the one that comes with the bridge."""

import random

from pydantic import ConfigDict

from bots.api import Home, Question, Reply
from bots.rules import DEFAULT, read_file
from bots.rules.book import Asked, Outcome
from bots.rules.remembered import People
from bridge.lib.settings import FilePath, Section


class Rules:
    """Group what a rule of its file fits; leaves all else to the next brain. See docs/bots-rules.md."""

    class Settings(Section):
        """The settings of the rules brain."""

        model_config = ConfigDict(use_attribute_docstrings=True)

        file: FilePath | None = None
        """The YAML file of rules; absent: the one that comes with the bridge."""

    def __init__(self, settings: Settings, home: Home, chance: random.Random | None = None) -> None:
        """Reads the file. Raises RulesError, OSError."""
        self._book = read_file(settings.file or DEFAULT).book
        self._name = home.name
        self._people = People(home.memory)
        self._chance = chance or random.Random()  # noqa: S311 - which of some answers is no secret

    async def reply(self, question: Question) -> Reply | None:
        variables = await self._people.variables(question)
        asked = Asked(question, self._name, self._people.topic(question), variables)
        if (found := self._book.answer(asked, self._chance)) is None:
            return None
        await self._remember(question, found)
        return Reply(found.text, f"{found.pattern.source!r}, line {found.rule.line}") if found.text else None

    async def _remember(self, question: Question, found: Outcome) -> None:
        if found.forgets:
            await self._people.forget(question)
        self._people.turn(question, found.topic)
        await self._people.keep(question, dict(found.variables))
