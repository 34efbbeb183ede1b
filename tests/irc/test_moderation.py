"""What operators on IRC do to puppets, and what is done to people there who were kicked or banned on the other side."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.irc.dialect.operations import Moderate, decode, encode
from bridge.irc.effects import Failed, Proved
from bridge.irc.puppets.book import Book
from bridge.irc.puppets.faces import Face, Faces
from bridge.irc.puppets.nicks import username
from bridge.model.event import Act, Moderation
from bridge.model.people import owner_key
from bridge.network import Needless, PermanentError
from tests.irc.test_session import ALL, Talk

_USER = username("@alice:hs")
_OTHER = username("@carol:hs")
_NAMES = ":irc 353 duck = #pond :@duck @op bob eve alice_ mate"
_EXTBANS = "CASEMAPPING=ascii PREFIX=(ov)@+ CHANTYPES=# CHANMODES=beI,k,l,imnpst WHOX EXTBAN="


def _faces() -> Faces:
    book = Book({})
    faces = Faces(book)
    for user, name, nick in (("alice", _USER, "alice_"), ("carol", _OTHER, "carol")):
        book.note(user, f"@{user}:hs", nick, "bridge.example")
        assert book.user_of(name) == user
        faces.connected(Face(nick, name))
    return faces


def _talk(extban: str = ",R", *, is_op: bool = True) -> Talk:
    talk = Talk()
    talk.session._state.faces = _faces()
    talk.welcomed(ALL, _EXTBANS + extban)
    talk.hears(_NAMES if is_op else _NAMES.replace("@duck", "duck"), ":irc 366 duck #pond :end")
    for nick, user, host, account in (
        ("duck", "~quack", "host.example", "0"),
        ("op", "o", "op.example", "Opal"),
        ("bob", "b", "home.example", "Bob"),
        ("eve", "web", "gateway.example", "0"),
        ("mate", "m", "mate.example", "0"),
        ("alice_", _USER, "bridge.example", "0"),
    ):
        talk.hears(f":irc 354 duck 271 #pond {user} {host} {nick} H {account}")
    talk.hears(":irc 315 duck #pond :end")
    return talk


def _acts(talk: Talk) -> list[tuple[Act, str | None, str]]:
    bodies = [event.body for event in talk.events if isinstance(event.body, Moderation)]
    return [(body.act, body.person.user, body.reason) for body in bodies]


def test_a_kick_of_a_puppet_is_told_with_who_has_done_it_and_why() -> None:
    talk = _talk()
    talk.hears("@account=Opal :op!o@op.example KICK #pond alice_ :\x02spam")
    assert _acts(talk) == [(Act.KICK, "alice", "spam")]
    assert [str(proof) for proof in talk.events[-1].sender.proofs] == ["net/Opal"]


@pytest.mark.parametrize(
    ("modes", "acts"),
    [
        (f"+b *!{_USER}@*", [(Act.BAN, "alice", "")]),
        (f"+b *!*{_USER}@*", [(Act.BAN, "alice", "")]),
        (f"+b alice*!~{_USER}@bridge.example", [(Act.BAN, "alice", "")]),
        (f"-b *!{_USER}@*", [(Act.UNBAN, "alice", "")]),
        (f"+b m:*!{_USER}@*", [(Act.QUIET, "alice", "")]),
        (f"+bb-b *!{_USER}@* *!{_OTHER}@* *!*@x", [(Act.BAN, "alice", ""), (Act.BAN, "carol", "")]),
        (f"+b bob!*{_USER}@*", []),  # no puppet is called so
        ("+b *!*@*", []),
        ("+b *!*@bridge.example", []),
        ("+b alice_!*@*", []),
        (f"+b *!*{_USER[:5]}*@*", []),
        (f"+e *!{_USER}@*", []),
        ("+o alice_", []),
        ("+b", []),
    ],
)
def test_a_ban_is_told_if_it_is_of_one_puppet_alone(modes: str, acts: list[tuple[Act, str, str]]) -> None:
    talk = _talk()
    talk.hears(f":op!o@op.example MODE #pond {modes}")
    assert _acts(talk) == acts
    assert len({event.id for event in talk.events}) == len(talk.events)


def test_what_we_and_servers_do_and_what_is_done_to_others_is_not_told() -> None:
    talk = _talk()
    talk.hears(":duck!~quack@host.example KICK #pond alice_ :x", f":duck!q@h MODE #pond +b *!{_USER}@*")
    talk.hears(f":irc.test MODE #pond +b *!{_USER}@*", ":op!o@op.example KICK #pond bob :x")
    talk.hears(f":op!o@op.example MODE #lake +b *!{_USER}@*")
    assert _acts(talk) == []


_MASKS = st.text(st.sampled_from("*?!@~.:" + _USER + _OTHER + "_"), max_size=40)


@given(st.one_of(_MASKS, st.builds("{}!{}@{}".format, _MASKS, st.sampled_from(["*", _USER, f"*{_OTHER}"]), _MASKS)))
def test_no_mask_that_could_be_of_two_puppets_means_one(mask: str) -> None:
    found = _faces().banned(mask)
    if found is not None:
        name = {"alice": _USER, "carol": _OTHER}[found]
        assert mask.partition("!")[2].partition("@")[0].lstrip("*~") == name


def test_the_nick_of_a_puppet_that_is_just_leaving_is_free_for_it_and_that_of_somebody_else_is_not() -> None:
    talk = _talk()
    assert [talk.session.is_known(nick) for nick in ("alice_", "bob", "duck", "nobody")] == [False, True, True, False]
    talk.hears(f":alice_!{_USER}@bridge.example QUIT :x", f":alice_!{_USER}@elsewhere.example JOIN #pond")
    assert talk.session.is_known("alice_")


# What is done there


def _wanted(act: Act, account: str = "", nick: str = "", key: str = "") -> Moderate:
    wanted = Moderate(act, "#pond", account, nick, key, "by alice on home: spam", "alice has banned somebody")
    assert decode(encode(wanted)) == wanted
    return wanted


def _done(talk: Talk, wanted: Moderate) -> Sequence[str]:
    before = len(talk.effects)
    talk._take(talk.session.perform("p1", wanted))
    lines = [line for line in talk.written(before) if not line.startswith("PING")]
    return [line.partition(" ")[2] if line.startswith("@") else line for line in lines]


_EVE = owner_key("net", "eve!web@gateway.example")


@pytest.mark.parametrize(
    ("extban", "mask"), [(",R", "R:bob"), ("$,ajrxz", "$a:bob"), ("~,acfjmnqr", "~a:bob"), ("~,cf", "*!b@home.example")]
)
def test_who_has_an_account_is_banned_by_it_where_the_server_can_and_kicked(extban: str, mask: str) -> None:
    talk = _talk(extban)
    kick = "KICK #pond bob :by alice on home: spam"
    assert _done(talk, _wanted(Act.BAN, account="bob")) == [f"MODE #pond +b {mask}", kick]
    assert _done(_talk(extban), _wanted(Act.KICK, account="bob")) == [kick]
    assert _done(_talk(extban), _wanted(Act.UNBAN, account="bob")) == [f"MODE #pond -b {mask}"]
    talk.hears("@label=p1 :duck!~quack@host.example KICK #pond bob :x")
    assert [each.post for each in talk.of(Proved)] == ["p1"]


def test_who_is_not_there_is_banned_by_account_and_not_kicked() -> None:
    assert _done(_talk(), _wanted(Act.BAN, account="gone")) == ["MODE #pond +b R:gone"]
    with pytest.raises(Needless):
        _done(_talk(), _wanted(Act.KICK, account="gone"))


def test_who_has_none_is_known_by_nick_user_and_host_together() -> None:
    ban = ["MODE #pond +b *!web@gateway.example", "KICK #pond eve :by alice on home: spam"]
    assert _done(_talk(), _wanted(Act.BAN, nick="eve", key=_EVE)) == ban
    with pytest.raises(Needless):
        _done(_talk(), _wanted(Act.KICK, nick="mate", key=_EVE))  # somebody else has the nick now
    assert _done(_talk(), _wanted(Act.BAN, nick="mate", key=_EVE)) == ["NOTICE #pond :alice has banned somebody"]


def test_a_user_and_host_that_two_have_is_not_banned_nor_an_account_that_is_a_mask() -> None:
    talk = _talk()
    talk.hears(":guest!web@gateway.example JOIN #pond * :g")
    words = ["NOTICE #pond :alice has banned somebody"]
    assert _done(talk, _wanted(Act.BAN, nick="eve", key=_EVE)) == words
    for account in ("*", "b?b", "a b", "x!y@z", "$a"):
        assert _done(_talk(), _wanted(Act.BAN, account=account)) == words


def test_without_the_power_it_is_said_in_words() -> None:
    talk = _talk(is_op=False)
    assert _done(talk, _wanted(Act.KICK, account="bob")) == ["NOTICE #pond :alice has banned somebody"]
    assert _done(_talk(), _wanted(Act.QUIET, account="bob")) == ["NOTICE #pond :alice has banned somebody"]


def test_power_that_was_lost_meanwhile_ends_it() -> None:
    talk = _talk()
    _done(talk, _wanted(Act.KICK, account="bob"))
    talk.hears("@label=p1 :irc 482 duck #pond :You are not an operator")
    (failed,) = talk.of(Failed)
    assert isinstance(failed.error, PermanentError)


@given(st.text(max_size=30), st.text(max_size=30))
def test_whatever_somebody_is_called_no_mask_has_a_wildcard(account: str, nick: str) -> None:
    try:
        lines = _done(_talk(), _wanted(Act.BAN, account=account, nick=nick, key=_EVE))
    except (Needless, PermanentError):
        return
    bans = [line for line in lines if line.startswith("MODE")]
    for line in bans:
        mask = line.split(" ")[3]
        assert "*" not in mask.removeprefix("*!")
        assert "?" not in mask
        assert len(line.split(" ")) == 4
