"""Lines that may hold a password are known, however they are typed; and what only looks like one is let pass."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.rules.passwords import holds_secret

LEAKS = (
    "login alice quack",
    "  LOGIN alice quack quack",
    "login --remember alice quack",
    "/login alice quack",
    "!login alice quack",
    "duck: login alice quack",
    "@duck, login alice quack",
    "Little Yellow Duck: login alice quack",
    " /msg duck login alice quack",
    "msg littleduck login alice quack",
    "* login alice quack",
    "> login alice quack",
    "good morning\nlogin alice quack",
    "hi\rlogin alice quack",
    "hi\u2028login alice quack",
    "\u200elogin alice quack",
    "passwd quack",
    "passwd old new",
    "**login alice quack**",
    "login alice\nquack",
    "login\n\nalice quack",
    "passwd\nold new",
    "login alice:quack",
    "1. login alice quack",
    "/tell duck login alice quack",
    "lo\u200bgin alice quack",
    "login\u00a0alice\u00a0quack",
    "login\talice\tquack",
    " " * 400 + "login alice quack",
    "set-password alice quack",
    "duck login alice quack",
    "@duck login alice quack",
    "Little Yellow Duck login alice quack",
    "duck - login alice quack",
)
NAMES = ("duck", "Little Yellow Duck")


@pytest.mark.parametrize("text", LEAKS)
def test_a_password_in_public_is_caught_however_it_is_typed(text: str) -> None:
    assert holds_secret(text, NAMES, private=False)
    assert holds_secret(text, NAMES, private=True)


@pytest.mark.parametrize(
    "text",
    [
        "hi",
        "",
        "login",
        "login please",
        "I cannot login to it",
        "logins are down again",
        "the passwd file",
        "loginx a b",
        "Login page is broken",
        "So, login works for me again",
        "bash: passwd: command not found",
        "passwd is a tool",
        "hi alice, login to the server please",
        "login\nis broken",
        "login not working",
        "login doesn't work again",
        "login: how do I get an account?",
        "Login now takes ages",
    ],
)
def test_talk_about_logging_in_is_let_pass(text: str) -> None:
    assert not holds_secret(text, NAMES, private=False)


def test_a_user_may_be_called_like_a_word_of_a_sentence() -> None:
    for text in ("login will quack", "login Not working", "duck: login you secret"):
        assert not holds_secret(text, NAMES, private=False)
        assert holds_secret(text, NAMES, private=False, is_user=lambda name: name.lower() in ("will", "not", "you"))


@pytest.mark.parametrize("text", ["login", "login alice", "PASSWD", "passwd x", "duck: login alice"])
def test_in_private_also_half_a_login_is_for_the_desk_alone(text: str) -> None:
    assert holds_secret(text, private=True)


@given(st.text(max_size=200))
def test_whatever_is_said_before_it_in_other_lines_it_is_caught(before: str) -> None:
    assert holds_secret(f"{before}\nlogin alice quack", private=False)


def test_no_line_makes_it_take_long() -> None:
    before = time.process_time()
    for text in ("*" * 60_000 + "login", ": " * 30_000 + "login", "msg " * 15_000 + "login", "a:\n" * 20_000 + "login"):
        holds_secret(text, private=False)
    assert time.process_time() - before < 2  # linear takes some milliseconds
