"""What people say on IRC, and the Matrix events that it becomes."""

from tests.cases.case import (
    RESTARTS,
    Case,
    Direction,
    Step,
    acts,
    line,
    pill,
    reacts_by_tag,
    says,
    speaks,
    threads,
)


def _case(title: str, *steps: Step, tags: bool = False, **settings: str) -> Case:
    return Case(Direction.TO_MATRIX, title, steps, settings, tags)


def _body(text: str, html: str = "", **more: object) -> dict[str, object]:
    return {"body": text, **({"html": html} if html else {}), **more}


_WORDS = (
    _case("a message", speaks("hello", _body("<bob> hello"))),
    _case("what somebody does", acts("waves", _body("* bob waves", "* <strong>bob</strong> waves"))),
    _case(
        "a notice", line("NOTICE {channel} :the build is green", _body("<bob> the build is green", msgtype="m.notice"))
    ),
    _case("somebody who is not on the list", speaks("hello", _body("<mallory (guest)> hello"), who="mallory")),
    _case("blanks", speaks("  a  b", _body("<bob>   a  b", "\u00a0 a\u00a0 b"))),
    _case("what looks like HTML and Markdown", speaks("<b>no</b> **no** &amp;", _body("<bob> <b>no</b> **no** &amp;"))),
    _case(
        "bold, italic, underlined, struck out and code",
        speaks(
            "\x02b\x02 \x1di\x1d \x1fu\x1f \x1es\x1e \x11c\x11",
            _body("<bob> b i u s c", "<strong>b</strong> <em>i</em> <u>u</u> <del>s</del> <code>c</code>"),
        ),
    ),
    _case(
        "colours",
        speaks(
            "\x0304red\x03 and \x0300,02white on blue",
            _body(
                "<bob> red and white on blue",
                '<span data-mx-color="#ff0000"><font color="#ff0000">red</font></span> and '
                '<span data-mx-color="#ffffff" data-mx-bg-color="#00007f">white on blue</span>',
            ),
        ),
    ),
    _case(
        "black on black",
        speaks(
            "the \x0301,01duck\x0f did it",
            _body("<bob> the [spoiler] did it", "the <span data-mx-spoiler>duck</span> did it"),
        ),
    ),
    _case("a link", speaks("see https://pond.social/a?b=1", _body("<bob> see https://pond.social/a?b=1"))),
)

_CORRECTIONS = (
    _case(
        "s/wrong/right/",
        speaks("hello wrld", _body("<bob> hello wrld")),
        speaks("s/wrld/world/", {"edits": "$1", **_body("<bob> hello world")}),
    ),
    _case(
        "s/wrong/right/g",
        speaks("a duk, a duk", _body("<bob> a duk, a duk")),
        speaks("s/duk/duck/g", {"edits": "$1", **_body("<bob> a duck, a duck")}),
    ),
    _case(
        "s/wrong/right/ of nothing that was said",
        speaks("hello", _body("<bob> hello")),
        speaks("s/duck/goose/", _body("<bob> s/duck/goose/")),
    ),
    _case(
        "s/wrong/right/ of what another said",
        speaks("hello wrld", _body("<bob> hello wrld")),
        speaks("s/wrld/world/", _body("<caz> s/wrld/world/"), who="carol"),
    ),
    _case(
        "s/wrong/right/ of what somebody does",
        acts("wavse", _body("* bob wavse", "* <strong>bob</strong> wavse")),
        speaks("s/wavse/waves/", {"edits": "$1", **_body("* bob waves", "* <strong>bob</strong> waves")}),
    ),
    _case(
        "s/wrong/right/ after a restart",
        speaks("hello wrld", _body("<bob> hello wrld")),
        *RESTARTS,
        speaks("s/wrld/world/", {"edits": "$1", **_body("<bob> hello world")}),
    ),
    _case(
        "s/wrong/right/ in bold words",
        speaks("\x02hello\x02 wrld", _body("<bob> hello wrld", "<strong>hello</strong> wrld")),
        speaks("s/wrld/world/", {"edits": "$1", **_body("<bob> hello world")}),
    ),
)

_ALICE, _PILL = "@alice:localhost", pill("alice", "alice")

