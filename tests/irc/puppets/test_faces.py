"""How the bridge knows its puppets, and sees what they said."""

import pytest

from bridge.irc.effects import Failed, Proved
from bridge.irc.puppets.book import Book
from bridge.irc.puppets.faces import Face, Faces, NotShown
from bridge.irc.puppets.nicks import username
from bridge.irc.session.proof import ID_TAG
from bridge.irc.wire.line import Line, parse
from bridge.model.casemap import Casemapping

_ID = "@ann:hs"
_USER = username(_ID)


def line(text: str) -> Line:
    found = parse(text)
    assert found is not None
    return found


def ann() -> tuple[Faces, Face]:
    """Ann's puppet is connected."""
    faces, face = Faces(), Face("ann", _USER)
    faces.connected(face)
    return faces, face


@pytest.mark.parametrize(
    ("source", "ours"),
    [
        (f"ann!{_USER}@h", True),
        (f"ANN!~{_USER}@elsewhere", True),
        ("ann!eve@h", False),
        (f"eve!{_USER}@h", False),
    ],
)
def test_a_puppet_is_known_by_the_nick_and_the_user_name_of_its_connection(source: str, ours: bool) -> None:
    faces, _ = ann()
    assert faces.is_ours(line(f":{source} PRIVMSG #pond :hi")) is ours


def test_a_puppet_that_is_gone_is_nobody_any_more() -> None:
    faces, face = ann()
    faces.gone(face)
    assert not faces.is_ours(line(f":ann!{_USER}@h PRIVMSG #pond :hi"))


def test_a_puppet_that_is_renamed_stays_itself_and_who_takes_its_nick_does_not_become_it() -> None:
    faces, _ = ann()
    faces.renamed(line(f":ann!{_USER}@h NICK ann_"))
    assert faces.is_ours(line(f":ann_!{_USER}@h PRIVMSG #pond :hi"))
    assert not faces.is_ours(line(f":ann!{_USER}@h PRIVMSG #pond :hi"))


def test_a_line_is_proved_by_its_tag_by_its_words_or_as_the_only_one_there() -> None:
    for seen in (
        f"@{ID_TAG}=p1;msgid=m1 :ann!{_USER}@h PRIVMSG #Pond :hi",
        f"@msgid=m1 :ann!{_USER}@h PRIVMSG #POND hi",
    ):
        faces, face = ann()
        faces.written("p1", face, "#pond", "hi")
        assert [*faces.seen(line(seen))] == [Proved("p1", "m1")]
        assert [*faces.seen(line(seen))] == []
    faces.written("p2", face, "#pond", "darn it")
    assert [*faces.seen(line(f":ann!{_USER}@h PRIVMSG #pond :**** it"))] == [Proved("p2", "p2")]


def test_the_tag_of_another_post_or_the_words_of_somebody_else_prove_nothing() -> None:
    faces, face = ann()
    faces.written("p1", face, "#pond", "hi")
    assert [*faces.seen(line(f"@{ID_TAG}=p0 :ann!{_USER}@h PRIVMSG #pond :hi"))] == []
    assert [*faces.seen(line(f"@{ID_TAG}=p1 :eve!{_USER}@h PRIVMSG #pond :hi"))] == []
    assert [*faces.seen(line(f":ann!{_USER}@h PRIVMSG #lake :hi"))] == []


@pytest.mark.parametrize("channel", ["#Pond", ""])
def test_what_was_not_seen_before_a_puppet_left_was_surely_not_shown(channel: str) -> None:
    faces, face = ann()
    faces.written("p1", face, "#pond", "hi")
    assert [*faces.left("ann", "#lake")] == []
    (failed,) = faces.left("Ann", channel)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, NotShown)
    assert [*faces.left("ann")] == []


def test_after_a_restart_a_history_shows_what_puppets_said_by_nick_user_name_and_host() -> None:
    kept = Book({}).note("Ann", _ID, "ann", "host.example")
    faces = Faces(Book({key: str(value) for key, value in kept.items()}))
    assert faces.was_ours(line(f":ANN!~{_USER}@host.example PRIVMSG #pond :hi"))
    assert faces.was_ours(line(f"@{ID_TAG}=p1 :ann!{_USER}@other.example PRIVMSG #pond :hi"))
    assert not faces.was_ours(line(f":ann!{_USER}@other.example PRIVMSG #pond :hi"))
    assert not faces.was_ours(line(f"@{ID_TAG}=p1 :ann!eve@host.example PRIVMSG #pond :hi"))
    assert faces.was_ours(line(f"@{ID_TAG}=p1 :Guest1!{_USER}@host.example PRIVMSG #pond :hi"))
    assert not faces.was_ours(line(f":eve!{_USER}@host.example PRIVMSG #pond :hi"))
    assert not faces.was_ours(line(f"@{ID_TAG}=p1 :eve!{_USER}@other.example PRIVMSG #pond :hi"))


