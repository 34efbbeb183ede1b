"""Finds out who the operator is on both sides: by a code of each side's own, that only they can read."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bridge.irc.probing import registered
from bridge.irc.settings import IrcSettings
from bridge.lib.unhindered import run
from bridge.matrix.probing import MatrixProbe, logged_in
from bridge.matrix.settings import MatrixSettings
from bridge.model import identifiers
from bridge.model.people import Identity, Proof
from bridge.setup.answers import IrcAnswers, MatrixAnswers
from bridge.setup.console import Console
from bridge.setup.options import Options

Found = TypeVar("Found")

_WITHIN_S = 300.0
_NO_ACCOUNT = (
    "  {nick} is not logged in to an account there: a nick proves nothing, since anybody can take it. On IRC you are a"
    " guest until you have an account (NickServ: REGISTER) and say so:"
    " `quackbridge link-identity {user} --irc {network}/ACCOUNT`"
)


def identities(
    console: Console,
    options: Options,
    on_matrix: tuple[MatrixSettings, MatrixAnswers],
    on_irc: tuple[IrcSettings, IrcAnswers],
) -> tuple[Identity, ...]:
    """What the networks prove of the operator."""
    console.title("You: the first admin.")
    console.say("  One moment: I log in again, to hear you.")
    network = on_irc[0].name
    user = options.admin_matrix or _confirmed(console, lambda: run(_on_matrix(console, *on_matrix)))
    if user is None:
        console.say("  So nothing proves who you are: I take your word. Whoever has that id will be the admin.")
        user = console.settled(None, lambda: _typed_twice(console), identifiers.matrix_user)
    found = [Identity(Proof.MATRIX, "", console.settled(user, lambda: "", identifiers.matrix_user))]
    account = options.admin_irc
    if account is None and console.interactive:
        name = _name(user)
        account = _confirmed(console, lambda: run(_on_irc(console, *on_irc, user=name)))
    if account:
        checked = console.settled(account, lambda: "", identifiers.irc_account)
        found.append(Identity(Proof.IRC, network, checked))
    return tuple(found)


def _confirmed(console: Console, hear: Callable[[], str | None]) -> str | None:
    """Whom `hear` has heard, once the operator says that it was they: anybody in a public room may guess a code, and
    would be the admin."""
    while (found := hear()) is not None and not console.confirm(f"  Is {found} you?"):
        console.say("  Then somebody guessed the code. Here is another one.")
    return found


def _typed_twice(console: Console) -> str:
    """An id that only the operator vouches for: a slip would make a stranger the admin."""
    while True:
        typed = console.ask("Your own Matrix id (@alice:example.org)")
        if console.ask("The same once more") == typed:
            return typed
        console.say("  These two differ.")


def _name(user: str) -> str:
    return user[1:].partition(":")[0]


def new_code() -> str:
    return f"quack {secrets.randbelow(9000) + 1000}"


def is_code(text: str, code: str) -> bool:
    """Whether somebody has said the code; telephones begin with a capital letter."""
    return text.strip().lower() == code


async def _waited(look: Callable[[], Awaitable[Found | None]]) -> Found | None:
    """The first thing that `look` finds; None if it finds nothing for `_WITHIN_S` seconds."""
    try:
        async with asyncio.timeout(_WITHIN_S):
            while (found := await look()) is None:
                pass
            return found
    except TimeoutError:
        return None


async def _on_matrix(console: Console, settings: MatrixSettings, answers: MatrixAnswers) -> str | None:
    """The Matrix id of who says the code in the room; None if that cannot be heard."""
    async with logged_in(settings) as probe:
        room = await probe.join(answers.room)
        if any(each.id == room and each.encrypted for each in await probe.rooms()):
            console.say("  The room is encrypted, and I cannot read it yet.")
            return None
        return await _heard_on_matrix(console, probe, room)


async def _heard_on_matrix(console: Console, probe: MatrixProbe, room: str) -> str | None:
    code = new_code()
    await probe.said(room)
    console.say(f"  Say this in the Matrix room: {code}")
    sender = await _waited(lambda: _matrix_sender(probe, room, code))
    console.say(f"  That was {sender}." if sender else "  Nobody said it in time.")
    return sender


async def _matrix_sender(probe: MatrixProbe, room: str, code: str) -> str | None:
    said = await probe.said(room)
    return next((each.sender for each in said if is_code(each.text, code)), None)


async def _on_irc(console: Console, settings: IrcSettings, answers: IrcAnswers, *, user: str) -> str | None:
    """The services account of who says the code in the channel; None if they have none, or nobody says it."""
    code = new_code()
    async with registered(settings) as probe:
        await probe.join(answers.channel)
        console.say(f"  Say this in {answers.channel} on IRC: {code}")

        async def sender() -> tuple[str, str] | None:
            for each in await probe.said(1.0):
                if is_code(each.text, code):
                    proofs = [proof.value for proof in each.sender.proofs if proof.kind is Proof.IRC]
                    return each.sender.address, next(iter(proofs), "")
            return None

        found = await _waited(sender)
    if found is None:
        console.say("  Nobody said it in time: on IRC you are a guest.")
        return None
    nick, account = found
    if account:
        console.say(f"  That was {nick}, logged in as {account}.")
    else:
        console.say(_NO_ACCOUNT.format(nick=nick, user=user, network=settings.name))
    return account or None
