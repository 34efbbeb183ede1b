"""Catching up on IRC: what the server remembers is heard once, in its place, and believed of nobody without proof."""

import asyncio
import random

import pytest

from bridge.irc.effects import CaughtUp, Failed, Joined, Proved
from bridge.irc.hearing.cursor import Cursor, Position
from bridge.irc.lanes import Lanes
from bridge.irc.session.proof import ID_TAG
from bridge.irc.session.session import Session
from bridge.model.event import Origin, Room
from bridge.model.people import Identity, Proof
from bridge.model.text import plain
from bridge.network import InDoubt, TransientError
from tests.irc.test_session import ALL, POND, Talk

T0 = 1795392000.0
"""2026-11-23T00:00:00Z, at which somebody said m0, the last line that we have heard."""
WAS = Cursor({POND.id: Position(T0, "m0", T0 + 5)})
_SUPPORTS = "CASEMAPPING=ascii PREFIX=(ov)@+ CHANTYPES=# CHANMODES=b,k,Hl,imnpst WHOX"


def at(second: int) -> str:
    return f"2026-11-23T00:{second // 60:02}:{second % 60:02}.000Z"


def old(msgid: str, second: int, who: str = "bob!u@h", text: str | None = None, tags: str = "") -> str:
    return f"@time={at(second)};msgid={msgid};batch=1{tags} :{who} PRIVMSG #pond :{text or msgid}"


class Return(Talk):
    """We were here, and come back: `comes` is the JOIN with what the server says until the fence."""

    def __init__(self, cursor: Cursor = WAS, caps: str = ALL, supports: str = _SUPPORTS, trust: bool = False) -> None:
        super().__init__(trust_hostmasks=trust)
        self.cursor = cursor
        self.session = Session(
            self.settings, (POND,), origin="o", now=0.0, rng=random.Random(1), cursor=lambda: self.cursor
        )
        self._take(self.session.start())
        self.hears(f":irc CAP * LS :{caps}")
        asked = self.written()[-1].removeprefix("CAP REQ :").removeprefix("CAP REQ ")
        self.hears(f":irc CAP * ACK :{asked}")
        self.hears(f"@time={at(60)} :irc 001 duck :Welcome", f":irc 005 duck {supports} :ok", ":irc 376 duck :end")

    def comes(self, *lines: str) -> list[str]:
        return self.hears(f"@time={at(60)} :duck!~quack@host JOIN #pond", ":irc 353 duck = #pond :@bob duck", *lines)

    def batch(self, *lines: str) -> list[str]:
        return self.comes(":irc BATCH +1 chathistory #pond", *lines, ":irc BATCH -1")

    def fence(self) -> list[str]:
        return self.hears(":irc PONG irc history")

    def who(self, *people: str) -> None:
        """The answer to WHO: `nick user host account`."""
        rows = [person.split() for person in people]
        self.hears(*(f":irc 354 duck 271 #pond {u} {h} {n} H {a}" for n, u, h, a in rows), ":irc 315 duck #pond :end")

    @property
    def words(self) -> list[str]:
        return [plain(message.text) for message in self.heard]


def test_what_was_said_while_we_were_away_is_heard_once_and_before_what_is_said_now() -> None:
    talk = Return()
    talk.batch(old("m9", 0), old("m0", 0), old("m1", 10, tags=";account=Bob"), old("m2", 20, tags=";account=Bob"))
    talk.hears(f"@time={at(61)};msgid=m3;account=Bob :bob!u@h PRIVMSG #pond :m3")
    assert talk.words == []
    talk.fence()
    assert talk.words == ["m1", "m2", "m3"]
    assert [(message.origin is Origin.REPLAYED) for message in talk.heard] == [True, True, False]
    assert all(message.sender.proofs == (Identity(Proof.IRC, "net", "Bob"),) for message in talk.heard)
    assert talk.of(CaughtUp) == [CaughtUp(POND, T0 + 60, None)]


def test_lines_of_the_second_in_which_we_left_are_heard_where_the_last_one_is_not_told() -> None:
    talk = Return(Cursor({POND.id: Position(T0 + 0.5, "gone", T0)}))
    talk.batch(old("m1", 0, tags=";account=B"))
    talk.fence()
    assert "m1" in talk.words


def test_without_an_account_only_who_is_there_with_the_very_same_mask_is_believed() -> None:
    talk = Return()
    talk.batch(old("m0", 0), old("m1", 1), old("m2", 2, "bob!u@elsewhere"), old("m3", 3, "eve!u@h"))
    assert talk.fence() == ["WHO #Pond %tcuhnfa,271"]
    assert talk.words == []
    talk.who("bob u h Bob", "al u h Al")
    proofs = [message.sender.proofs for message in talk.heard]
    assert proofs == [(Identity(Proof.IRC, "net", "Bob"),), (), ()]
    assert [message.sender.connection for message in talk.heard] == ["", "", ""]


