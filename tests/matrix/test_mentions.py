"""Whom a message mentions, and when it calls the bot (bridge.matrix.dialect.convert)."""

import pytest

from bridge.model.event import Edit
from tests.events import body_of
from tests.matrix.heard import HTML, US, heard, said

_DUCK_PILL = "<a href='https://matrix.to/#/@duck:hs'>duck</a>"
_BOB_PILL = "<a href='https://matrix.to/#/@bob:hs'>Bob</a>"
_REPLY = {"m.relates_to": {"m.in_reply_to": {"event_id": "$0"}}}


def names(*users: object, room: bool = False) -> dict[str, object]:
    return {"m.mentions": {"user_ids": [*users], "room": room}}


def html(text: str) -> dict[str, object]:
    return {"format": HTML, "formatted_body": text}


@pytest.mark.parametrize(
    ("content", "mentions"),
    [
        (said("hi", **names("@bob:hs", "@eve:hs")), ("@bob:hs", "@eve:hs")),
        (said("hi", **names("@bob:hs", "@bob:hs", "@duck:hs")), ("@bob:hs",)),
        (said("hi", **names("bob", 7, None, [], "@bob", "@b\nob:hs", "@\ud800:hs", "@" + "x" * 255 + ":hs")), ()),
        (said("hi", **names(*(f"@u{number}:hs" for number in range(1000)))), tuple(f"@u{n}:hs" for n in range(50))),
        (said("hi", **names(room=True)), ()),
        (said("hi", **{"m.mentions": {"user_ids": "@bob:hs"}}), ()),
        (said("hi"), ()),
        (said("x", **html(f"hi {_BOB_PILL}")), ("@bob:hs",)),
        (said("x", **html(f"hi {_BOB_PILL}"), **{"m.mentions": {}}), ()),
        (said("x", **html(f"hi {_BOB_PILL}"), **names("@eve:hs")), ("@eve:hs",)),
        (said("x", **html(f"<blockquote>{_BOB_PILL}</blockquote>hi")), ()),
        (said("x", **html(f"<mx-reply><blockquote>{_BOB_PILL}</blockquote></mx-reply>hi"), **_REPLY), ()),
        (said("x", **html("<a href='https://matrix.to/#/@b%20ob:hs'>b</a>")), ()),
    ],
)
def test_a_message_mentions_whom_it_names_on_purpose_or_in_old_clients_whom_it_links_outside_quotations(
    content: dict[str, object], mentions: tuple[str, ...]
) -> None:
    found = heard(content)
    assert found is not None
    assert body_of(found).mentions == mentions


@pytest.mark.parametrize(
    ("content", "called"),
    [
        (said("duck: hi"), "duck"),
        (said("Little Yellow Duck, hi"), "Little Yellow Duck"),
        (said("@duck:hs hi"), "@duck:hs"),
        (said("hi duck"), None),
        (said("ducks are nice"), None),
        (said("hi you", **names("@duck:hs")), ""),
        (said("hi you", **names({}, "@ann:hs")), None),
        (said("hi you", **names(*(f"@u{number}:hs" for number in range(1000)), "@duck:hs")), ""),
        (said("hi everybody", **names(room=True)), None),
        (said("x", **html(f"hi {_DUCK_PILL}")), ""),
        (said("x", **html(f"hi {_DUCK_PILL}"), **{"m.mentions": {}}), None),
        (said("x", **html(f"{_DUCK_PILL}: hi")), "duck"),
        (said("x", **html(f"{_DUCK_PILL}: hi"), **{"m.mentions": {}}), "duck"),
    ],
)
def test_a_message_calls_the_bot_by_name_at_its_start_by_mention_or_by_pill(
    content: dict[str, object], called: str | None
) -> None:
    found = heard(content)
    assert found is not None
    assert body_of(found).called == called


@pytest.mark.parametrize(
    "content",
    [
        said("x", **html(f"<blockquote>{_DUCK_PILL}: hi</blockquote>no")),
        said("x", **html(f"<blockquote><p>hi <b>{_DUCK_PILL}</b></p></blockquote>no")),
        said("x", **html(f"<mx-reply><blockquote>In reply to {_DUCK_PILL}</blockquote></mx-reply>no"), **_REPLY),
        said("x", **html(f"<mx-reply>{_DUCK_PILL}: hi</mx-reply>no")),
        said("> <@duck:hs> quack\n\nno", **_REPLY),
        said("> <duck> duck: hi\n> duck: hi\n\nno", **_REPLY),
        said("> * <duck> waves\n\nno", **_REPLY),
        said("> <duck> hi", **_REPLY),
        said("> duck: hi"),
        said("> <Little Yellow Duck> hi\nno", **_REPLY),
    ],
)
def test_who_is_only_quoted_is_not_called(content: dict[str, object]) -> None:
    found = heard(content)
    assert found is not None
    assert body_of(found).called is None


def test_an_edit_calls_nobody() -> None:
    new = said("duck: hi", **names(US.user))
    edit = said("* duck: hi", **{"m.new_content": new, "m.relates_to": {"rel_type": "m.replace", "event_id": "$0"}})
    found = heard(edit | names(US.user))
    assert found is not None
    assert isinstance(found.body, Edit)
