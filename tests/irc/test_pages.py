"""Paging through a channel's history: each message once and in order, however the server answers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.irc.effects import CaughtUp
from bridge.irc.hearing.cursor import Cursor, Position
from bridge.irc.hearing.pages import Pages
from tests.irc.remembering import Remembering, Said
from tests.irc.test_history import T0, WAS, Return
from tests.irc.test_session import ALL, POND

_CAPS = f"{ALL} draft/chathistory"
_SUPPORTS = "CASEMAPPING=ascii CHANTYPES=#"


def said(*times: float, ids: bool = True) -> list[Said]:
    """Lines at these seconds since `T0`, which is the time of m0, the last that we have heard."""
    return [Said(f"m{number}", T0 + time, f"m{number}" if ids else "") for number, time in enumerate(times)]


def back(server: Remembering, cursor: Cursor = WAS, supports: str = "") -> Return:
    talk = Return(cursor, caps=_CAPS, supports=f"{_SUPPORTS} CHATHISTORY={server.limit} {supports}")
    talk.comes()
    server.serve(talk)
    return talk


def gap(talk: Return) -> float | None:
    (caught_up,) = talk.of(CaughtUp)
    return caught_up.since


_FIVE = ["m1", "m2", "m3", "m4", "m5"]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 100])
@pytest.mark.parametrize("knows", [("timestamp", "msgid"), ("timestamp",), ("msgid",)])
@pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
def test_pages_of_any_size_and_by_any_reference_tell_each_message_once_and_in_order(
    limit: int, knows: tuple[str, ...], told: bool
) -> None:
    """Whether the server says which references it takes, or not. By times, pages of one line leave room for doubt."""
    server = Remembering(said(0, 1, 2, 3, 4, 5), knows=knows, limit=limit)
    talk = back(server, supports=f"MSGREFTYPES={','.join(knows)}" if told else "")
    assert talk.words == _FIVE
    assert (gap(talk) is None) is (limit > 1 or "msgid" in knows)


def test_soju_takes_no_msgids_and_says_so_without_naming_the_channel() -> None:
    server = Remembering(said(0, 1, 2, 3, 4, 5), limit=2)
    talk = Return(caps=_CAPS, supports=f"{_SUPPORTS} CHATHISTORY=2")
    talk.comes()
    (first,) = talk.fence()
    (second,) = talk.hears(*server.answer(first))
    assert second == "CHATHISTORY AFTER #Pond msgid=m1 2"
    (third,) = talk.hears(":soju FAIL CHATHISTORY INVALID_PARAMS AFTER msgid=m1 :Invalid first bound")
    assert third == "CHATHISTORY AFTER #Pond timestamp=2026-11-23T00:00:00.999Z 2"
    while written := talk.hears(*server.answer(third)):
        (third,) = written
    assert talk.words == _FIVE
    assert gap(talk) is None


@pytest.mark.parametrize("limit", [4, 5])
@pytest.mark.parametrize("ids", [True, False], ids=["ids", "no ids"])
def test_messages_of_one_moment_are_told_though_a_page_ends_among_them(limit: int, ids: bool) -> None:
    server = Remembering(said(0, 1, 1, 1, 2, 2, ids=ids), limit=limit)
    talk = back(server, Cursor({POND.id: Position(T0, "m0" if ids else "", T0 + 0.5)}))
    assert [word for word in talk.words if word != "m0"] == _FIVE
    assert gap(talk) is None


def test_equal_words_of_one_moment_without_ids_are_all_told_though_a_page_ends_among_them() -> None:
    server = Remembering([Said("ha", T0 + 1) for _ in range(3)] + [Said("ho", T0 + 2)], limit=4, knows=("timestamp",))
    assert back(server).words == ["ha", "ha", "ha", "ho"]


def test_more_messages_of_one_moment_than_a_page_has_are_a_gap_and_what_follows_is_told() -> None:
    server = Remembering(said(-1, 1, 1, 1, 1, 2, ids=False), limit=2, knows=("timestamp",))
    talk = back(server)
    assert talk.words == ["m1", "m2", "m5"]
    assert gap(talk) == T0 + 5


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
@pytest.mark.parametrize("knows", [("timestamp", "msgid"), ("timestamp",), ("msgid",)])
def test_a_server_without_after_is_asked_backward(limit: int, knows: tuple[str, ...]) -> None:
    server = Remembering(said(-90, 0, 1, 2, 3, 4), knows=knows, commands=("LATEST", "BEFORE"), limit=limit)
    talk = back(server, Cursor({POND.id: Position(T0, "m1", T0 + 5)}))
    assert talk.words == ["m2", "m3", "m4", "m5"]
    assert (gap(talk) is None) is (limit > 1 or "msgid" in knows)
    assert len(server.asked) < 20


def test_a_server_that_takes_msgids_only_and_has_forgotten_ours_is_asked_for_the_latest() -> None:
    server = Remembering(said(0, 1, 2, 3, 4, 5)[2:], knows=("msgid",), limit=2)
    talk = back(server, supports="MSGREFTYPES=msgid")
    assert talk.words == ["m2", "m3", "m4", "m5"]
    assert [line.split()[1] for line in server.asked] == ["AFTER", "LATEST", "BEFORE", "BEFORE"]


def test_a_msgid_that_the_server_has_forgotten_costs_nothing_where_times_are_known() -> None:
    server = Remembering(said(0, 1.2, 2, 3))
    talk = back(server, Cursor({POND.id: Position(T0 + 1.5, "gone", T0 + 1.5)}))
    assert talk.words == ["m2", "m3"]


@pytest.mark.parametrize("code", ["INVALID_TARGET", "MESSAGE_ERROR"])
def test_a_history_that_we_may_not_have_is_asked_for_once_and_is_a_gap(code: str) -> None:
    talk = Return(caps=_CAPS)
    talk.comes()
    talk.fence()
    assert talk.hears(f":irc FAIL CHATHISTORY {code} AFTER #pond :Messages could not be retrieved") == []
    assert gap(talk) == T0 + 5


@pytest.mark.parametrize(
    "refusal",
    [
        ":irc FAIL CHATHISTORY INVALID_PARAMS AFTER :Unknown command",
        ":irc FAIL CHATHISTORY UNKNOWN_COMMAND AFTER :Unknown command",
        ":irc FAIL CHATHISTORY NEED_MORE_PARAMS AFTER :Insufficient parameters",
        ":irc FAIL CHATHISTORY INVALID_PARAMS AFTER timestamp=2026 :Invalid timestamp",
        ":irc 461 duck CHATHISTORY :Not enough parameters",
    ],
)
def test_a_request_that_the_server_does_not_understand_is_worded_in_another_way_and_then_given_up(refusal: str) -> None:
    talk = Return(caps=_CAPS)
    talk.comes()
    talk.fence()
    assert talk.hears(refusal) == ["CHATHISTORY LATEST #Pond * 100"]
    assert talk.hears(refusal) == []
    assert gap(talk) == T0 + 5
    assert talk.session.may_speak("#pond")


def test_a_server_that_knows_no_chathistory_after_all_is_believed() -> None:
    talk = Return(caps=_CAPS)
    talk.comes()
    talk.fence()
    assert talk.hears(":irc 421 duck CHATHISTORY :Chat history disabled") == []
    assert gap(talk) == T0 + 5


def test_a_refusal_that_names_no_channel_is_about_the_one_that_was_asked_about_first() -> None:
    lake = POND.__class__("net", "#lake")
    talk = Return(caps=_CAPS)
    talk.session.set_rooms((POND, lake))
    talk.cursor = Cursor({room.id: Position(T0, "m0", T0 + 5) for room in (POND, lake)})
    talk.hears(":duck!~quack@host JOIN #pond", ":duck!~quack@host JOIN #lake")
    asked = [*talk.fence(), *talk.fence()]
    assert [line.split()[2] for line in asked if line.startswith("CHATHISTORY")] == ["#Pond", "#lake"]
    talk.hears(":irc 421 duck CHATHISTORY :disabled")
    assert [each.room for each in talk.of(CaughtUp)] == [POND]


def test_a_server_that_tells_the_same_page_again_and_again_is_left_soon() -> None:
    talk = Return(caps=_CAPS, supports=f"{_SUPPORTS} CHATHISTORY=2")
    talk.comes()
    talk.fence()
    same = Remembering([]).page(said(0, 1, 2)[1:])
    assert len([*iter(lambda: talk.hears(*same), [])]) <= 3
    assert talk.words == ["m1", "m2"]
    assert gap(talk) == T0 + 5


def test_a_server_that_has_always_one_more_line_is_left_after_some_hundred_pages() -> None:
    talk = Return(caps=_CAPS, supports=f"{_SUPPORTS} CHATHISTORY=1")
    talk.comes()
    talk.fence()
    pages = 0
    while talk.hears(*Remembering([]).page([Said(f"n{pages}", T0 + pages, f"n{pages}")])):
        pages += 1
        assert pages < 1000
    assert len(talk.words) == pages + 1
    assert gap(talk) == T0 + 5


def test_a_page_without_any_line_that_we_may_see_is_not_the_last() -> None:
    """Ergo counts joins and the like as lines of a page, and does not show them without event-playback."""
    talk = Return(caps=f"{_CAPS} draft/event-playback", supports=f"{_SUPPORTS} CHATHISTORY=2")
    assert "draft/event-playback" in " ".join(talk.written())
    talk.comes()
    talk.fence()
    join = "@time=2026-11-23T00:00:0{0}.000Z;msgid=j{0};batch=9 :al!u@h JOIN #pond"
    talk.hears(*Remembering([]).page(said(0)))
    page = [":irc BATCH +9 chathistory #pond", join.format(1), join.format(2), ":irc BATCH -9"]
    assert talk.hears(*page) == ["CHATHISTORY AFTER #Pond msgid=j2 2"]
    talk.hears(*Remembering([]).page(said(0, 3)[1:]))
    talk.hears(*Remembering([]).page([]))
    assert talk.words == ["m1"]
    assert gap(talk) is None


def test_an_empty_history_without_the_last_line_that_we_have_heard_is_a_gap() -> None:
    """UnrealIRCd answers so for a channel without history; Ergo may, for what was said before we joined."""
    for msgid, since in (("m0", T0 + 5), ("", None)):
        talk = back(Remembering([]), Cursor({POND.id: Position(T0, msgid, T0 + 5)}))
        assert gap(talk) == since, "if nothing was ever said there, nothing need be in it"


@pytest.mark.parametrize(("kept", "since"), [("+Hnt 50:1d", None), ("+Hnt 5:1d", T0 + 5), ("+nt", T0 + 5)])
def test_unrealircd_says_with_the_channels_modes_how_much_it_keeps(kept: str, since: float | None) -> None:
    talk = Return(caps=_CAPS, supports="CHANTYPES=# CHANMODES=beI,fkL,lFH,cdi CHATHISTORY=50")
    assert "MODE #Pond" in talk.comes(f":irc 324 duck #pond {kept}")
    Remembering([Said(f"n{n}", T0 + 10 + n, f"n{n}") for n in range(5)]).serve(talk)
    assert len(talk.words) == 5
    assert gap(talk) == since


def test_a_page_that_the_server_calls_the_last_is_the_last() -> None:
    """Ergo does (draft/chathistory-end)."""
    talk = Return(caps=_CAPS, supports=_SUPPORTS)
    talk.comes()
    talk.fence()
    begin, *lines = Remembering([]).page(said(0, 1))
    assert talk.hears(f"@draft/chathistory-end {begin}", *lines) == []
    assert talk.words == ["m1"]
    assert gap(talk) is None


def test_histserv_is_nobody() -> None:
    """Without event-playback, Ergo tells in its words who came and went."""
    talk = back(Remembering([*said(0), Said("al joined the channel", T0 + 1, "_x", "HistServ!HistServ@localhost")]))
    assert talk.words == []


def test_four_channels_are_asked_about_at_once_and_the_next_ones_when_those_are_answered() -> None:
    rooms = tuple(POND.__class__("net", f"#c{number}") for number in range(7))
    talk = Return(caps=_CAPS)
    talk.session.set_rooms(rooms)
    talk.cursor = Cursor({room.id: Position(T0, "m0", T0 + 5) for room in rooms})
    talk.hears(*(f":duck!~quack@host JOIN {room.id}" for room in rooms))
    written = [line for line in [*talk.fence(), *talk.fence()] if line.startswith("CHATHISTORY")]
    assert [line.split()[2] for line in written] == ["#c0", "#c1", "#c2", "#c3"]
    assert [line.split()[2] for line in talk.hears(":i BATCH +1 chathistory #c2", ":i BATCH -1")] == ["#c4"]
    talk.hears(":op!o@h KICK #c0 duck :out")
    assert [line.split()[2] for line in talk.passes(1)] == ["#c5"]
    talk.passes(40)
    assert "CHATHISTORY AFTER #c6 timestamp=2026-11-22T23:59:00.000Z 100" in talk.written()
    talk.passes(40)
    assert {each.room for each in talk.of(CaughtUp)} == {*rooms[1:]}


@pytest.mark.parametrize("time", [-62135596800.0, 0.0, 253402300799.0, 1e15, T0 + 3600])
def test_a_position_at_any_time_makes_a_valid_request(time: float) -> None:
    """The server's clock may have been wrong when it told the last line's time: then what is new looks older."""
    talk = Return(Cursor({POND.id: Position(time, "gone", T0 + 5)}), caps=_CAPS)
    talk.comes()
    (request,) = talk.fence()
    _, _, stamp = request.split()[3].partition("=")
    assert "1970-01-01T00:00:00.000Z" <= stamp <= "2026-11-22T23:59:05.000Z"


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999-12:00"])
@pytest.mark.parametrize("commands", ["AFTER", "LATEST BEFORE"])
def test_a_page_that_ends_at_any_time_has_a_valid_request_after_it(time: str, commands: str) -> None:
    talk = Return(caps=_CAPS, supports=f"{_SUPPORTS} MSGREFTYPES=timestamp")
    talk.comes()
    talk.fence()
    if "LATEST" in commands:
        talk.hears(":irc FAIL CHATHISTORY INVALID_PARAMS AFTER :no")
    line = f"@time={time};batch=1 :bob!u@h PRIVMSG #pond :x"
    written = talk.hears(":irc BATCH +1 chathistory #pond", line, ":irc BATCH -1")
    stamps = [each.split()[3] for each in written if each.startswith("CHATHISTORY")]
    assert all("timestamp=1970" <= stamp <= "timestamp=9999-12-31T23:59:59.999Z" for stamp in stamps)
    assert stamps or talk.of(CaughtUp)


_times = st.lists(st.integers(0, 3), min_size=1, max_size=12).map(lambda steps: [*_sums(steps)])


def _sums(steps: list[int]) -> list[float]:
    """Seconds of lines that follow each other by so many milliseconds: often by none."""
    return [sum(steps[: index + 1]) / 1000 for index in range(len(steps))]


@settings(max_examples=150, deadline=None)
@given(
    times=_times,
    data=st.data(),
    limit=st.integers(1, 14),
    ids=st.booleans(),
    backward=st.booleans(),
    knows=st.sampled_from([("timestamp", "msgid"), ("timestamp",), ("msgid",)]),
)
def test_any_partition_of_messages_into_heard_history_and_live_tells_each_once_and_in_order(
    times: list[float], data: st.DataObject, limit: int, ids: bool, backward: bool, knows: tuple[str, ...]
) -> None:
    """Up to `heard`, an earlier connection heard them; up to `kept`, the history has them; from `live` on, they are
    said while we catch up, so that some are both. Only if a gap is told, something may be missing."""
    lines = said(*(0.001 + time for time in times), ids=ids)  # of whole seconds it is unknown which part has passed
    heard = data.draw(st.integers(1, len(lines)))
    kept = data.draw(st.integers(heard, len(lines)))
    live = data.draw(st.integers(heard, kept))
    last = lines[heard - 1]
    server = Remembering(lines[:kept], limit=limit, knows=knows)
    server.commands = ("BEFORE", "LATEST") if backward else server.commands
    cursor = Cursor({POND.id: Position(last.time, last.msgid, last.time + 0.0001)})
    talk = Return(cursor, caps=_CAPS, supports=f"{_SUPPORTS} CHATHISTORY={limit} MSGREFTYPES={','.join(knows)}")
    talk.comes(*(each.line() for each in lines[live:]))
    server.serve(talk)
    new = [each.text for each in lines[heard:]]
    again = {each.text for each in lines[:heard] if each.time == last.time}
    told = [word for word in talk.words if word not in again]
    assert len(told) == len({*told}), "nothing twice"
    assert told == sorted(told, key=lambda word: int(word[1:])), "in order"
    assert {*told} <= {*new}
    if gap(talk) is None:
        assert told == new
    if ids and "msgid" in knows:
        assert told == new
        assert not [word for word in talk.words if word in again], "by ids it is known where we were"


def test_pages_say_nothing_before_they_are_asked() -> None:
    pages = Pages("#pond", T0, "", 10, ("msgid",))
    assert pages.first() == ("LATEST", "#pond", "*", "10")
    assert pages.refused("INVALID_PARAMS") == ()
    assert not pages.complete


@settings(max_examples=150, deadline=None)
@given(times=_times, data=st.data(), ids=st.booleans())
def test_any_partition_is_told_once_and_in_order_where_the_history_comes_unasked(
    times: list[float], data: st.DataObject, ids: bool
) -> None:
    """As on InspIRCd and from ZNC: in one batch behind our JOIN, from any line on. `since`: the first line of it."""
    lines = said(*(0.001 + time for time in times), ids=ids)
    heard = data.draw(st.integers(1, len(lines)))
    since = data.draw(st.integers(0, heard))
    kept = data.draw(st.integers(heard, len(lines)))
    live = data.draw(st.integers(heard, kept))
    last = lines[heard - 1]
    talk = Return(Cursor({POND.id: Position(last.time, last.msgid, last.time + 0.0001)}), supports=_SUPPORTS)
    begin, *rest = Remembering([]).page(lines[since:kept])
    cut = data.draw(st.integers(0, len(rest)))
    talk.comes(begin, *rest[:cut], *(each.line() for each in lines[live:]), *rest[cut:])
    talk.fence()
    new = [each.text for each in lines[heard:]]
    again = {each.text for each in lines[:heard] if each.time == last.time}
    assert [word for word in talk.words if word not in again] == new