def test_a_host_mask_proves_nothing_of_the_past_unless_it_is_there_now() -> None:
    talk = Return(trust=True)
    talk.batch(old("m0", 0), old("m1", 1), old("m2", 2, "eve!u@h"))
    talk.fence()
    talk.who("bob u h 0")
    assert [len(message.sender.proofs) for message in talk.heard] == [1, 0]


def test_what_was_said_before_we_ever_came_is_not_for_us() -> None:
    talk = Return(Cursor({}))
    talk.batch(old("m1", 10, tags=";account=Bob"))
    talk.fence()
    assert talk.words == []
    assert talk.of(CaughtUp) == [CaughtUp(POND, T0 + 60, None)]


def test_where_nothing_is_remembered_the_gap_is_known() -> None:
    talk = Return()
    assert talk.comes() == ["MODE #Pond", "PING history"]
    talk.fence()
    assert talk.of(CaughtUp) == [CaughtUp(POND, T0 + 60, T0 + 5)]


@pytest.mark.parametrize(("kept", "since"), [("500:1h", None), ("500:30s", T0 + 5), ("1:1h", T0 + 5)])
def test_a_history_that_does_not_reach_back_to_us_is_whole_where_it_keeps_enough(
    kept: str, since: float | None
) -> None:
    talk = Return()
    talk.comes(
        ":irc BATCH +1 chathistory #pond",
        old("m1", 30, tags=";account=Bob"),
        ":irc BATCH -1",
        f":irc 324 duck #pond +Hnt {kept}",
    )
    talk.fence()
    assert talk.words == ["m1"]
    assert talk.of(CaughtUp) == [CaughtUp(POND, T0 + 60, since)]


def test_our_own_lines_of_the_history_are_known_and_nobody_can_forge_them() -> None:
    talk = Return()
    mine = f"@time={at(7)};msgid=s1;batch=1;{ID_TAG}=p1 :duck!~quack@host PRIVMSG #pond :<Ann> hi"
    forged = f"@time={at(8)};msgid=s2;batch=1;{ID_TAG}=p2 :duck!~quack@elsewhere PRIVMSG #pond :<Ann> hi"
    talk.batch(old("m0", 0), mine, forged)
    assert not talk.session.may_speak("#pond")
    assert talk.of(Joined) == []
    talk.fence()
    assert talk.of(Joined) == [Joined(POND)]
    assert talk.session.may_speak("#pond")
    assert talk.session.history.ours("p1") == "s1"
    assert talk.session.history.ours("p2") is None
    assert talk.session.history.remembers(POND)


def test_a_server_with_chathistory_is_asked_page_by_page() -> None:
    talk = Return(caps=f"{ALL} draft/chathistory", supports=f"{_SUPPORTS} CHATHISTORY=2")
    assert talk.comes() == ["PING history"]
    assert talk.fence() == ["CHATHISTORY AFTER #Pond timestamp=2026-11-22T23:59:00.000Z 2"]
    page = (":irc BATCH +1 chathistory #pond", old("m1", 1, tags=";account=Bob"), old("m2", 2, tags=";account=Bob"))
    assert talk.hears(*page, ":irc BATCH -1") == ["CHATHISTORY AFTER #Pond msgid=m2 2"]
    talk.hears(":irc BATCH +1 chathistory #pond", old("m3", 3, tags=";account=Bob"), ":irc BATCH -1")
    assert talk.words == ["m1", "m2", "m3"]
    assert talk.of(CaughtUp) == [CaughtUp(POND, T0 + 60, None)]


def test_who_is_kicked_and_comes_back_hears_from_when_they_were_kicked() -> None:
    talk = Return(Cursor({}))
    talk.comes()
    talk.fence()
    talk.cursor = Cursor({POND.id: Position(T0 + 60, "m1", T0 + 100)})
    talk.hears(":op!o@h KICK #pond duck :out")
    talk.hears(f"@time={at(200)} :duck!~quack@host JOIN #pond", ":irc BATCH +2 chathistory #pond")
    talk.hears(f"@time={at(60)};msgid=m1;batch=2;account=Bob :bob!u@h PRIVMSG #pond :m1")
    talk.hears(f"@time={at(150)};msgid=m2;batch=2;account=Bob :bob!u@h PRIVMSG #pond :m2", ":irc BATCH -2")
    talk.fence()
    assert talk.words == ["m2"]
    assert talk.of(CaughtUp)[-1] == CaughtUp(POND, T0 + 200, None)


