"""Who comes, goes and gets another name on IRC, as their ghosts show it."""

from dataclasses import replace
from typing import Any

from bridge.matrix.dialect.operations import Move, Moves, Say, decode, encode, moves_of
from bridge.matrix.dialect.place import Place
from bridge.matrix.dialect.render import render
from bridge.model.event import Change, Event, Membership, Room
from bridge.model.outbox import Delivery, Owed
from bridge.model.people import Sender
from bridge.model.presentation import Ghosts, Presentation
from bridge.network import Needless
from tests.events import irc, said

_ROOM, _FAR = Room("home", "#pond:hs"), Room("libera", "#pond")
_GHOSTS = Place(Presentation(ghosts=Ghosts.SPEAKERS))


def _person(nick: str, account: str | None = None) -> Sender:
    return replace(irc(nick, account), mask=f"{nick}!{nick}@one.example")


_BOB, _EVE = _person("bob", "bob"), _person("eve")


def _owed(person: Sender, change: Change, detail: str = "", **more: Any) -> Owed:
    body = Membership(person, change, detail, **more)
    event: Event = replace(said(_FAR, person, "x", f"${person.name} {change} {detail}"), body=body)
    return Owed(Delivery.of(event.key, _ROOM).id, _ROOM, event)


def _moves(*items: Owed) -> tuple[Move, ...]:
    (post,) = render(items, _GHOSTS)
    found = moves_of(post.payload)
    assert found is not None
    return found.moves


def test_who_leaves_is_named_with_the_reason_and_with_the_words_for_who_has_no_ghost() -> None:
    (move,) = _moves(_owed(_BOB, Change.LEFT, "Quit: bye"))
    assert (move.change, move.reason, move.line) == ("left", "Quit: bye", "bob has left (Quit: bye)")
    assert move.face is not None
    assert move.face.name == "bob"


def test_a_new_nick_is_a_new_name_by_account_with_the_gates_note_and_else_somebody_else() -> None:
    first, second = _moves(_owed(_BOB, Change.RENAMED, "alice", note="bob"), _owed(_EVE, Change.RENAMED, "mallory"))
    assert (first.change, first.shown, first.nick) == ("renamed", "alice (bob)", "alice")
    moves = Moves((first, second), {"body": "x"})
    assert decode(encode(moves)) == moves
    assert (second.change, second.face and second.face.name) == ("replaced", "eve")


def test_who_comes_back_at_once_has_not_moved_and_who_goes_by_a_new_nick_has_left() -> None:
    gone = _owed(_EVE, Change.LEFT, "bye")
    moved = _moves(
        _owed(_BOB, Change.LEFT, "ping timeout"),
        _owed(_BOB, Change.JOINED),
        _owed(_EVE, Change.RENAMED, "mallory"),
        replace(gone, event=replace(gone.event, body=Membership(_person("mallory"), Change.LEFT, "bye"))),
    )
    assert [(move.change, move.face and move.face.name) for move in moved] == [("left", "eve")]


def test_a_quiet_one_is_in_no_words_and_without_ghosts_nothing_at_all() -> None:
    items = _owed(_BOB, Change.LEFT, "bye", quiet=True), _owed(_EVE, Change.LEFT, "too")
    (post,) = render(items, _GHOSTS)
    operation = decode(post.payload)
    assert isinstance(operation, Moves)
    assert operation.content["body"] == "eve has left (too)"
    assert [move.line for move in operation.moves] == ["", "eve has left (too)"]
    (plain,) = render(items, Place())
    assert decode(plain.payload) == Say(operation.content)
    try:
        render(items[:1], Place())
    except Needless:
        return
    raise AssertionError("something was shown")


def test_many_who_are_told_in_one_line_are_so_with_ghosts_too() -> None:
    items = [_owed(_person(f"p{number}", f"p{number}"), Change.LEFT, "split") for number in range(200)]
    (with_,), (without,) = render(items, _GHOSTS), render(items, Place())
    operation = decode(with_.payload)
    assert isinstance(operation, Moves)
    assert Say(operation.content) == decode(without.payload)
    assert len(operation.moves) == 200
    assert len(with_.deliveries) == 200
