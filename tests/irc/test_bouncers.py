"""Bouncers: ZNC's playback in all its forms, soju's networks, and others who speak under our nick."""

import pytest

from bridge.irc.effects import Broken, CaughtUp, Failed, NetworkFound, Notable, Online, Proved, Rejected
from bridge.irc.hearing.cursor import Cursor, Position
from bridge.irc.session.proof import ID_TAG
from bridge.model.event import Origin
from bridge.model.text import plain
from bridge.network import TransientError
from tests.irc.test_history import T0, Return, at
from tests.irc.test_session import POND, Talk

ZNC = "batch cap-notify echo-message multi-prefix server-time userhost-in-names znc.in/batch znc.in/self-message"
"""What ZNC 1.8.2 offers, less what only its server may have."""
SOJU = (
    "batch cap-notify echo-message extended-join invite-notify message-tags server-time setname labeled-response "
    "sasl=PLAIN draft/chathistory draft/event-playback draft/read-marker draft/no-implicit-names soju.im/read "
    "soju.im/account-required soju.im/bouncer-networks soju.im/bouncer-networks-notify soju.im/no-implicit-names"
)
_LONG_AGO = Cursor({POND.id: Position(900.0, "", 900.0)})
_SUPPORTS = "CASEMAPPING=ascii CHANTYPES=# PREFIX=(ov)@+"


def asked_for(talk: Talk) -> set[str]:
    requests = [
        line.removeprefix("CAP REQ ").removeprefix(":") for line in talk.written() if line.startswith("CAP REQ")
    ]
    return {name for line in requests for name in line.split()}


# ZNC


def test_znc_with_the_playback_module_is_asked_for_each_channel_since_our_last_line() -> None:
    talk = Return(caps=f"{ZNC} znc.in/playback", supports=_SUPPORTS)
    assert talk.comes() == [f"PRIVMSG *playback :PLAY #Pond {T0 - 60:.3f}", "PING history"]
    line = "@batch=1;time={} :bob!u@h PRIVMSG #pond :{}"
    talk.hears(":znc.in BATCH +1 znc.in/playback #pond", line.format("2026-11-22T23:59:30.500Z", "before"))
    talk.hears(line.format(at(0), "m0"), line.format(at(9), "m1"), ":znc.in BATCH -1")
    talk.fence()
    talk.passes(30)
    assert talk.words == ["m0", "m1"], "m0 has no id, and is of the same second: it is known by its words"
    assert talk.of(CaughtUp) == [CaughtUp(POND, T0 + 60, None)]


def test_znc_with_the_playback_module_is_not_asked_about_a_channel_that_we_have_never_been_in() -> None:
    talk = Return(Cursor({}), caps=f"{ZNC} znc.in/playback", supports=_SUPPORTS)
    assert talk.comes() == ["PING history"]


def test_pages_are_asked_for_where_a_bouncer_has_both() -> None:
    talk = Return(caps=f"{ZNC} znc.in/playback draft/chathistory", supports=_SUPPORTS)
    assert talk.comes() == ["PING history"]
    assert talk.fence() == ["CHATHISTORY AFTER #Pond timestamp=2026-11-22T23:59:00.000Z 100"]


def test_an_old_bouncers_names_of_capabilities_are_asked_for_only_where_it_has_no_new_ones() -> None:
    talk = Talk()
    talk.hears(":irc.znc.in CAP * LS :znc.in/batch znc.in/server-time-iso multi-prefix")
    assert asked_for(talk) == {"znc.in/batch", "znc.in/server-time-iso", "multi-prefix"}
    talk.hears(":irc.znc.in CAP * ACK :multi-prefix znc.in/batch znc.in/server-time-iso")
    assert talk.written()[-1] == "CAP END"
    enabled = talk.session._state.enabled
    assert {"batch", "server-time"} <= enabled
    talk.hears(":irc.znc.in CAP * DEL :znc.in/batch")
    assert "batch" not in enabled
    talk = Talk()
    talk.hears(f":irc.znc.in CAP * LS :{ZNC} znc.in/server-time-iso")
    assert not {name for name in asked_for(talk) if name.startswith("znc.in/")}


def plainly(*texts: str) -> list[str]:
    znc = ":***!znc@znc.in PRIVMSG #pond :{}".format
    return [
        znc("Buffer Playback..."),
        *(f":bob!u@h PRIVMSG #pond :{text}" for text in texts),
        znc("Playback Complete."),
    ]


