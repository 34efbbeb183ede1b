"""Why a server closes on us, by the words of many server programs, and how long we stay away then."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.irc.backoff import Ending, ReconnectPause
from bridge.irc.effects import Broken, Effect, Rejected
from bridge.irc.session.farewells import PAUSES_S, Farewell, meaning
from tests.irc.test_session import Talk

SAID = {
    Farewell.BANNED: (
        "Closing Link: 192.0.2.7 (K-Lined)",
        "Closing Link: 192.0.2.7 (G-lined)",
        "Closing link: (duck@192.0.2.7) [Z-lined: begone]",
        "Closing link: (duck@192.0.2.7) [D-lined]",
        "Closing Link: duck[192.0.2.7] (User has been banned from testnet (spam))",
        "You are banned from this server (no bots)",
        "Closing Link: [192.0.2.7] (You are not welcome on this server: spam. Email x@irc.test for more.)",
        "Closing link: (duck@192.0.2.7) [Your IP has been blacklisted]",
        "Closing Link: duck (AKILL ID:7 for *@192.0.2.7)",
    ),
    Farewell.THROTTLED: (
        "Closing Link: [192.0.2.7] (Throttled: Reconnecting too fast) - Email admin@irc.test for more information.",
        "Trying to reconnect too fast.",
        "Reconnecting too fast, throttled.",
        "Your host is trying to (re)connect too fast -- throttled",
        "Closing link [Please try again later - reconnecting too fast]",
        "You have attempted to connect too many times within a short duration. Wait a while, and try again.",
        "Closing Link: 192.0.2.7 (Connection throttled)",
    ),
    Farewell.CROWDED: (
        "Closing Link: 192.0.2.7 (Too many host connections (local))",
        "Closing Link: 192.0.2.7 (Too many user connections (global))",
        "Too many clients from your network",
        "Closing Link: [192.0.2.7] (Too many unknown connections from your IP)",
        "Closing Link: [192.0.2.7] (Too many connections from your IP)",
        "Closing link: (duck@192.0.2.7) [No more connections allowed from your host via this connect class (local)]",
        "Closing Link: 192.0.2.7 (Sorry, server is full - try later)",
        "Closing link: (duck@192.0.2.7) [This server has reached its maximum number of connections]",
        "Connection limit reached!",
    ),
    Farewell.UNWANTED: (
        "Closing Link: duck by irc.test (No Authorization - use another server)",
        "Closing Link: [192.0.2.7] (You are not authorized to connect to this server)",
        "Closing Link: 192.0.2.7 (Unauthorised connection)",
        "Not authorized",
    ),
    Farewell.WRONG_PASSWORD: (
        "Closing Link: 192.0.2.7 (Bad Password)",
        "Closing link: (duck@192.0.2.7) [Invalid password]",
        "Closing Link: 192.0.2.7 (Password mismatch)",
        "Closing Link: 192.0.2.7 (Invalid server password)",
        "Access denied: Bad password?",
    ),
    Farewell.NEEDS_LOGIN: (
        "Closing Link: 192.0.2.7 (SASL access only)",
        "You need to identify via SASL to use this server",
        "You must log in with SASL to connect from this address",
    ),
    Farewell.PASSING: (
        "Closing Link: duck[192.0.2.7] (Max SendQ exceeded)",
        "Closing link: (duck@192.0.2.7) [RecvQ exceeded]",
        "Closing Link: 192.0.2.7 (Excess Flood)",
        "Closing Link: 192.0.2.7 (Connection timed out)",
        "Closing Link: 192.0.2.7 (Ping timeout: 240 seconds)",
        "Closing link: (duck@192.0.2.7) [Registration timeout]",
        "Closing Link: 192.0.2.7 (Read error: Connection reset by peer)",
        "Server is shutting down",
        "Closing link: (duck@192.0.2.7) [Server shutdown]",
        "Server going down (restart)",
    ),
    Farewell.OTHER: (
        "",
        "bye",
        "Closing Link: duck (Quit: airline online)",
        "Closing Link: irc.test (Killed (oper (stop it)))",
        "Closing Link: 192.0.2.7 (Client Quit)",
    ),
}


@pytest.mark.parametrize(("said", "farewell"), [(said, farewell) for farewell, group in SAID.items() for said in group])
def test_what_a_server_means_is_told_by_its_words(said: str, farewell: Farewell) -> None:
    assert meaning(said) is farewell
    assert meaning(said.upper()) is farewell


@given(st.text(max_size=600))
def test_whatever_a_server_says_has_some_meaning(said: str) -> None:
    assert meaning(said) in Farewell


def end(*lines: str, **changes: object) -> Effect:
    """The last effect when a server says that before it lets us in."""
    talk = Talk(**changes)  # type: ignore[arg-type]
    talk.hears(*lines)
    return next(each for each in talk.effects if isinstance(each, Broken | Rejected))


@pytest.mark.parametrize(
    ("farewell", "everywhere"),
    [(Farewell.BANNED, True), (Farewell.THROTTLED, False), (Farewell.CROWDED, False), (Farewell.UNWANTED, False)],
)
def test_a_server_that_does_not_want_us_is_left_alone_for_a_time_that_grows(
    farewell: Farewell, everywhere: bool
) -> None:
    """Only a ban is of the whole network: in each other case the network's next server may take us."""
    for said in SAID[farewell]:
        broken = end(f"ERROR :{said}")
        assert isinstance(broken, Broken)
        assert (broken.pause, broken.turned_away, broken.everywhere) == (PAUSES_S[farewell], True, everywhere)
        assert said in broken.reason
    backoff, asked = ReconnectPause(random.Random(1)), PAUSES_S[farewell]
    pauses = [backoff.after(Ending("no", asked, turned_away=True)) for _ in range(9)]
    assert asked / 2 <= pauses[0] <= asked
    assert asked * 6 <= pauses[-1] <= min(asked * 12, 3600)


@pytest.mark.parametrize("said", SAID[Farewell.PASSING])
def test_a_passing_fault_is_no_rejection_and_needs_no_pause(said: str) -> None:
    assert end(f"ERROR :{said}") == Broken(f"the server closed the connection: {said}", by_server=True)


@pytest.mark.parametrize("said", SAID[Farewell.WRONG_PASSWORD])
def test_a_password_that_is_wrong_or_missing_is_told_with_its_key(said: str) -> None:
    refused = end(f"ERROR :{said}", server_password="hunter2")
    assert refused == Rejected(
        f"the server does not accept the server password ({said})", ("networks", "net", "password")
    )
    missing = end(f"ERROR :{said}")
    assert isinstance(missing, Rejected)
    assert missing.reason == f"the server wants a password: set `password` ({said})"
    online = Talk()
    online.hears(":irc 001 duck :Welcome", f"ERROR :{said}")
    assert online.of(Rejected) == []


def test_a_server_that_lets_only_accounts_in_tells_to_register_one_though_it_calls_that_a_ban() -> None:
    lines = (":irc 465 * :You need to identify via SASL to use this server", "ERROR :Closing Link: (SASL access only)")
    refused = end(*lines)
    assert isinstance(refused, Rejected)
    assert "register one there, and set `sasl`" in refused.reason
    assert refused.key == ("networks", "net", "sasl")
    assert isinstance(end(*lines, sasl_account="duck", sasl_password="x"), Broken)


def test_a_ban_that_is_told_by_its_numeric_only_is_one() -> None:
    broken = end(":irc 465 * :Go away", "ERROR :Closing Link: (bye)")
    assert isinstance(broken, Broken)
    assert (broken.pause, broken.everywhere) == (300.0, True)