def test_a_line_is_a_puppets_though_the_bridge_sees_it_when_the_puppet_is_called_otherwise() -> None:
    faces, face = ann()
    faces.written("p1", face, "#pond", "hi")
    face.nick = "Guest1"
    assert [*faces.seen(line(f"@msgid=m1;{ID_TAG}=p1 :ann!{_USER}@h PRIVMSG #pond :hi"))] == [Proved("p1", "m1")]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("ANN: yes", "Ann Lee: yes"),
        (" @ann, yes", " @Ann Lee, yes"),
        ("ann:", "Ann Lee:"),
        ("ann yes", "ann yes"),
        ("annie: yes", "annie: yes"),
        ("ann:smile:", "ann:smile:"),
    ],
)
def test_who_answers_the_nick_of_a_puppet_answers_its_owner(said: str, meant: str) -> None:
    faces, face = ann()
    face.name = "Ann Lee"
    assert faces.answered(said) == meant


@pytest.mark.parametrize("name", ["", "Ann: Lee", "a,b"])
def test_a_name_that_could_not_be_addressed_does_not_take_the_place_of_the_nick(name: str) -> None:
    faces, face = ann()
    face.name = name
    assert faces.answered("ann: yes") == "ann: yes"


def test_without_puppets_nothing_is_looked_at() -> None:
    faces = Faces()
    assert not faces.any
    assert not faces.is_ours(line("@+x=1 :ann!u@h PRIVMSG #pond :hi"))


# What is remembered


def names(book: Book, user: str, identity: str = _ID, length: int = 30) -> list[str]:
    return [*book.names("{name}", user, identity, length)]


def test_a_puppet_keeps_its_first_nick_and_asks_for_it_again() -> None:
    book = Book({})
    book.note("ann", _ID, "ann_", "h")
    assert names(book, "Ann")[0] == "ann_"
    book.note("ann", _ID, "ann-m", "h")  # somebody had its nick for a while
    assert names(book, "ann")[0] == "ann_"
    book.note("ann", _ID, "ann-m", "h", anew=True)  # it is registered to somebody
    assert names(book, "ann")[0] == "ann-m"


def test_the_user_name_that_the_server_shows_is_remembered_and_no_other_counts() -> None:
    book = Book({})
    book.note("ann", _ID, "ann", "h", username="pond")
    faces = Faces(book)
    assert faces.was_ours(line(":ann!pond@h PRIVMSG #pond :hi"))
    assert not faces.was_ours(line(f":ann!{_USER}@h PRIVMSG #pond :hi"))
    assert book.note("ann", _ID, "ann", "h")  # the server shows our own again
    assert faces.was_ours(line(f":ann!{_USER}@h PRIVMSG #pond :hi"))


def test_two_users_whose_names_the_server_takes_for_one_have_different_nicks() -> None:
    book = Book({})
    book.note("a[b", _ID, names(book, "a[b")[0], "h")
    assert names(book, "a{b", "@other:hs")[0] == "a{b_"
    book.casemapping = Casemapping.ASCII
    assert names(book, "a{b", "@other:hs")[0] == "a{b"


@pytest.mark.parametrize("name", ["NickServ", "chanserv", "Global", "root", "Services"])
def test_no_puppet_has_a_nick_of_services(name: str) -> None:
    assert all(nick.startswith("user") for nick in names(Book({}), name))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"nick":1}', '{"nick":"a","user":"b","masks":[1]}'])
def test_what_cannot_be_read_is_nobody(text: str) -> None:
    assert Book({"puppet ann": text, "sts irc": text}).of("ann") is None


def test_what_is_unchanged_is_not_remembered_again() -> None:
    book = Book({})
    assert book.note("ann", _ID, "ann", "h")
    assert book.note("ann", _ID, "ann", "h") == {}
    assert len(book.of("ann").masks) == 1  # type: ignore[union-attr]