def test_a_playback_in_plain_lines_is_history_and_each_line_has_the_same_id_each_time() -> None:
    """Without server-time, ZNC marks the playback in words, and puts the time of the day before what was said."""
    ids = []
    for _ in range(2):
        talk = Return(_LONG_AGO, caps="multi-prefix", supports=_SUPPORTS)
        talk.comes()
        texts = ["[01:05:20] one"] * 2 + ["[01:05:21] duck: help", "\x01ACTION [01:05:22] waves\x01", "no time"]
        talk.hears(*plainly(*texts), ":bob!u@h PRIVMSG #pond :[01:06:00] is what my clock says")
        talk.passes(30)
        assert talk.words == ["one", "one", "duck: help", "waves", "no time", "[01:06:00] is what my clock says"]
        assert [each.origin for each in talk.heard] == [Origin.REPLAYED] * 5 + [Origin.LIVE]
        assert {each.sender.proofs for each in talk.heard[:5]} == {()}, "nobody knows who had the nick then"
        ids.append([each.id for each in talk.heard[:5]])
        assert len({*ids[-1]}) == 5
        assert not [each for each in talk.heard if each.sender.address == "***"]
    assert ids[0] == ids[1]


def test_a_playback_in_plain_lines_that_does_not_end_is_over_after_a_minute() -> None:
    talk = Return(_LONG_AGO, caps="multi-prefix", supports=_SUPPORTS)
    talk.comes()
    talk.hears(*plainly("[01:05:20] one")[:-1])
    talk.passes(61)
    talk.hears(":bob!u@h PRIVMSG #pond :now")
    talk.passes(30)
    assert [each.origin for each in talk.heard] == [Origin.REPLAYED, Origin.LIVE]


def test_a_playback_in_plain_lines_of_a_channel_that_we_were_never_in_is_not_told() -> None:
    talk = Return(Cursor({}), caps="multi-prefix", supports=_SUPPORTS)
    talk.comes(*plainly("[01:05:20] one"))
    assert talk.words == []


def test_only_the_bouncer_marks_a_playback() -> None:
    talk = Return(_LONG_AGO, caps="multi-prefix", supports=_SUPPORTS)
    talk.comes()
    talk.hears(":bob!znc@znc.in PRIVMSG #pond :Buffer Playback...", ":bob!u@h PRIVMSG #pond :[01:05:20] one")
    talk.passes(30)
    assert talk.words == ["Buffer Playback...", "[01:05:20] one"]
    assert {each.origin for each in talk.heard} == {Origin.LIVE}


# Other clients of the same bouncer


@pytest.mark.parametrize("caps", [ZNC, SOJU.replace("labeled-response ", "").replace("sasl=PLAIN ", "")])
def test_what_another_client_says_under_our_nick_is_neither_carried_nor_the_proof_of_a_post_of_ours(caps: str) -> None:
    """Who said it is not known, and an echo of our own that we did not recognise would be carried back."""
    talk = Talk().welcomed(caps, _SUPPORTS)
    talk.hears(":irc PONG irc history")
    talk.says("p1", text="<Ann> hi")
    talk.hears(":duck!~quack@host.example PRIVMSG #pond :it is me, on my telephone")
    assert talk.of(Proved) == []
    talk.hears(":duck!~quack@host.example PRIVMSG alice :privately", ":duck!~quack@host.example JOIN #theirs")
    assert talk.heard == []
    talk.hears(":duck!~quack@host.example PRIVMSG #pond :<Ann> hi")
    assert [each.post for each in talk.of(Proved)] == ["p1"]


def test_an_echo_whose_colours_a_channel_has_taken_is_still_ours_behind_a_bouncer() -> None:
    talk = Talk().welcomed(ZNC, _SUPPORTS)
    talk.hears(":irc PONG irc history")
    talk.says("p1", text="<\x0304Ann\x03> hi")
    talk.hears(":duck!~quack@host.example PRIVMSG #pond :<Ann> hi")
    assert [each.post for each in talk.of(Proved)] == ["p1"]