def test_a_clock_that_is_not_the_servers_makes_nothing_old() -> None:
    talk = Talk().welcomed(ALL)
    talk.hears("@time=2001-01-01T00:00:00.000Z;msgid=m1;account=Bob :bob!u@h PRIVMSG #pond :hi")
    assert [(plain(each.text), (each.origin is Origin.REPLAYED)) for each in talk.heard] == [("hi", False)]


def test_a_history_that_fails_is_a_gap_and_the_conversation_goes_on() -> None:
    talk = Return(caps=f"{ALL} draft/chathistory")
    talk.comes()
    talk.fence()
    talk.hears(":irc FAIL CHATHISTORY MESSAGE_ERROR AFTER #pond :Messages could not be retrieved")
    assert talk.of(CaughtUp) == [CaughtUp(POND, T0 + 60, T0 + 5)]
    assert talk.session.may_speak("#pond")


def test_a_server_that_never_answers_does_not_stop_the_conversation() -> None:
    talk = Return()
    talk.comes()
    talk.hears(f"@time={at(61)};msgid=m1;account=Bob :bob!u@h PRIVMSG #pond :m1")
    talk.passes(35)
    assert talk.words == ["m1"]


def test_what_a_bouncer_tells_later_without_a_batch_is_known_by_its_time() -> None:
    talk = Return()
    talk.comes("@time=2026-11-22T23:00:00.000Z;msgid=m7;account=Bob :bob!u@h PRIVMSG #pond :long ago")
    talk.fence()
    assert talk.words == []
    talk = Return(Cursor({POND.id: Position(T0 - 9000, "", T0 - 9000)}))
    talk.comes()
    talk.fence()
    talk.hears("@time=2026-11-22T23:00:00.000Z;msgid=m7;account=Bob :bob!u@h PRIVMSG #pond :missed")
    assert [(plain(message.text), (message.origin is Origin.REPLAYED)) for message in talk.heard] == [("missed", True)]


def test_lines_without_ids_are_known_by_time_sender_and_text() -> None:
    def ids(talk: Return, *lines: str) -> list[str]:
        talk.batch(*(f"@time={at(9)};batch=1 :bob!u@h PRIVMSG #pond :{text}" for text in lines))
        talk.fence()
        talk.who("bob u h Bob")
        return [message.id for message in talk.heard]

    first, again = ids(Return(), "a", "a", "b"), ids(Return(), "a", "a", "b")
    assert first == again
    assert len({*first}) == 3


@pytest.mark.parametrize("text", [None, "", "{", "[1]", '{"#pond":3}', '{"#pond":["x","y",1]}', "null", "nonsense"])
def test_a_cursor_that_makes_no_sense_is_none(text: str | None) -> None:
    assert Cursor.parse(text).of("#pond") is None


def test_a_cursor_keeps_which_run_of_a_server_told_it() -> None:
    came = Cursor({}).caught_up("#pond", T0, "run", T0 + 1)
    assert came == Cursor({"#pond": Position(T0, "", T0 + 1, "run")})
    said = came.heard("#pond", T0 + 2, "m1", T0 + 3).present(["#pond"], T0 + 4)
    assert Cursor.parse(said.dump()) == Cursor({"#pond": Position(T0 + 2, "m1", T0 + 4, "run")})


def test_a_cursor_is_read_as_it_was_written_and_so_is_that_of_earlier_versions() -> None:
    assert Cursor.parse(WAS.dump()) == WAS
    assert Cursor.parse('{"#Pond":[1795392000,"m0",1795392005]}') == WAS
    assert Cursor.parse("1795392000.500 m1").of("#any") == Position(1795392000.5, "m1", 1795392000.5)
    assert Cursor.parse(WAS.dump()).only(["#other"]).of(POND.id) is None


async def test_posts_of_a_room_take_turns_and_none_overtakes_one_that_failed() -> None:
    lanes, room, order = Lanes(), Room("net", "#pond"), list[str]()

    async def post(name: str, error: Exception | None = None) -> None:
        async with lanes.turn(room) as turn:
            await asyncio.sleep(0)
            order.append(name)
            if error is None:
                turn.go_on()
                await asyncio.sleep(0)
            else:
                raise error

    first, second, third = await asyncio.gather(
        post("1"), post("2", TransientError("no")), post("3"), return_exceptions=True
    )
    assert order == ["1", "2"]
    assert first is None
    assert isinstance(second, TransientError)
    assert isinstance(third, TransientError)
    await post("4")
    assert await asyncio.gather(post("5", InDoubt("?", resend=True)), post("6"), return_exceptions=True)
    assert order == ["1", "2", "4", "5"]


