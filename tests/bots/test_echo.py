"""The echo brain."""

from bots.api import Question
from bots.brains.echo import Echo
from bridge.model.text import Span, Style, words
from tests.events import HOME, irc


async def test_the_echo_brain_repeats_everything_and_quacks_without_words() -> None:
    said = (*words("how do I "), Span("join", Style.BOLD))
    assert await Echo().reply(Question("1", said, irc("eve"), HOME, 1.0)) == said
    assert await Echo().reply(Question("1", (), irc("eve"), HOME, 1.0)) == words("Quack!")
