"""The commands brain: help, dice, sums, times, reminders, messages for others, polls."""

import asyncio
import inspect
import random
from contextlib import suppress
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from bots.api import Home, Question, Reply
from bots.commands import finding, karma, tells, typos
from bots.commands.command import Call, Command
from bots.commands.reminding import Reminders
from bots.commands.scores import Scores
from bots.commands.sightings import Sightings
from bots.commands.slips import Slips
from bots.commands.state import State
from bots.commands.votes import Votes
from bots.commands.whereabouts import Whereabouts
from bots.commands.zones import known
from bridge.lib.settings import Section
from bridge.model.text import plain, words

_FLUSH_S = 300.0
_TALK = frozenset({"seen"})
"""Names of commands that people say alone without meaning the command. By other names alone they mean nothing else."""
_FORGET = frozenset(
    {"forget me", "forget everything about me", "forget what you know about me", "forget what i told you"}
)


def _endpoint(url: str, mark: str) -> str:
    if url and url != mark and not (url.startswith(("https://", "http://")) and mark in url):
        raise ValueError(f"must be an address with {mark} in it, such as https://example.org/{mark}")
    return url


class Commands:
    """Answers what is certainly a command; leaves all else to the next brain. See docs/bots-commands.md."""

    hears_all = True

    class Settings(Section):
        """The settings of the commands brain."""

        model_config = ConfigDict(use_attribute_docstrings=True)

        prefix: Annotated[str, Field(max_length=5, pattern=r"^(\S.*)?$")] = ""
        """What stands before each command, such as `!`; empty: nothing."""
        disabled: tuple[str, ...] = ()
        """Commands that there shall not be."""
        aliases: Annotated[dict[str, str], Field(max_length=100)] = Field(default_factory=dict)
        """More names of commands: `{dice: roll}`."""
        zone: Annotated[str, AfterValidator(known)] = "UTC"
        """The time zone of people who have set none."""
        zones: Annotated[dict[str, Annotated[str, AfterValidator(known)]], Field(max_length=1_000)] = Field(
            default_factory=dict
        )
        """The same for single links, by their names."""
        karma: bool = False
        """Whether `name++` is counted where the bot `hears: all`."""
        weather: Annotated[str, AfterValidator(lambda url: _endpoint(url, "{place}"))] = ""
        """The address that tells the weather in one line of text, with {place} in it; empty: no such command."""
        titles: Annotated[str, AfterValidator(lambda url: _endpoint(url, "{url}"))] = ""
        """The address that tells the title of the page {url}; `{url}`: the page itself; empty: no such command."""

        @model_validator(mode="after")
        def _known(self) -> Self:
            finding.chosen(self.disabled, self.aliases, frozenset())
            return self

    def __init__(self, settings: Settings, home: Home, chance: random.Random | None = None) -> None:
        enabled = frozenset(name for name in ("karma", "weather", "titles") if getattr(settings, name))
        memory = home.memory
        self._home = home
        self._chance = chance or random.SystemRandom()
        self._state = State(
            settings.prefix,
            finding.chosen(settings.disabled, settings.aliases, enabled),
            Whereabouts(
                memory, ZoneInfo(settings.zone), {link: ZoneInfo(zone) for link, zone in settings.zones.items()}
            ),
            Reminders(home),
            Sightings(memory),
            Slips(memory),
            Votes(memory),
            Scores(memory, settings.karma),
            settings.weather,
            settings.titles,
        )

    async def reply(self, question: Question) -> Reply | None:
        await tells.listen(question, self._state, self._home)
        await karma.listen(question, self._state)
        if not question.called:
            return None
        text = plain(question.text)
        if " ".join(text.lower().split()).strip("!.") in _FORGET:
            await self._forget(question)
            return None  # the next brain says so, and forgets what it knows
        return await self._answer(question, text)

    async def run(self) -> None:
        """Says reminders, and stores who was seen, until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._state.reminders.run(), name="reminders")
            tasks.create_task(self._flush(), name="sightings")

    async def _answer(self, question: Question, text: str) -> Reply | None:
        for command, args in finding.candidates(text, self._state.prefix, self._state.known):
            call = Call(args, question, self._home.clock(), self._home, self._state, self._chance)
            answer = command.run(call)
            said = await answer if inspect.isawaitable(answer) else answer
            if said:
                return Reply(words(said), command.name)
            if command.needs_words and not args and command.name not in _TALK:
                return Reply(words(f"Say: {self._state.prefix}{command.usage}.{self._example(command)}"), command.name)
        meant = typos.meant(text, self._state.prefix, self._state.known)
        return Reply(words(f"Did you mean: {meant}"), "almost a command") if meant else None

    def _example(self, command: Command) -> str:
        said = next((each.said for each in command.samples if each.said.startswith(command.name)), None)
        return f" For example: `{self._state.prefix}{said}`" if said else ""

    async def _forget(self, question: Question) -> None:
        state = self._state
        for each in (state.whereabouts, state.reminders, state.sightings, state.slips):
            await each.forget(question)

    async def _flush(self) -> None:
        try:
            while True:
                await asyncio.sleep(_FLUSH_S)
                await self._state.sightings.flush()
        finally:
            with suppress(Exception):  # the store may be closed already
                await self._state.sightings.flush()
