"""Lines that may hold a password are recognised however they are typed; lines that only look like one are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.rules.passwords import holds_secret
from tests.strategies import with_runs
from tests.work import growth

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
    "irc-login alice quack",
    "irc-login libera alice quack",
    "!irc-login alice quack",
    "duck: irc-login alice quack",
    "IRC login alice quack",
    "irclogin alice quack",
    "set-irc-login alice libera alice quack",
    "duck login alice quack",
    "@duck login alice quack",
    "Little Yellow Duck login alice quack",
    "duck - login alice quack",
)
NAMES = ("duck", "Little Yellow Duck")


@pytest.mark.parametrize("text", LEAKS)
def test_a_login_with_a_password_is_recognised_however_it_is_typed(text: str) -> None:
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
def test_talk_about_logging_in_is_not_taken_for_a_password(text: str) -> None:
    assert not holds_secret(text, NAMES, private=False)


def test_a_sentence_about_login_is_taken_for_a_password_if_its_next_word_is_a_user_name() -> None:
    for text in ("login will quack", "login Not working", "duck: login you secret"):
        assert not holds_secret(text, NAMES, private=False)
        assert holds_secret(text, NAMES, private=False, is_user=lambda name: name.lower() in ("will", "not", "you"))


@pytest.mark.parametrize("text", ["login", "login alice", "PASSWD", "passwd x", "duck: login alice"])
def test_in_private_an_incomplete_login_is_taken_for_a_password_too(text: str) -> None:
    assert holds_secret(text, private=True)


@given(with_runs(st.text(max_size=200)))
def test_a_login_with_a_password_is_recognised_after_any_other_line(before: str) -> None:
    assert holds_secret(f"{before}\nlogin alice quack", private=False)


def test_no_long_line_makes_the_recognition_of_a_password_slow() -> None:
    for text in ("*" * 60_000 + "login", ": " * 30_000 + "login", "msg " * 15_000 + "login", "a:\n" * 20_000 + "login"):
        assert not holds_secret(text, private=False)  # a square of this would end by the test's time limit
    assert growth(lambda size: holds_secret("a:\n" * size + "login", private=False), 2000) < 3