_REPLIES = (
    _case(
        "a name before the words",
        says("who comes?", "<alice> who comes?"),
        speaks("alice: I do", {"replies to": "$1", **_body("<bob> alice: I do", f"{_PILL}: I do", mentions=[_ALICE])}),
    ),
    _case(
        "a name of somebody on IRC before the words",
        speaks("who comes?", _body("<caz> who comes?"), who="carol"),
        speaks("caz: I do", {"replies to": "$1", **_body("<bob> caz: I do")}),
        tags=True,
    ),
    _case(
        "a name of somebody who has said nothing lately",
        speaks("nora: are you there?", _body("<bob> nora: are you there?")),
    ),
    _case(
        "an answer by its tag",
        says("who comes?", "<alice> who comes?"),
        says("nice weather", "<carol> nice weather", who="carol"),
        speaks("I do", {"replies to": "$1", **_body("<bob> I do")}, tags="+draft/reply=$1"),
        tags=True,
    ),
    _case(
        "an answer by its tag to what somebody on IRC said",
        speaks("who comes?", _body("<caz> who comes?"), who="carol"),
        speaks("I do", {"replies to": "$1", **_body("<bob> I do")}, tags="+draft/reply=$1"),
        tags=True,
    ),
    _case(
        "an answer to a message in a thread",
        says("where to meet?", "<alice> where to meet?"),
        threads("$1", "at the pond", "<carol> at the pond ↩ $1", who="carol"),
        speaks(
            "carol: fine",
            {
                "in the thread of": "$1",
                "replies to": "$2",
                **_body("<bob> carol: fine", f"{pill('carol', 'carol')}: fine", mentions=["@carol:localhost"]),
            },
        ),
    ),
    _case(
        "a name before the words, after a restart",
        says("who comes?", "<alice> who comes?"),
        *RESTARTS,
        speaks("alice: I do", {"replies to": "$1", **_body("<bob> alice: I do", f"{_PILL}: I do", mentions=[_ALICE])}),
    ),
)

_REACTIONS = (
    _case(
        "a reaction",
        says("cake!", "<alice> cake!"),
        reacts_by_tag("$1", "+draft/react=👍", {"reacts": "👍", "to": "$1"}),
        tags=True,
    ),
    _case(
        "a reaction that is taken back",
        says("cake!", "<alice> cake!"),
        reacts_by_tag("$1", "+draft/react=👍", {"reacts": "👍", "to": "$1"}),
        reacts_by_tag("$1", "+draft/unreact=👍", {"removes": "$2"}),
        tags=True,
    ),
)

_MENTIONS = (
    _case(
        "@name",
        speaks("look, @alice", _body("<bob> look, @alice", f"look, {pill('@alice', 'alice')}", mentions=[_ALICE])),
    ),
    _case(
        "a name before the words, by a guest",
        says("who comes?", "<alice> who comes?"),
        speaks("alice: me", {"replies to": "$1", **_body("<mallory (guest)> alice: me")}, who="mallory"),
    ),
    _case("@room", speaks("@room: look", _body("<bob> @room: look"))),
)

_ROOM = (
    _case(
        "somebody who has not spoken comes and goes",
        line("JOIN {channel}", who="uma"),
        line("PART {channel} :bye", who="uma", pause=5),
    ),
    _case(
        "somebody who has spoken leaves, and comes back",
        speaks("hello", _body("<vera (guest)> hello"), who="vera"),
        line(
            "PART {channel} :good night",
            {"body": "vera (guest) has left (good night)", "msgtype": "m.notice"},
            who="vera",
        ),
        line("JOIN {channel}", {"body": "vera (guest) has joined", "msgtype": "m.notice"}, who="vera"),
    ),
    _case(
        "somebody who has spoken is kicked",
        speaks("spam", _body("<will (guest)> spam"), who="will"),
        line(
            "KICK {channel} will :no spam", {"body": "will (guest) was kicked by bob (no spam)", "msgtype": "m.notice"}
        ),
    ),
    _case(
        "somebody who has spoken takes another nick",
        speaks("hello", _body("<xena (guest)> hello"), who="xena"),
        line("NICK xena2", {"body": "xena (guest) is now known as xena2", "msgtype": "m.notice"}, who="xena"),
        line("PART {channel} :bye", {"body": "xena2 (guest) has left (bye)", "msgtype": "m.notice"}, who="xena"),
    ),
    _case(
        "somebody who has spoken quits",
        speaks("hello", _body("<yuri (guest)> hello"), who="yuri"),
        line("QUIT :bye", {"body": "yuri (guest) has left (bye)", "msgtype": "m.notice"}, who="yuri"),
        tags=True,
    ),
    _case("a topic", line("TOPIC {channel} :cake at four", {"topic": "cake at four"}), topic="both"),
    _case("a topic, unless the link carries topics", line("TOPIC {channel} :cake at four", pause=1)),
)

CASES = (*_WORDS, *_CORRECTIONS, *_REPLIES, *_REACTIONS, *_MENTIONS, *_ROOM)
