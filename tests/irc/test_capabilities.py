"""Negotiating capabilities with servers of all kinds (IRCv3, version 302)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.irc.wire.capabilities import WANTED, Capabilities
from bridge.irc.wire.line import parse
from tests.irc.test_session import Talk


def caps(*lines: str, sasl: bool = False) -> tuple[Capabilities, list[str]]:
    """What is negotiated, and what we answer."""
    found = Capabilities(sasl=sasl)
    return found, say(found, *lines)


def say(found: Capabilities, *lines: str) -> list[str]:
    answers = []
    for text in lines:
        line = parse(text)
        assert line is not None
        answers += [f"{subcommand} {names}" for subcommand, names in found.heard(line)]
    return answers


def test_a_list_in_many_lines_with_values_is_read_whole() -> None:
    found, asked = caps(
        ":i CAP * LS * :sasl=PLAIN,EXTERNAL batch", ":i CAP * LS * :a=b=c", ":i CAP * LS setname", sasl=True
    )
    assert asked == ["REQ batch sasl setname"]
    assert [found.offer(name) for name in ("sasl", "a", "setname", "x")] == ["PLAIN,EXTERNAL", "b=c", "", None]
    assert not found.settled


@pytest.mark.parametrize("line", [":i CAP * LS", ":i CAP * LS :", ":i CAP * LS *"])
def test_an_empty_list_is_settled(line: str) -> None:
    found, asked = caps(line)
    assert asked == []
    assert found.settled


def test_a_list_with_the_modifiers_of_version_301_is_read() -> None:
    assert caps(":i CAP * LS :=batch ~setname")[1] == ["REQ batch setname"]


@pytest.mark.parametrize("nak", ["batch", "setname", "batch setname", "setname batch", "-batch", "", "other"])
def test_after_a_refusal_of_any_wording_the_rest_is_on(nak: str) -> None:
    found, _ = caps(":i CAP * LS :batch setname")
    assert say(found, f":i CAP * NAK :{nak}") == ["REQ batch", "REQ setname"]
    say(found, f":i CAP * NAK :{nak}" if nak != "setname" else ":i CAP * NAK :batch", ":i CAP * ACK :setname")
    assert found.settled
    assert found.enabled == {"setname"}


def test_what_is_acknowledged_with_a_modifier_is_on_off_or_confirmed() -> None:
    found, _ = caps(":i CAP * LS :batch setname chghost")
    assert say(found, ":i CAP * ACK :=batch ~setname -chghost") == ["ACK setname"]
    assert found.settled
    assert found.enabled == {"batch", "setname"}
    say(found, ":i CAP * ACK :-batch")
    assert found.enabled == {"setname"}


def test_what_was_not_asked_for_is_not_on_though_it_is_acknowledged() -> None:
    assert caps(":i CAP * LS :", ":i CAP * ACK :secret/thing sasl")[0].enabled == set()


def test_a_capability_that_changes_its_value_is_known_by_the_new_one() -> None:
    found, _ = caps(":i CAP * LS :sasl=PLAIN", ":i CAP * ACK :sasl", sasl=True)
    assert say(found, ":i CAP d NEW :sasl=EXTERNAL") == []
    assert found.offer("sasl") == "EXTERNAL"


def test_a_capability_that_is_removed_while_we_ask_for_it_is_not_waited_for() -> None:
    found, _ = caps(":i CAP * LS :batch", ":i CAP * DEL :batch=x")
    assert found.settled
    assert found.offer("batch") is None


def test_a_list_of_what_is_on_is_believed() -> None:
    found, _ = caps(":i CAP * LS :batch setname chghost", ":i CAP * ACK :batch setname")
    enabled = found.enabled
    say(found, ":i CAP * LIST * :chghost", ":i CAP * LIST :setname other")
    assert enabled == {"chghost", "setname"}


def test_a_request_that_is_not_answered_holds_up_nothing_for_ever() -> None:
    talk = Talk()
    talk.hears(":irc CAP * LS :batch setname", ":irc CAP * ACK :batch")
    assert talk.passes(10) == []
    assert talk.passes(2) == ["CAP LIST", "CAP END"]
    talk.hears(":irc CAP * LIST :batch setname")
    assert talk.session._state.enabled == {"batch", "setname"}


_WORD = st.sampled_from([*WANTED[:4], "sasl", "*", "-batch", "~batch", "=", "-", "x=y"])
_LINE = st.builds(
    lambda sub, words: f":i CAP * {sub} {' '.join(words)}",
    st.sampled_from(["LS", "NEW", "ACK", "NAK", "DEL", "LIST", "ACK"]),
    st.lists(_WORD, max_size=4),
)


@given(st.lists(_LINE, max_size=20))
def test_no_server_makes_us_ask_for_ever_or_for_what_we_do_not_want(lines: list[str]) -> None:
    found, asked = caps(*lines)
    wanted = {*WANTED}
    assert found.enabled <= wanted
    assert all({*each.split()[1:]} <= wanted for each in asked)
    answers = [each for _ in range(50) for each in say(found, ":i CAP * NAK :batch")]
    assert len(answers) <= sum(len(each.split()) for each in asked)