def test_what_another_client_said_is_in_the_history_and_not_carried_either() -> None:
    talk = Return(caps=SOJU.replace("sasl=PLAIN ", ""), supports=f"{_SUPPORTS} MSGREFTYPES=timestamp")
    talk.comes()
    talk.fence()
    talk.hears(
        ":soju BATCH +1 chathistory #pond",
        f"@batch=1;time={at(5)} :duck!~quack@host PRIVMSG #pond :it is me, on my telephone",
        f"@batch=1;time={at(6)} :duck!u@elsewhere PRIVMSG #pond :from another address",
        f"@batch=1;time={at(7)};{ID_TAG}=p1 :duck!~quack@host PRIVMSG #pond :<Ann> hi",
        ":soju BATCH -1",
    )
    talk.hears(":soju BATCH +2 chathistory #pond", ":soju BATCH -2")
    assert talk.heard == []
    assert talk.session.history.ours("p1") == "p1"


def test_marks_of_what_was_read_are_left_to_those_who_read_and_names_are_wanted() -> None:
    """Reading marks (READ, MARKREAD) are for all clients of a user; without NAMES, nobody has a rank."""
    talk = Return(caps=SOJU.replace("sasl=PLAIN ", ""))
    talk.comes(":soju MARKREAD #pond *", ":soju READ #pond timestamp=2026-11-23T00:00:00.000Z")
    talk.fence()
    talk.hears(":bob!u@h PRIVMSG #pond :hi")
    unwanted = {"draft/read-marker", "soju.im/read", "draft/no-implicit-names", "soju.im/no-implicit-names"}
    assert not unwanted & asked_for(talk)
    assert not [line for line in talk.written() if "READ" in line]


def test_a_post_that_soju_cannot_pass_on_waits() -> None:
    """It says so with 400, names no channel, and answers the PING all the same."""
    talk = Talk().welcomed(ZNC.replace("znc.in", "soju.im"), _SUPPORTS)
    talk.hears(":soju PONG soju history")
    talk.says("p1")
    talk.hears(":soju 400 duck PRIVMSG :Disconnected from upstream network", ":soju PONG soju p1")
    talk.passes(10)
    (failed,) = talk.of(Failed)
    assert isinstance(failed.error, TransientError)
    assert "Disconnected from upstream network" in str(failed.error)


def test_sojus_own_words_are_in_the_log_and_no_message() -> None:
    talk = Talk().welcomed(ZNC.replace("znc.in", "soju.im"), _SUPPORTS)
    talk.hears(":BouncerServ!BouncerServ@BouncerServ NOTICE duck :disconnected from libera: EOF")
    assert talk.heard == []
    assert Notable("bouncer", "disconnected from libera: EOF") in talk.of(Notable)
    talk = Talk().welcomed("account-tag", _SUPPORTS)
    talk.hears(":BouncerServ!BouncerServ@BouncerServ NOTICE duck :hi")
    assert [plain(each.text) for each in talk.heard] == ["hi"], "elsewhere it is a nick like any other"


def test_a_channel_that_the_bouncer_joins_again_is_caught_up_once_more_and_nothing_is_doubled() -> None:
    """So soju does when its server is back."""
    talk = Return(caps=SOJU.replace("sasl=PLAIN ", ""), supports=f"{_SUPPORTS} MSGREFTYPES=timestamp")
    line = "@time={};account=Bob :bob!u@h PRIVMSG #pond :{}"
    old = "@batch=1;time={};account=Bob :bob!u@h PRIVMSG #pond :{}"
    talk.comes()
    talk.fence()
    talk.hears(":soju BATCH +1 chathistory #pond", ":soju BATCH -1", line.format(at(70), "m1"))
    talk.cursor = Cursor({POND.id: Position(T0 + 70, "", T0 + 71)})
    talk.hears(f"@time={at(90)} :duck!~quack@host JOIN #pond")
    talk.fence()
    page = (":soju BATCH +1 chathistory #pond", old.format(at(70), "m1"), old.format(at(80), "m2"), ":soju BATCH -1")
    talk.hears(*page)
    talk.hears(*page)
    talk.passes(30)
    assert [word for word in talk.words if word != "m1"] == ["m2"]
    assert len({each.id for each in talk.heard}) == 2


# Which network (soju.im/bouncer-networks)


def soju(network: str | None, netid: str = "", caps: str = SOJU) -> Talk:
    talk = Talk(sasl_account="me", sasl_password="secret", bouncer_network=network)
    talk.session._state.login.networks.netid = talk.session._state.login.networks.netid or netid
    talk.hears(f":soju CAP * LS :{caps}")
    talk.hears(
        *(f":soju CAP * ACK :{line.split(' ', 2)[2].removeprefix(':')}" for line in talk.written() if "REQ" in line)
    )
    talk.hears("AUTHENTICATE +", ":soju 903 * :SASL authentication successful")
    return talk


