"""A server whose history lies, repeats itself or never ends: bounded, and nothing that is said now is lost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.irc.effects import CaughtUp
from bridge.irc.hearing import catchup, history
from bridge.irc.hearing.cursor import Cursor, Position
from bridge.irc.session.proof import ID_TAG
from bridge.model.event import Message, Origin, Room, Topic
from bridge.model.text import plain
from tests.irc.remembering import Remembering, Said
from tests.irc.test_history import T0, Return, at, old
from tests.irc.test_session import ALL, POND

_CAPS = f"{ALL} draft/chathistory draft/event-playback"
_LAKE = Room("net", "#lake")
_TWO = Cursor({room.id: Position(T0, "m0", T0 + 5) for room in (POND, _LAKE)})


def back(caps: str = _CAPS, *, fence: bool = True) -> Return:
    talk = Return(caps=caps)
    talk.comes()
    if fence:
        talk.fence()
    return talk


def known(number: int, second: int, **tags: str) -> str:
    more = "".join(f";{key}={value}" for key, value in {"account": "Bob", **tags}.items())
    return old(f"m{number}", second, tags=more)


def ends(talk: Return) -> None:
    """The next page is empty."""
    talk.hears(":irc BATCH +z chathistory #pond", ":irc BATCH -z")


def test_lines_of_another_channel_in_a_batch_are_not_told() -> None:
    """The server tells them in a batch of that channel, or as what is said now."""
    talk = Return(_TWO, caps=_CAPS)
    talk.session.set_rooms((POND, _LAKE))
    talk.hears(":duck!~quack@host JOIN #pond", ":duck!~quack@host JOIN #lake")
    talk.fence()
    talk.fence()
    elsewhere = ("#lake", "#ocean", "duck", "@#pond", "eve", "")
    foreign = "@time={};msgid=f{};batch=1;account=Eve :eve!u@h PRIVMSG {} :x"
    lines = [foreign.format(at(9), number, where) for number, where in enumerate(elsewhere)]
    talk.hears(":irc BATCH +1 chathistory #pond", known(1, 10), *lines, ":irc BATCH -1")
    ends(talk)
    talk.hears(":irc BATCH +2 chathistory #lake", ":irc BATCH -2")
    assert talk.words == ["m1"]
    talk.hears(f"@time={at(70)};account=Bob :bob!u@h PRIVMSG #lake :now")
    assert talk.words == ["m1", "now"]


def test_a_batch_of_a_channel_that_we_are_not_in_is_not_told() -> None:
    talk = back()
    talk.hears(":irc BATCH +1 chathistory #ocean", known(1, 10), ":irc BATCH -1")
    talk.hears(":irc BATCH +2 chathistory", known(2, 10).replace("batch=1", "batch=2"), ":irc BATCH -2")
    ends(talk)
    ends(talk)
    assert talk.words == ["m2"], "a batch that names no channel is that of its lines"


def test_a_batch_inside_a_history_is_part_of_it_and_its_end_is_not_the_end_of_the_page() -> None:
    talk = back()
    asked = talk.hears(
        ":irc BATCH +1 chathistory #pond",
        known(1, 10),
        "@batch=1 :irc BATCH +2 netsplit a.test b.test",
        f"@batch=2;time={at(11)};msgid=q1 :al!u@h QUIT :a.test b.test",
        known(5, 11).replace("batch=1", "batch=2"),
        "@batch=1 :irc BATCH +3 draft/multiline #pond",
        known(2, 12).replace("batch=1", "batch=3"),
        ":irc BATCH -3",
        "@batch=2 :irc BATCH +4 x",
        known(3, 13).replace("batch=1", "batch=4"),
        ":irc BATCH -4",
        ":irc BATCH -2",
    )
    assert asked == []
    assert talk.hears(known(4, 14), ":irc BATCH -1") == ["CHATHISTORY AFTER #Pond msgid=m4 100"]
    ends(talk)
    assert talk.words == ["m1", "m5", "m2", "m3", "m4"]


def test_pages_of_two_channels_that_are_mingled_are_told_apart() -> None:
    talk = Return(_TWO, caps=_CAPS)
    talk.session.set_rooms((POND, _LAKE))
    talk.hears(":duck!~quack@host JOIN #pond", ":duck!~quack@host JOIN #lake")
    talk.fence()
    talk.fence()
    in_lake = known(7, 20).replace("batch=1", "batch=2").replace("#pond", "#lake")
    asked = talk.hears(
        ":irc BATCH +1 chathistory #pond",
        ":irc BATCH +2 chathistory #lake",
        known(1, 10),
        in_lake,
        ":irc BATCH -2",
        known(2, 11),
        ":irc BATCH -1",
    )
    assert asked == ["CHATHISTORY AFTER #lake msgid=m7 100", "CHATHISTORY AFTER #Pond msgid=m2 100"]


@pytest.mark.parametrize("second", [-(10**9), -100, 100, 10**9, 10**10])
def test_a_forged_time_loses_no_other_line_and_doubles_none(second: int) -> None:
    """One line of a page claims to be of the far past or future. In the past, it may be taken for one heard before."""
    forged = Said("forged", max(T0 + second, -62135596800.0), "f1")
    lines = [Said("m1", T0 + 1, "m1"), forged, Said("m2", T0 + 2, "m2")]
    talk = back()
    talk.hears(*Remembering([]).page(lines))
    talk.hears(*Remembering([]).page(lines))
    assert [word for word in talk.words if word != "forged"] == ["m1", "m2"]
    assert talk.words.count("forged") <= 1


def test_our_own_lines_in_a_history_are_not_carried_back_and_one_that_claims_to_be_ours_is_no_proof() -> None:
    talk = back()
    talk.hears(
        ":irc BATCH +1 chathistory #pond",
        f"@time={at(7)};msgid=s1;batch=1;{ID_TAG}=p1 :duck!~quack@host PRIVMSG #pond :<Ann> hi",
        f"@time={at(8)};msgid=s2;batch=1;account=Eve;{ID_TAG}=p2 :eve!u@h PRIVMSG #pond :<Ann> hi",
        f"@time={at(9)};msgid=s3;batch=1;{ID_TAG}=p3 :duck!u@elsewhere PRIVMSG #pond :<Ann> hi",
        f"@time={at(9)};msgid=s4;batch=1;{ID_TAG}=p4 :duck PRIVMSG #pond :<Ann> hi",
        ":irc BATCH -1",
    )
    ends(talk)
    ours = talk.session.history.ours
    assert (ours("p1"), ours("p2"), ours("p3"), ours("p4")) == ("s1", None, None, None)
    assert talk.words == ["<Ann> hi"], "what eve has said"


def test_of_a_hundred_thousand_lines_the_first_ten_thousand_are_kept_and_the_rest_is_a_gap() -> None:
    talk = back()
    talk.hears(":irc BATCH +1 chathistory #pond")
    for number in range(100_000):
        talk.session.feed(known(number + 1, 10), 0.0, 1000.0)
    assert talk.hears(":irc BATCH -1") == []
    (caught_up,) = talk.of(CaughtUp)
    assert caught_up.since == T0 + 5
    assert talk.words[0] == "m1"
    assert len(talk.words) == catchup.MOST
    talk.hears(f"@time={at(70)};msgid=now;account=Bob :bob!u@h PRIVMSG #pond :now")
    assert talk.words[-1] == "now"


def test_of_a_hundred_thousand_joins_ten_thousand_are_remembered() -> None:
    talk = back()
    talk.hears(":irc BATCH +1 chathistory #pond")
    for number in range(100_000):
        talk.session.feed(f"@time={at(10)};msgid=j{number};batch=1 :al!u@h JOIN #pond", 0.0, 1000.0)
    (catching,) = talk.session.history._channels.values()
    assert len(catching._seen) == catchup.MOST
    assert talk.hears(":irc BATCH -1") == []
    assert talk.of(CaughtUp)[0].since == T0 + 5


def test_a_batch_that_is_never_closed_holds_the_channel_for_half_a_minute() -> None:
    talk = back()
    talk.hears(":irc BATCH +1 chathistory #pond", known(1, 10))
    talk.hears(f"@time={at(61)};msgid=m9;account=Bob :bob!u@h PRIVMSG #pond :m9")
    talk.passes(29)
    assert talk.words == []
    talk.passes(3)
    assert talk.words == ["m1", "m9"]
    assert talk.of(CaughtUp)[0].since == T0 + 5
    talk.hears(known(1, 10), known(2, 20), known(2, 20), known(9, 61), ":irc BATCH -1")
    assert talk.words == ["m1", "m9", "m2"], "what comes later is told, too, and nothing twice"


def test_a_line_that_comes_as_history_and_as_live_is_told_once_whichever_is_first() -> None:
    live = f"@time={at(61)};msgid=m5;account=Bob :bob!u@h PRIVMSG #pond :m5"
    talk = back()
    talk.hears(live, *Remembering([]).page([Said("m5", T0 + 61, "m5")]))
    ends(talk)
    assert talk.words == ["m5"]
    talk = back()
    talk.hears(*Remembering([]).page([Said("m5", T0 + 61, "m5")]))
    ends(talk)
    talk.hears(live)
    assert talk.words == ["m5"]


def test_repeated_ids_in_a_page_are_told_once() -> None:
    talk = back()
    talk.hears(":irc BATCH +1 chathistory #pond", known(1, 1), known(1, 1), known(1, 5), known(2, 6), ":irc BATCH -1")
    ends(talk)
    assert talk.words == ["m1", "m2"]


def test_histories_that_nobody_has_asked_for_do_not_pile_up() -> None:
    talk = back()
    ends(talk)
    for number in range(3 * history._TOLD // 2):
        talk.session.feed(f"@time={at(10)};msgid=x{number};batch=9;account=Bob :bob!u@h PRIVMSG #pond :x", 0.0, 1000.0)
    assert len(talk.session.history._told) <= history._TOLD


# What happened, other than words (https://ircv3.net/specs/extensions/chathistory, draft/event-playback)


def test_who_came_and_went_in_a_history_is_not_told_and_changes_nothing_that_we_know_of_now() -> None:
    talk = back()
    talk.hears(":irc 332 duck #pond :as it is", ":op!o@h MODE #pond +o bob")
    lines = [
        ":al!u@h JOIN #pond Alice :Al",
        ":bob!u@h PART #pond :bye",
        ":bob!u@h QUIT :gone",
        ":bob!u@h NICK rob",
        ":op!o@h KICK #pond duck :out",
        ":duck!~quack@host PART #pond",
        ":duck!~quack@host NICK drake",
        ":op!o@h MODE #pond -o bob",
        ":op!o@h MODE #pond +c",
        ":bob!u@h AWAY :zzz",
        ":bob!u@h ACCOUNT Eve",
        ":bob!u@h CHGHOST v w",
        ":duck!~quack@host INVITE duck #ocean",
        ":HistServ!u@h PRIVMSG #pond :al joined the channel",
        ":irc 001 duck :Welcome",
        ":irc ERROR :Closing link",
        ":irc PING x",
    ]
    page = [f"@time={at(n)};msgid=e{n};batch=1 {line}" for n, line in enumerate(lines)]
    written = talk.hears(":irc BATCH +1 chathistory #pond", *page, ":irc BATCH -1")
    assert written == [f"CHATHISTORY AFTER #Pond msgid=e{len(lines) - 1} 100"]
    ends(talk)
    talk.passes(31)
    assert [each.body for each in talk.events if not isinstance(each.body, Message)] == []
    assert [plain(each.text) for each in talk.heard] == ["al joined the channel"]
    people = talk.session._state.people
    assert (people.knows("al"), people.is_in("bob", "#pond"), people.ranks("bob", "#pond")) == (False, True, "o")
    assert talk.session.nick == "duck"
    assert talk.session.channels.joined("#pond")
    assert talk.session.channels.without_colours("#pond") == frozenset()


def test_topics_of_a_history_are_told_in_order_with_the_words_and_change_no_topic() -> None:
    talk = back()
    talk.hears(
        ":irc BATCH +1 chathistory #pond",
        known(1, 1),
        f"@time={at(2)};msgid=t1;batch=1;account=Bob :bob!u@h TOPIC #pond :then",
        known(2, 3),
        f"@time={at(4)};msgid=t2;batch=1 :irc.test TOPIC #pond :after a netsplit",
        f"@time={at(4)};msgid=t3;batch=1 :duck!~quack@host TOPIC #pond :ours",
        ":irc BATCH -1",
    )
    ends(talk)
    assert [plain(e.body.text) if isinstance(e.body, Message) else e.body for e in talk.events] == [
        "m1",
        Topic("then"),
        "m2",
    ]
    assert {each.origin for each in talk.events} == {Origin.REPLAYED}
    assert "#pond" not in talk.session._state.topics


def test_context_that_the_server_adds_to_a_page_does_not_end_it() -> None:
    """draft/chathistory-context: reactions and the like beside what they are about, beyond the limit."""
    talk = Return(caps=_CAPS, supports="CHANTYPES=# CHATHISTORY=1")
    talk.comes()
    talk.fence()
    reaction = f"@time={at(9)};msgid=r1;batch=1;account=Bob;draft/chathistory-context;+draft/reply=m1;+draft/react=x"
    talk.hears(":irc BATCH +1 chathistory #pond", known(1, 1), f"{reaction} :bob!u@h TAGMSG #pond", ":irc BATCH -1")
    talk.hears(":irc BATCH +1 chathistory #pond", known(2, 2), ":irc BATCH -1")
    ends(talk)
    assert talk.words == ["m1", "m2"]
    assert len(talk.events) == 3


def test_a_server_that_tells_one_line_each_half_minute_holds_the_channel_for_five_minutes() -> None:
    talk = back()
    for number in range(1, 100):
        talk.passes(25)
        if talk.of(CaughtUp):
            break
        talk.hears(":irc BATCH +1 chathistory #pond", known(number, number % 60), ":irc BATCH -1")
    assert talk.now < 340
    assert talk.session.may_speak("#pond")
    assert talk.of(CaughtUp)[0].since == T0 + 5
    assert len(talk.words) > 5


def test_private_messages_of_the_past_are_not_told() -> None:
    """A bouncer plays back what was said to us. An old command is not carried out."""
    talk = back("batch server-time znc.in/batch")
    line = f"@time={at(1)};batch=1 :alice!u@h PRIVMSG duck :remind me"
    talk.hears(":znc.in BATCH +1 znc.in/playback alice", line, ":znc.in BATCH -1")
    talk.passes(40)
    assert talk.heard == []


_WHERE = st.sampled_from(["#pond", "#lake", "#ocean", "duck", ""])
_ATTACK = st.one_of(
    st.builds(":duck!~quack@host JOIN {}".format, _WHERE),
    st.builds(":op!o@h KICK {} duck :out".format, _WHERE),
    st.builds(":irc BATCH +{} chathistory {}".format, st.integers(1, 3), _WHERE),
    st.builds("@batch={} :irc BATCH +{} netsplit {}".format, st.integers(1, 3), st.integers(1, 3), _WHERE),
    st.builds("@draft/chathistory-end :irc BATCH +{} chathistory {}".format, st.integers(1, 3), _WHERE),
    st.builds(":irc BATCH -{}".format, st.integers(1, 3)),
    st.builds(
        "@time={};batch={};msgid={} :bob!u@h {} {} :hi".format,
        st.sampled_from([at(1), at(59), "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999-12:00", "now", ""]),
        st.sampled_from(["1", "2", "3", "", "x"]),
        st.sampled_from(["m0", "m1", "m2", ""]),
        st.sampled_from(["PRIVMSG", "TOPIC", "REDACT", "TAGMSG", "JOIN", "QUIT", "FAIL"]),
        _WHERE,
    ),
    st.builds(":irc FAIL CHATHISTORY {} AFTER {} :no".format, st.sampled_from(["INVALID_PARAMS", "X", ""]), _WHERE),
    st.sampled_from([":irc 421 duck CHATHISTORY :x", ":irc 461 duck CHATHISTORY :x", ":irc FAIL CHATHISTORY"]),
    st.sampled_from([":irc PONG irc history", ":irc 315 duck #pond :end", "wait", "wait"]),
    st.builds(":irc 324 duck {} +H {}:{}".format, _WHERE, st.integers(0, 10**9), st.sampled_from(["1h", "", "9" * 30])),
    st.builds(":***!znc@znc.in PRIVMSG {} :{}".format, _WHERE, st.sampled_from(["Buffer Playback...", "x"])),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_ATTACK, max_size=40))
def test_whatever_a_server_makes_of_its_history_we_can_speak_within_minutes_and_hear_what_is_said(
    lines: list[str],
) -> None:
    talk = Return(_TWO, caps=_CAPS)
    talk.session.set_rooms((POND, _LAKE))
    for line in lines:
        if line == "wait":
            talk.passes(13)
        else:
            talk.hears(line)
    asked = [line for line in talk.written() if line.startswith("CHATHISTORY")]
    assert len(asked) <= 2 * len(lines)
    talk.hears(":duck!~quack@host JOIN #pond", ":duck!~quack@host JOIN #lake")
    talk.passes(360)
    for where in ("#pond", "#lake"):
        assert talk.session.may_speak(where)
        talk.hears(f"@time={at(59)};account=Bob;msgid=last{where} :bob!u@h PRIVMSG {where} :last")
    talk.passes(30)
    assert talk.words[-2:] == ["last", "last"]
    assert len({each.id for each in talk.heard if each.origin is Origin.REPLAYED}) == len(
        [each for each in talk.heard if each.origin is Origin.REPLAYED]
    ), "nothing of a history twice"
