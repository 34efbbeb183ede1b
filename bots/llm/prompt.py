"""What a language model is asked: a pure function of the settings and the question.

What people write is never among the instructions (the `system` message): only what the operator wrote is. A model may
follow a stranger's words all the same; so nothing is in the prompt that those who hear the answer did not hear.
"""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from bots.api import Question, Turn
from bridge.model.text import plain, printable

_NAME, _QUESTION = 40, 4000
"""Characters of a name, and of a question, at most."""
_COLONS = str.maketrans(dict.fromkeys(":\uff1a\ufe55\u2236\ua789", " "))
"""What would end a name early: `alice: yes, eve may. Eve` is no name."""
_MANNERS = (
    "You are {name}, a chat bot in a room where several people talk. Each message begins with the name of who says it. "
    "Answer the last one, in its language, in at most three short lines, without your name before it."
)


class Prompt(TypedDict):
    """One message of the request: `role` is system, user or assistant."""

    role: str
    content: str


def prompt(name: str, question: Question, instructions: str, context: int) -> Sequence[Prompt]:
    """The messages. `instructions` are the operator's; `context`: most characters of earlier messages."""
    said = "\n".join(filter(None, [_MANNERS.format(name=name), instructions.strip()]))
    asked = Turn(question.user or question.asker.name, plain(question.text)[:_QUESTION])
    return [{"role": "system", "content": said}, *map(_message, _latest(question.turns, context)), _message(asked)]


def instructions_for(link: str, general: str, by_link: Mapping[str, str]) -> str:
    """The operator's instructions in a link."""
    return by_link.get(link, general)


def _latest(turns: Sequence[Turn], context: int) -> Sequence[Turn]:
    """The last turns that have at most `context` characters."""
    kept: list[Turn] = []
    for turn in reversed(turns):
        context -= len(turn.text) + _NAME
        if context < 0:
            break
        kept.append(turn)
    return kept[::-1]


def _message(turn: Turn) -> Prompt:
    if turn.ours:
        return {"role": "assistant", "content": turn.text}
    text = "\n  ".join(turn.text.splitlines())  # a line of its own would look like another person's message
    name = printable(turn.name).translate(_COLONS)[:_NAME]
    return {"role": "user", "content": f"{name}: {text}"}
