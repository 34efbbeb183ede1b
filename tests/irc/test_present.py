"""Who was in a channel before we joined it, which is told where all have ghosts."""

from bridge.model.event import Change, Membership, Room
from bridge.model.people import Sender
from tests.irc.test_session import ALL, POND, Talk

_WHOX = "CASEMAPPING=ascii PREFIX=(ov)@+ CHANTYPES=# WHOX"
_NAMES = ":irc 353 duck = #pond :@al +bob eve duck"
_WHO = (
    ":irc 354 duck 271 #pond u h al H@ Alice",
    ":irc 354 duck 271 #pond b host bob H 0",
    ":irc 354 duck 271 #pond e far eve H 0",
    ":irc 354 duck 271 #pond quack host.example duck H 0",
    ":irc 315 duck #pond :end",
)


def _talk(*, whox: bool = True) -> Talk:
    talk = Talk().welcomed(ALL, _WHOX if whox else _WHOX.removesuffix(" WHOX"))
    talk.greets = lambda room: (lambda who: who.address != "eve") if room == POND else None
    return talk


def _present(talk: Talk) -> list[Sender]:
    bodies = [event.body for event in talk.events if isinstance(event.body, Membership)]
    return [body.person for body in bodies if body.change is Change.PRESENT]


def test_those_who_are_to_be_told_of_are_told_of_once_with_account_and_host() -> None:
    talk = _talk()
    talk.hears(_NAMES, ":irc 366 duck #pond :end")
    assert _present(talk) == []  # the server is asked for more
    talk.hears(*_WHO)
    al, bob = _present(talk)
    assert ([each.value for each in al.proofs], al.mask) == (["Alice"], "al!u@h")
    assert (bob.proofs, bob.mask) == ((), "bob!b@host")
    talk.hears(":irc 366 duck #pond :end")
    assert len(_present(talk)) == 2


def test_without_whox_the_names_are_all_there_is() -> None:
    talk = _talk(whox=False)
    talk.hears(":irc 353 duck = #pond :@al!u@h +bob!b@host duck!quack@host.example", ":irc 366 duck #pond :end")
    assert [each.mask for each in _present(talk)] == ["al!u@h", "bob!b@host"]


def test_of_a_huge_channel_two_thousand_are_told_of_and_of_other_channels_nobody() -> None:
    talk = _talk(whox=False)
    for number in range(300):
        nicks = " ".join(f"n{number}x{each}!u@h" for each in range(10))
        talk.hears(f":irc 353 duck = #pond :{nicks}", f":irc 353 duck = #lake :{nicks}")
    talk.hears(":irc 366 duck #lake :end")
    assert _present(talk) == []
    talk.hears(":irc 366 duck #pond :end")
    assert 1_990 <= len(_present(talk)) <= 2_000


def test_nobody_is_told_of_where_it_is_not_wanted() -> None:
    talk = Talk(rooms=(Room("net", "#pond"),)).welcomed(ALL, _WHOX)
    talk.hears(_NAMES, *_WHO)
    assert _present(talk) == []
