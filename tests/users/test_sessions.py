"""A login by password: whose it is, and when it ends."""

from dataclasses import replace

import pytest

from bridge.model.people import Sender
from bridge.users import User
from bridge.users.sessions import Sessions
from tests.events import irc, matrix
from tests.fakes.users import MemoryUsers


class World:
    def __init__(self) -> None:
        self.now = 1_000.0
        self.users = MemoryUsers()
        self.users.add(User("alice", password="a hash"))
        self.sessions = Sessions(self.users, lambda: self.now, lasts=60.0)

    def who(self, sender: Sender) -> str | None:
        user = self.sessions.user(sender)
        return user.name if user else None


@pytest.fixture
def world() -> World:
    return World()


AL = replace(irc("al"), connection="1 1")


def test_a_session_belongs_to_a_connection_and_not_to_a_nick(world: World) -> None:
    assert world.sessions.open(AL, world.users.get("alice"))
    assert world.who(replace(irc("ali"), connection="1 1")) == "alice"
    assert world.who(replace(irc("al"), connection="1 2")) is None
    assert world.who(irc("al")) is None
    assert world.who(replace(irc("al", network="oftc"), connection="1 1")) is None


def test_a_sender_without_a_known_connection_gets_no_session(world: World) -> None:
    assert not world.sessions.open(irc("al"), world.users.get("alice"))
    assert world.who(irc("al")) is None


def test_on_matrix_a_session_belongs_to_the_matrix_id(world: World) -> None:
    assert world.sessions.open(matrix("al"), world.users.get("alice"))
    assert world.who(matrix("al", display="another")) == "alice"
    assert world.who(matrix("bob", display="al")) is None


def test_a_session_ends_when_its_time_is_over(world: World) -> None:
    world.sessions.open(AL, world.users.get("alice"))
    world.now += 59.9
    assert world.who(AL) == "alice"
    world.now += 0.1
    assert world.who(AL) is None


def test_a_session_ends_by_logging_out(world: World) -> None:
    world.sessions.open(AL, world.users.get("alice"))
    assert world.sessions.close(AL)
    assert world.who(AL) is None
    assert not world.sessions.close(AL)


def test_a_session_ends_when_the_password_changes_or_the_user_is_removed(world: World) -> None:
    world.sessions.open(AL, world.users.get("alice"))
    world.users.set_password("alice", "another hash")
    assert world.who(AL) is None
    world.sessions.open(AL, world.users.get("alice"))
    world.users.remove("alice")
    assert world.who(AL) is None
