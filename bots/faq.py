"""What strangers ask a bot first, and short answers: what this is, who is carried, how to become a member. Pure.

A brain asks `answer` before it thinks for itself. Questions are compared as a whole, so that what only begins like one
is left to the brain. The time is linear in the length of the question, of which `_LOOKED_AT` characters count.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from types import MappingProxyType

from bots.api import Question
from bridge.model.text import Text, folded, plain, words

_LOOKED_AT = 200
"""Characters of a question at most: longer ones are not from the table."""


class Topic(Enum):
    """What a question is about."""

    HELP = "help"
    WHAT = "what"
    JOIN = "join"


_WHAT = "I am a bot. I carry what members say between Matrix and IRC"
_WAY = "To become a member, say `request` to me, here or in private: an admin decides."
_TABLE: Mapping[Topic, str] = MappingProxyType(
    {
        Topic.HELP: """
            help | help me | i need help | commands | usage | what can you do | what can i do | what do you do
            what can i say | how does this work | how do you work | how does it work
        """,
        Topic.WHAT: """
            who are you | what are you | who is this | what is this | whats this | what is that | what is your name
            whats your name | who is the duck | are you a bot | are you human | are you a robot | are you real
            what is this bot | what is this place | what is this channel | what is this room | what is going on here
            what is quackbridge | what is the bridge | what is a bridge | what is this bridge | is this a bridge
            why are you here | what are you doing here | who made you | who runs you
        """,
        Topic.JOIN: """
            join | register | sign up | membership | add me | let me in | invite me | approve me | make me a member
            can you add me | can you let me in | can you invite me | can you make me a member | can someone add me
            can somebody add me | could you add me | could you let me in | will you add me
            why am i not carried | why am i a guest | why am i not a member | why can nobody hear me
            why does nobody hear me | why does nobody answer | can anybody hear me | can they hear me
            can the others hear me | do they hear me | why are my messages not carried | why is my message not carried
            why do my messages stay here | who is a member | who are members | who can speak | what is a member
            am i a member | i am not a member
        """,
    }
)
"""Whole questions, in the form that `_normal` gives them, with | or the end of a line between them."""
_OPENINGS = """
    how do i | how can i | how could i | how does one | how do you | how do we | how to | can i | could i | may i
    i want to | i would like to | id like to | i wish to | where can i | where do i | what must i do to
    what do i have to do to
"""
_ACTS = """
    join | join in | join this | join here | join you | join the others | join the conversation | get in | get access
    get added | get membership | sign up | register | become a member | become member | be a member | be added
    be carried | be heard | get carried | get heard | talk | talk here | speak | speak here | talk to them
    talk to the others | ask for membership | request membership | take part | participate
"""
"""With each of the openings, these are questions how to join."""
_BEFORE = frozenset({"please", "pls", "hi", "hello", "hey", "so", "ok", "okay", "well", "and", "but", "sorry", "duck"})
_AFTER = frozenset({"please", "pls", "duck", "bot", "thanks", "now", "then", "exactly", "anyway"})
"""Words that change nothing about a question before or behind them."""
_SPOKEN = MappingProxyType({"what's": "what is", "who's": "who is", "i'm": "i am", "i'd": "i would", "u": "you"})


def _phrases(table: str) -> Iterator[str]:
    return (each.strip() for line in table.strip().splitlines() for each in line.split("|"))


def _questions() -> Iterator[tuple[str, Topic]]:
    for about, table in _TABLE.items():
        yield from ((each, about) for each in _phrases(table))
    for opening in _phrases(_OPENINGS):
        yield from ((f"{opening} {act}", Topic.JOIN) for act in _phrases(_ACTS))


QUESTIONS: Mapping[str, Topic] = MappingProxyType(dict(_questions()))
"""Each known question in its normal form, and what it is about."""


def topic(text: str) -> Topic | None:
    """What `text` asks about; None if it is no known question."""
    if len(text) > _LOOKED_AT:
        return None
    said = _normal(text)
    return next((QUESTIONS[each] for each in _without_manners(said) if each in QUESTIONS), None)


def answer(question: Question) -> Text | None:
    """A short answer for who asks, if `question` is a known one; else None."""
    found = topic(plain(question.text))
    return None if found is None else words(_worded(found, question))


def _worded(found: Topic, question: Question) -> str:
    if question.carried:
        about = f"{_WHAT}. What you say here is carried."
        return about if found is not Topic.HELP else f"{about} Say `help` to me in private for what else I can do."
    if question.user is not None and question.private:
        return f"{_WHAT}. I know you as {question.user}. Say `help` for what else I can do."
    if question.user is not None:
        return f"{_WHAT}. I know you as {question.user}, but you are no member of this conversation: ask an admin."
    if found is Topic.JOIN:
        return f"Only members are carried to the other side. {_WAY}"
    return f"{_WHAT}. Only members are carried; everybody may talk to me. {_WAY}"


def _normal(text: str) -> list[str]:
    """The words of `text` as the table has them: in lower case, of letters and digits alone."""
    said = folded(text).replace("\u2019", "'")
    spoken = (_SPOKEN.get(word.strip('.,;:!?()"*_`~-/'), word) for word in said.split())
    return "".join(char if char.isalnum() or char == " " else "" for char in " ".join(spoken)).split()


def _without_manners(said: list[str]) -> Iterator[str]:
    """`said`, and what is left of it without polite words before and after, down to the question itself."""
    yield " ".join(said)
    start, end = 0, len(said)
    while start < end and said[start] in _BEFORE:
        start += 1
        yield " ".join(said[start:end])
    while end > start and said[end - 1] in _AFTER:
        end -= 1
        yield " ".join(said[start:end])