def test_a_server_whose_clock_goes_back_while_we_are_there_is_heard_as_before() -> None:
    """Its own echo of a post proves it, too, whatever time it shows."""
    talk = Return(Cursor({}))
    talk.comes()
    talk.fence()
    talk.hears("@time=2026-11-22T23:00:00.000Z;msgid=m1;account=Bob :bob!u@h PRIVMSG #pond :hour ago?")
    assert talk.words == ["hour ago?"]
    talk.says("p1")
    talk.hears(f"@time=2026-11-22T23:00:01.000Z;msgid=s1;label=p1;{ID_TAG}=p1 :duck!~quack@host PRIVMSG #pond :hi")
    assert talk.of(Proved) == [Proved("p1", "s1")]


def test_a_history_is_told_in_its_order_whatever_the_servers_clock_did_meanwhile() -> None:
    talk = Return()
    back = "@time=2026-11-22T23:00:00.000Z;msgid={};batch=1;account=B :bob!u@h PRIVMSG #pond :{}"
    talk.batch(old("m9", 0), old("m0", 0), back.format("m1", "set back"), old("m2", 3, tags=";account=B"))
    talk.fence()
    assert talk.words == ["set back", "m2"]
    assert talk.of(CaughtUp) == [CaughtUp(POND, T0 + 60, None)]


def test_a_server_whose_clock_was_ahead_when_we_last_heard_it_loses_nothing() -> None:
    talk = Return(Cursor({POND.id: Position(T0 + 3600, "gone", T0 + 5)}))
    talk.batch(old("m1", 3, tags=";account=B"), old("m2", 10, tags=";account=B"))
    talk.fence()
    assert talk.words == ["m2"]


def test_a_channel_that_was_made_anew_has_forgotten_what_was_said_before() -> None:
    """The server was started again, or everybody left: an empty history proves nothing."""
    for created, since in ((int(T0) - 9, None), (int(T0) + 9, T0 + 5)):
        talk = Return()
        talk.comes(":irc 324 duck #pond +Hnt 500:1h", f":irc 329 duck #pond {created}")
        talk.fence()
        assert talk.of(CaughtUp) == [CaughtUp(POND, T0 + 60, since)]
        assert talk.session.history.remembers(POND) is (since is None)


def run_of(created: str) -> str:
    """By what a cursor knows the run of a server that says so in its greeting."""
    talk = Return(Cursor({}))
    talk.hears(f":irc 003 duck :This server was created {created}")
    talk.comes()
    talk.fence()
    return talk.of(CaughtUp)[0].server


@pytest.mark.parametrize("caps", [ALL, f"{ALL} draft/chathistory"])
def test_a_server_that_was_started_again_has_forgotten_though_the_channel_is_as_old_as_before(caps: str) -> None:
    """Services give a channel its time back."""
    for created, since in (("today", None), ("just now", T0 + 5)):
        talk = Return(Cursor({POND.id: Position(T0, "m0", T0 + 5, run_of("today"))}), caps=caps)
        talk.hears(f":irc 003 duck :This server was created {created}")
        talk.comes(":irc 324 duck #pond +Hnt 500:1h", f":irc 329 duck #pond {int(T0) - 9000}")
        talk.fence()
        talk.hears(":irc BATCH +1 chathistory #pond", ":irc BATCH -1")
        assert talk.of(CaughtUp) == [CaughtUp(POND, T0 + 60, since, run_of(created))]
        assert talk.session.history.remembers(POND) is (since is None)


def test_a_server_that_was_started_again_and_tells_what_we_know_has_forgotten_nothing() -> None:
    talk = Return(Cursor({POND.id: Position(T0, "m0", T0 + 5, run_of("today"))}))
    talk.hears(":irc 003 duck :This server was created just now")
    talk.batch(old("m0", 0), old("m1", 10, tags=";account=Bob"))
    talk.fence()
    assert talk.of(CaughtUp)[0].since is None


def test_what_a_bouncer_says_of_itself_is_no_message_and_a_lost_line_is_sent_again() -> None:
    talk = Talk().welcomed()
    talk.says("p1")
    talk.hears(":*status!znc@znc.in PRIVMSG duck :Disconnected from IRC. Reconnecting...")
    assert talk.of(Failed) == []
    talk.hears(":*status!znc@znc.in PRIVMSG duck :Your message to #Pond got lost, you are not connected to IRC!")
    (failed,) = talk.of(Failed)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, TransientError)
    assert talk.heard == []
