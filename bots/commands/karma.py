"""`karma`, and the marks that make it."""

from bots.api import Question
from bots.commands.command import Call, command
from bots.commands.scores import mark_of
from bots.commands.sightings import key_of, names_of
from bots.commands.state import State
from bots.commands.votes import may_take_part
from bridge.model.text import as_name, one_line, plain


@command("karma [NAME]", needs="karma")
async def karma(call: Call) -> str | None:
    """Tell somebody's karma: people here say `bob++` and `bob--`.

    It counts for those who have spoken here, once a minute from each, and not for oneself.

    >>> bob: hello
    >>> alice: bob++
    >>> karma bob
    bob has karma 1.
    >>> karma
    bob 1
    """
    if call.question.private:
        return "Each room has its own: ask me there."
    name = one_line(call.args.strip("?!. "), 64)
    if " " in name:
        return None
    if name:
        return f"{as_name(name.lstrip('@'))} has karma {await call.state.scores.score(call.question, name)}."
    best = await call.state.scores.best(call.question, 5)
    return " · ".join(f"{as_name(each)} {score}" for each, score in best) or "Nobody has karma here."


async def listen(question: Question, state: State) -> None:
    """Count the mark, if this is one, of somebody whom everybody here hears, for somebody else who has spoken here."""
    if not state.scores.is_on or not may_take_part(question) or (mark := mark_of(plain(question.text)[:60])) is None:
        return
    name, change = mark
    if key_of(name) in names_of(question) or await state.sightings.find(question, name) is None:
        return
    await state.scores.change(question, name, change)


COMMANDS = (karma,)
