"""How a guest becomes a member: the word that asks for it, and the next step on each kind of network."""

import pytest

from bridge.model.people import Identity, Proof, Sender
from bridge.rules.joining import Door, asks_to_join, next_step
from tests.events import irc, matrix

ASK = "To become a member, say `request` to me."
PLAIN = irc("eve")


@pytest.mark.parametrize(
    "text", ["request", " Request! ", "duck: request", "@duck, `request`", "DUCK request.", "/request", "\uff52equest"]
)
def test_the_word_request_alone_asks_to_join(text: str) -> None:
    assert asks_to_join(text, ("duck",))


@pytest.mark.parametrize(
    "text", ["requests", "duck: request a song", "I request", "goose: request", "", "duck:", "request" + " " * 300]
)
def test_anything_else_does_not_ask_to_join(text: str) -> None:
    assert not asks_to_join(text, ("duck",))


def test_who_is_proven_only_has_to_ask() -> None:
    masked = Sender("plain", "eve", "eve", (Identity(Proof.IRC_MASK, "plain", "eve!~e@host.example"),))
    for sender in (matrix("eve"), irc("eve", "eve"), masked):
        for door in (Door(), Door(services=True), Door(masks=True, passwords=True)):
            assert next_step(sender, door) == ASK


def test_on_irc_with_services_a_guest_logs_in_to_them_first() -> None:
    for door in (Door(services=True), Door(services=True, masks=True, passwords=True)):
        said = next_step(PLAIN, door)
        assert "log in to services first (`/msg NickServ identify`), then say `request`" in said


def test_on_irc_without_services_a_guest_is_told_what_can_be_done_there() -> None:
    said = next_step(PLAIN, Door(passwords=True))
    assert "say `login NAME PASSWORD` to me in private, or to trust your host mask" in said
    assert "NickServ" not in said
    assert "request" not in said


def test_no_password_is_asked_for_where_none_is_taken() -> None:
    assert next_step(PLAIN, Door()).endswith("ask an admin to trust your host mask.")
    assert next_step(PLAIN, Door(masks=True)).endswith("ask an admin what to do.")


def test_a_mask_that_would_fit_others_too_proves_nothing() -> None:
    """Some servers let people put wildcards into their user name."""
    for mask in ("eve!*@host.example", "eve!~?@host.example"):
        sender = Sender("plain", "eve", "eve", (Identity(Proof.IRC_MASK, "plain", mask),))
        assert next_step(sender, Door(masks=True, passwords=True)) != ASK
