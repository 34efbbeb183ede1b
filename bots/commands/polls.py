"""`poll`, `vote` and `end poll`."""

from bots.api import Question
from bots.commands.command import Call, command
from bots.commands.votes import Crowded, Poll, may_take_part
from bridge.model.people import Role
from bridge.model.text import one_line

_OPTIONS = 9
_LONGEST = 60  # characters of an option
_NONE = "There is no poll here. Begin one: poll Lunch? pizza | pasta"
_IN_ROOMS = "Polls are in rooms: say that where the others are."
_FOR_MEMBERS = "Polls are for members here: what guests say is not carried to the others."


@command("poll QUESTION? A | B ...")
async def poll(call: Call) -> str | None:
    """Begin a poll in this room and its link, or show how it stands.

    >>> poll Lunch? pizza | pasta
    Lunch? 1: pizza · 2: pasta. Say `vote 1` to 2.
    >>> poll
    Lunch? 1: pizza (0) · 2: pasta (0)
    """
    votes, question = call.state.votes, call.question
    if not call.args.strip("?!. "):
        found = await votes.open_poll(question)
        return _none(question) if found is None or question.private else _standing(found)
    if "|" not in call.args:
        return None
    if not may_take_part(question):
        return _none(question)
    about, options = _parts(call.args)
    if not 2 <= len(options) <= _OPTIONS:
        return f"A poll has 2 to {_OPTIONS} different options, with | between them."
    if await votes.open_poll(question) is not None:
        return "There is a poll already: say `end poll` first."
    try:
        begun = await votes.begin(question, about, options)
    except Crowded:
        return "I cannot: too many polls are open."
    listed = " · ".join(f"{number}: {each}" for number, each in enumerate(begun.options, 1))
    return f"{about} {listed}. Say `{call.state.prefix}vote 1` to {len(options)}.".strip()


def _parts(text: str) -> tuple[str, tuple[str, ...]]:
    """The question, and the options, each once."""
    for mark in ("?", ":"):
        about, found, rest = text.partition(mark)
        if found and "|" in rest and "|" not in about:
            break
    else:
        about, mark, rest = "Poll", ":", text
    options = (one_line(each.strip(), _LONGEST) for each in rest.split("|")[: _OPTIONS * 2])
    return f"{one_line(about.strip(), 200)}{mark}", tuple(dict.fromkeys(filter(None, options)))


@command("vote NUMBER")
async def vote(call: Call) -> str | None:
    """Vote in the poll; your last vote counts.

    >>> poll Lunch? pizza | pasta
    Lunch? 1: pizza · 2: pasta. Say `vote 1` to 2.
    >>> vote 2
    Lunch? 1: pizza (0) · 2: pasta (1)
    >>> vote pizza
    Lunch? 1: pizza (1) · 2: pasta (0)
    """
    found = await call.state.votes.open_poll(call.question)
    said = call.args.strip("#.! ").casefold()
    if found is None:
        return _none(call.question) if said.isdecimal() else None
    names = [each.casefold() for each in found.options]
    if said in names:
        number = names.index(said)
    elif said.isascii() and said.isdecimal() and len(said) < 3:
        number = int(said) - 1
    else:
        return None
    if not may_take_part(call.question):
        return _none(call.question)
    if not 0 <= number < len(names):
        return f"There are options 1 to {len(names)}."
    try:
        return _standing(await call.state.votes.vote(call.question, found, number))
    except Crowded:
        return "I cannot: so many have voted that I cannot count more."


@command("end poll", "close poll")
async def end_poll(call: Call) -> str | None:
    """End the poll; for who began it, and admins.

    >>> poll Lunch? pizza | pasta
    Lunch? 1: pizza · 2: pasta. Say `vote 1` to 2.
    >>> end poll
    The poll is over. Lunch? 1: pizza (0) · 2: pasta (0)
    """
    if call.args.strip("?!. "):
        return None
    found = await call.state.votes.open_poll(call.question)
    if found is None or call.question.private:
        return _none(call.question)
    if call.question.role is not Role.ADMIN and not call.state.votes.is_by(call.question, found):
        return "Only who began it, or an admin, may end the poll."
    await call.state.votes.end(call.question)
    return f"The poll is over. {_standing(found)}"


def _none(question: Question) -> str:
    """Why there is no poll for who asks, and what they can do."""
    if may_take_part(question):
        return _NONE
    return _IN_ROOMS if question.private else _FOR_MEMBERS


def _standing(found: Poll) -> str:
    pairs = zip(found.options, found.counts(), strict=True)
    return f"{found.question} " + " · ".join(
        f"{number}: {each} ({count})" for number, (each, count) in enumerate(pairs, 1)
    )


COMMANDS = (poll, vote, end_poll)