def listing(*names: str) -> list[str]:
    lines = [f"@batch=n BOUNCER NETWORK {40 + number} {name}" for number, name in enumerate(names)]
    return [":soju BATCH +n soju.im/bouncer-networks", *lines, ":soju BATCH -n"]


def test_a_network_that_is_configured_by_its_number_is_bound_before_registration_ends() -> None:
    talk = soju("42")
    assert talk.written()[-2:] == ["BOUNCER BIND 42", "CAP END"]
    talk.hears(":soju 001 duck :Welcome")
    assert talk.of(Online) == [Online("duck")]


def test_a_network_that_is_configured_by_its_name_is_looked_up_by_one_connection_and_bound_by_the_next() -> None:
    talk = soju("libera")
    assert talk.written()[-1] == "CAP END"
    assert talk.hears(":soju 001 duck :Welcome", ":soju 376 duck :end") == ["BOUNCER LISTNETWORKS"]
    assert talk.passes(10) == []
    talk.hears(*listing("name=OFTC;state=connected", "state=connected;name=Libera", "name=My\\sAwesome\\sNetwork"))
    assert talk.of(NetworkFound) == [NetworkFound("41")]
    assert [each.turned_away for each in talk.of(Broken)] == [False]
    assert talk.of(Online) == []
    talk = soju("libera", "41")
    assert talk.written()[-2:] == ["BOUNCER BIND 41", "CAP END"]
    talk.hears(":soju 001 duck :Welcome")
    assert talk.of(Online) == [Online("duck")]


def test_a_name_of_several_words_is_found_and_of_two_that_differ_in_case_the_one_that_is_configured() -> None:
    talk = soju("My Awesome Network")
    talk.hears(":soju 001 duck :Welcome", *listing("name=a", "name=My\\sAwesome\\sNetwork"))
    assert talk.of(NetworkFound) == [NetworkFound("41")]
    talk = soju("OFTC")
    talk.hears(":soju 001 duck :Welcome", *listing("name=oftc", "name=OFTC", "name=Oftc"))
    assert talk.of(NetworkFound) == [NetworkFound("41")]


def test_a_name_that_the_bouncer_does_not_have_is_an_error_that_lists_those_it_has() -> None:
    talk = soju("librea")
    talk.hears(":soju 001 duck :Welcome", *listing("name=libera", "name=oftc"))
    (rejected,) = talk.of(Rejected)
    assert rejected.reason == "the bouncer has no network 'librea'; its networks: libera, oftc"
    assert rejected.key[-1] == "bouncer_network"


def test_a_number_that_the_bouncer_does_not_have_is_an_error_and_one_that_was_found_is_looked_up_again() -> None:
    talk = soju("42")
    talk.hears(":soju FAIL BOUNCER INVALID_NETID 42 :Unknown network ID")
    assert [each.key[-1] for each in talk.of(Rejected)] == ["bouncer_network"]
    talk = soju("libera", "41")
    talk.hears(":soju FAIL BOUNCER INVALID_NETID BIND 41 :Network not found")
    assert talk.of(NetworkFound) == [NetworkFound("")]
    assert len(talk.of(Broken)) == 1
    talk = soju("libera", "41")
    talk.hears(":soju FAIL BOUNCER ACCOUNT_REQUIRED BIND :Authentication required")
    assert [each.reason for each in talk.of(Broken)] == ["the bouncer gives us no network: Authentication required"]


def test_a_network_is_chosen_only_where_there_are_some_and_only_if_one_is_configured() -> None:
    talk = soju("libera", caps="batch sasl=PLAIN")
    assert [each.key[-1] for each in talk.of(Rejected)] == ["bouncer_network"]
    talk = soju(None)
    assert "soju.im/bouncer-networks" not in asked_for(talk)
    assert talk.hears(":soju 001 duck :Welcome", *listing("name=libera")) == []
    assert not [*talk.of(Rejected), *talk.of(NetworkFound), *talk.of(Broken)]


def test_a_list_of_networks_without_end_is_read_only_so_far() -> None:
    talk = soju("none")
    talk.hears(":soju 001 duck :Welcome", *listing(*(f"name={'x' * 400}{number}" for number in range(5000))))
    (rejected,) = talk.of(Rejected)
    assert len(rejected.reason) < 5000
