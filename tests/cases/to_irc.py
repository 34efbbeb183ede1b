"""What people say on Matrix, and the lines of IRC that it becomes."""

from tests.cases.case import (
    RE,
    RESTARTS,
    STOPS,
    Case,
    Direction,
    Step,
    answers,
    edits,
    event,
    mentions,
    pill,
    reacts,
    removes,
    says,
    speaks,
    starts,
    threads,
)

_LINKS = {"media.links": "30d"}


def _about(target: str) -> dict[str, str]:
    return {"rel_type": "m.reference", "event_id": target}


def _case(title: str, *steps: Step, tags: bool = False, links: bool = False, **settings: str) -> Case:
    return Case(Direction.TO_IRC, title, steps, {**settings, **(_LINKS if links else {})}, tags)


_WORDS = (
    _case("a message", says("hello", "<alice> hello")),
    _case("what somebody does", says("waves", "* alice waves", content={"msgtype": "m.emote"})),
    _case("what somebody does, without words", says("", "* alice", content={"msgtype": "m.emote"})),
    _case(
        "a notice", says("the build is green", "-notice- <alice> the build is green", content={"msgtype": "m.notice"})
    ),
    _case("several lines", says("one\n\ntwo", "<alice> one", "<alice> two")),
    _case("somebody who is not on the list", says("hello", "<mallory (guest)> hello", who="mallory")),
    _case("blanks", says("  a  b\tc\u00a0d", "<alice>   a  b    c{nbsp}d")),
    _case(
        "a long message",
        says(
            "\n".join(f"verse {number}" for number in range(1, 31)),
            *(f"<alice> verse {number}" for number in range(1, 21)),
            "<alice> ... 10 more lines",
        ),
    ),
    _case(
        "a long message, with links",
        says(
            "\n".join(f"verse {number}" for number in range(1, 31)),
            *(f"<alice> verse {number}" for number in range(1, 5)),
            "<alice> ... 26 more lines: https://pond.social/t/...",
        ),
        edits(
            "$1",
            "\n".join(f"line {number}" for number in range(1, 31)),
            "<alice> (edited) line 1",
            *(f"<alice> line {number}" for number in range(2, 5)),
            "<alice> ... 26 more lines: https://pond.social/t/...",
        ),
        links=True,
    ),
    _case(
        "bold, italic, underlined, struck out and code",
        says(
            "b i u s c",
            "<alice> {bold}b{plain} {italic}i{plain} {underline}u{plain} {strike}s{plain} `c`",
            html="<b>b</b> <i>i</i> <u>u</u> <del>s</del> <code>c</code>",
        ),
    ),
    _case(
        "colours",
        says(
            "red on white",
            "<alice> {04,00}red{plain} on white",
            html='<span data-mx-color="#ff0000" data-mx-bg-color="#ffffff">red</span> on white',
        ),
    ),
    _case(
        "a spoiler",
        says(
            "the duck did it",
            "<alice> the ||{01,01}duck{plain}|| did it",
            html="the <span data-mx-spoiler>duck</span> did it",
        ),
    ),
    _case(
        "a spoiler with its reason",
        says(
            "the duck did it",
            "<alice> (the end) ||{01,01}the duck did it{plain}||",
            html='<span data-mx-spoiler="the end">the duck did it</span>',
        ),
    ),
    _case("a list", says("* a\n* b", "<alice> • a", "<alice> • b", html="<ul><li>a</li><li>b</li></ul>")),
    _case(
        "a numbered list with a list in it",
        says(
            "3. a\n   * c\n4. b",
            "<alice> 3. a",
            "<alice>   • c",
            "<alice> 4. b",
            html='<ol start="3"><li>a<ul><li>c</li></ul></li><li>b</li></ol>',
        ),
    ),
    _case(
        "a quotation",
        says(
            "> so they said\n\nno",
            "<alice> > so they said",
            "<alice> no",
            html="<blockquote><p>so they said</p></blockquote><p>no</p>",
        ),
    ),
    _case(
        "a block of code",
        says(
            "look:\n```python\ndef quack():\n    return 1\n```",
            "<alice> look:",
            "<alice> def quack():",
            "<alice>     return 1",
            html='<p>look:</p><pre><code class="language-python">def quack():\n    return 1\n</code></pre>',
        ),
    ),
    _case(
        "a table",
        says(
            "duck pond a 1",
            "<alice> {bold}duck{plain} | {bold}pond",
            "<alice> a | 1",
            html="<table><tr><th>duck</th><th>pond</th></tr><tr><td>a</td><td>1</td></tr></table>",
        ),
    ),
    _case(
        "a heading and a rule",
        says(
            "## News\n---\nnone",
            "<alice> {bold}News",
            "<alice> ---",
            "<alice> none",
            html="<h2>News</h2><hr><p>none</p>",
        ),
    ),
    _case(
        "a link behind words",
        says(
            "see [the pond](https://pond.social/a)",
            "<alice> see the pond (https://pond.social/a)",
            html='see <a href="https://pond.social/a">the pond</a>',
        ),
    ),
    _case(
        "a bare link",
        says(
            "https://pond.social/a?b=1",
            "<alice> https://pond.social/a?b=1",
            html='<a href="https://pond.social/a?b=1">https://pond.social/a?b=1</a>',
        ),
    ),
    _case(
        "maths",
        says(
            "so $e^{i\\pi}=-1$",
            "<alice> so $e^{i\\pi}=-1$",
            html='so <span data-mx-maths="e^{i\\pi}=-1"><code>e^iπ = -1</code></span>',
        ),
    ),
    _case(
        "details that are folded away",
        says(
            "more\ninside",
            "<alice> more",
            "<alice> inside",
            html="<details><summary>more</summary><p>inside</p></details>",
        ),
    ),
    _case(
        "a custom emoji",
        says(
            ":duck:",
            "<alice> hi :duck:",
            html='hi <img data-mx-emoticon src="mxc://localhost/a" alt=":duck:" title=":duck:" height="32">',
        ),
    ),
)

_FILES = (
    _case(
        "a sticker",
        event("m.sticker", {"body": "a duck", "url": "mxc://localhost/a", "info": {}}, "<alice> [sticker: a duck]"),
    ),
    _case(
        "a picture",
        says("duck.png", "<alice> [image: duck.png]", content={"msgtype": "m.image", "url": "mxc://localhost/a"}),
    ),
    _case(
        "a picture with a caption",
        says(
            "look at it",
            "<alice> look at it [image: duck.png]",
            content={"msgtype": "m.image", "filename": "duck.png", "url": "mxc://localhost/a"},
        ),
    ),
    _case(
        "a picture with a caption of several lines, and an edit of it",
        says(
            "look at it:\nhere",
            "<alice> look at it:",
            "<alice> here",
            "<alice> [image: duck.png]",
            content={"msgtype": "m.image", "filename": "duck.png", "url": "mxc://localhost/a"},
        ),
        event(
            "m.room.message",
            {
                "msgtype": "m.text",
                "body": "* look at it:\nthere",
                "m.new_content": {
                    "msgtype": "m.image",
                    "body": "look at it:\nthere",
                    "filename": "duck.png",
                    "url": "mxc://localhost/a",
                },
                "m.relates_to": {"rel_type": "m.replace", "event_id": "$1"},
            },
            "<alice> s/here/there/",
        ),
    ),
    _case(
        "a file",
        says("duck.pdf", "<alice> [file: duck.pdf]", content={"msgtype": "m.file", "url": "mxc://localhost/a"}),
    ),
    _case(
        "a voice message",
        says(
            "voice message.ogg",
            "<alice> [voice: 0:07, 20 KB]",
            content={
                "msgtype": "m.audio",
                "url": "mxc://localhost/a",
                "info": {"duration": 7400, "size": 20_000},
                "org.matrix.msc3245.voice": {},
            },
        ),
    ),
    _case(
        "a video",
        says(
            "pond.mp4",
            "<alice> [video: pond.mp4, 1:02, 3.0 MB]",
            content={
                "msgtype": "m.video",
                "url": "mxc://localhost/a",
                "info": {"duration": 62_000, "size": 3_000_000},
            },
        ),
    ),
    _case(
        "several pictures in one message",
        says(
            "the family",
            "<alice> the family [image: duck.png] [image: drake.png]",
            content={
                "msgtype": "dm.filament.gallery",
                "itemtypes": [
                    {"itemtype": "m.image", "body": name, "url": f"mxc://localhost/{name[0]}"}
                    for name in ("duck.png", "drake.png")
                ],
            },
        ),
    ),
    _case(
        "a picture, with links",
        says(
            "duck.png",
            "<alice> [image: duck.png] https://pond.social/m/...",
            content={"msgtype": "m.image", "url": "mxc://localhost/a"},
        ),
        links=True,
    ),
    _case(
        "a poll, an answer, and its end",
        event(
            "m.poll.start",
            {
                "m.text": [{"body": "Where shall we meet?"}],
                "m.poll": {
                    "kind": "m.disclosed",
                    "max_selections": 1,
                    "question": {"m.text": [{"body": "Where shall we meet?"}]},
                    "answers": [{"m.id": place, "m.text": [{"body": f"at the {place}"}]} for place in ("pond", "lake")],
                },
            },
            "<alice> [poll: Where shall we meet? 1. at the pond 2. at the lake]",
        ),
        event("m.poll.response", {"m.selections": ["lake"], "m.relates_to": _about("$1")}),
        event(
            "m.poll.end",
            {"m.text": [{"body": "The poll has ended."}], "m.relates_to": _about("$1")},
            f"<alice> [poll ended: Where shall we meet? at the lake 1]{RE} $1",
        ),
    ),
    _case(
        "a location",
        says(
            "my pond",
            "<alice> my pond [location: geo:1,2] https://www.openstreetmap.org/?mlat=1&mlon=2#map=16/1/2",
            content={"msgtype": "m.location", "geo_uri": "geo:1,2"},
        ),
    ),
)

_LONG = "The pond is quiet today, and all the ducks sleep in the reeds by the old wooden bridge near the mill"

_EDITS = (
    _case(
        "an edit of a word",
        says("hello wrld", "<alice> hello wrld"),
        edits("$1", "hello world", "<alice> s/wrld/world/"),
    ),
    _case(
        "an edit of a long message",
        says(_LONG, f"<alice> {_LONG}"),
        edits("$1", _LONG.replace("old wooden", "iron"), "<alice> s/old wooden/iron/"),
    ),
    _case(
        "an edit of a long message in several places",
        says(_LONG, f"<alice> {_LONG}"),
        edits(
            "$1",
            _LONG.replace("quiet today", "loud tonight").replace("old wooden", "iron"),
            "<alice> (edited) The pond is loud tonight, and all … reeds by the iron bridge near the…",
        ),
    ),
    _case(
        "an edit that exchanges all words",
        says("let us meet at noon", "<alice> let us meet at noon"),
        edits("$1", "I cannot come, sorry", "<alice> (edited) I cannot come, sorry"),
    ),
    _case(
        "several edits in a few seconds",
        says("one duck", "<alice> one duck"),
        edits("$1", "two duck"),
        edits("$1", "two ducks"),
        edits("$1", "two ducks!", "<alice> (edited) two ducks!"),
    ),
    _case(
        "an edit of formatting only",
        says("hello", "<alice> hello"),
        edits("$1", "hello", html="<b>hello</b>", pause=4),
    ),
    _case(
        "an edit that is taken back at once",
        says("hello", "<alice> hello"),
        edits("$1", "hallo"),
        edits("$1", "hello", pause=4),
    ),
    _case(
        "an edit of what another said",
        says("hello", "<alice> hello"),
        edits("$1", "nonsense", who="carol", pause=4),
    ),
    _case(
        "an edit of an edited message",
        says("one duck", "<alice> one duck"),
        edits("$1", "two ducks", "<alice> (edited) two ducks"),
        edits("$1", "three ducks", "<alice> s/two/three/"),
    ),
    _case(
        "an edit of what did not arrive yet",
        STOPS,
        says("hello wrld"),
        edits("$2", "hello world"),
        starts("<alice> hello world"),
        says("hi", "<alice> hi"),
    ),
    _case(
        "an edit after a restart",
        says("hello wrld", "<alice> hello wrld"),
        *RESTARTS,
        edits("$1", "hello world", "<alice> s/wrld/world/"),
    ),
)

_REPLIES = (
    _case(
        "an answer to what was said last",
        says("who comes?", "<alice> who comes?", who="alice"),
        answers("$1", "I do", "<carol> alice: I do ↩ $1", who="carol"),
    ),
    _case(
        "an answer to what somebody on IRC said last",
        speaks("who comes?", {"body": "<bob> who comes?"}),
        answers("$1", "I do", "<alice> bob: I do ↩ $1"),
    ),
    _case(
        "an answer to what was said earlier",
        says("who comes?", "<alice> who comes?"),
        says("nice weather", "<carol> nice weather", who="carol"),
        answers("$1", "I do", '<carol> (re alice: "who comes?") I do ↩ $1', who="carol"),
    ),
    _case(
        "an answer to what somebody on IRC said earlier",
        speaks("who comes?", {"body": "<bob> who comes?"}),
        says("nice weather", "<carol> nice weather", who="carol"),
        answers("$1", "I do", '<alice> (re bob: "who comes?") I do ↩ $1'),
    ),
    _case(
        "an answer to one's own words",
        says("who comes?", "<alice> who comes?"),
        answers("$1", "I do not", "<alice> I do not ↩ $1"),
    ),
    _case(
        "an answer to an edited message",
        says("who cmes?", "<alice> who cmes?"),
        edits("$1", "who comes?", "<alice> s/cmes/comes/"),
        says("nice weather", "<carol> nice weather", who="carol"),
        answers("$1", "I do", '<carol> (re alice: "who comes?") I do ↩ $1', who="carol"),
    ),
    _case(
        "an answer to a removed message",
        says("who comes?", "<alice> who comes?"),
        says("nice weather", "<carol> nice weather", who="carol"),
        removes("$1", "-notice- alice deleted a message"),
        answers("$1", "I do", "<carol> (re a deleted message) I do ↩ $1", who="carol"),
    ),
    _case(
        "an answer to what is not known",
        answers("$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "I do", "<alice> I do"),
    ),
    _case(
        "an answer after a restart",
        says("who comes?", "<alice> who comes?"),
        *RESTARTS,
        says("nice weather", "<carol> nice weather", who="carol"),
        answers("$1", "I do", '<carol> (re alice: "who comes?") I do ↩ $1', who="carol"),
    ),
    _case(
        "a thread, and other words between",
        says("where to meet?", "<alice> where to meet?"),
        threads("$1", "at the pond", "<carol> at the pond ↩ $1", who="carol"),
        says("good morning", "<alice> good morning"),
        threads("$1", "at noon", '<carol> (thread: "where to meet?") at noon ↩ $1', who="carol", last="$2"),
        threads("$1", "fine", "<alice> fine ↩ $1", last="$4"),
    ),
)

_REACTIONS = (
    _case(
        "a reaction",
        says("cake!", "<alice> cake!"),
        reacts("$1", "👍", '-notice- carol reacted 👍 to "cake!"', who="carol"),
    ),
    _case(
        "reactions of several people",
        says("cake!", "<alice> cake!"),
        reacts("$1", "👍", who="carol"),
        reacts("$1", "👍", who="dora"),
        reacts("$1", "🎉", '-notice- carol and dora reacted 👍, alice 🎉 to "cake!"', who="alice"),
    ),
    _case(
        "a reaction by a custom emoji",
        says("cake!", "<alice> cake!"),
        reacts("$1", "mxc://localhost/a", '-notice- carol reacted :duck: to "cake!"', who="carol", shortcode="duck"),
    ),
    _case(
        "a reaction that is taken back at once",
        says("cake!", "<alice> cake!"),
        reacts("$1", "👍", who="carol"),
        removes("$2", who="carol", pause=11),
    ),
    _case(
        "a reaction to what somebody on IRC said, after a restart",
        speaks("cake!", {"body": "<bob> cake!"}),
        *RESTARTS,
        reacts("$1", "👍", '-notice- alice reacted 👍 to "cake!"'),
    ),
    _case(
        "reactions for clients that show them",
        speaks("cake!", {"body": "<bob> cake!"}),
        reacts("$1", "👍", '-notice- alice reacted 👍 to "cake!"', "+draft/react=👍 ↩ $1"),
        tags=True,
        reactions="both",
    ),
)

_REMOVALS = (
    _case("a removal", says("oops", "<alice> oops"), removes("$1", "-notice- alice deleted a message")),
    _case(
        "a removal with its reason",
        says("oops", "<alice> oops"),
        removes("$1", "-notice- alice deleted a message: wrong room", reason="wrong room"),
    ),
    _case(
        "a removal by a moderator",
        says("spam", "<carol> spam", who="carol"),
        removes("$1", "-notice- alice deleted a message of carol: spam", reason="spam"),
    ),
    _case(
        "a removal of what did not arrive yet",
        STOPS,
        says("oops"),
        removes("$2"),
        starts(),
        says("hi", "<alice> hi"),
    ),
    _case(
        "a removal after a restart",
        says("oops", "<alice> oops"),
        *RESTARTS,
        removes("$1", "-notice- alice deleted a message"),
    ),
)

_MENTIONS = (
    _case(
        "a mention of somebody who is in the channel by another name",
        says("carol: look", "<alice> caz: look", html=f"{pill('carol', 'carol')}: look", content=mentions("carol")),
        tags=True,
    ),
    _case(
        "a mention of somebody who is not in the channel",
        says("dora: look", "<alice> dora: look", html=f"{pill('dora', 'dora')}: look", content=mentions("dora")),
    ),
    _case(
        "a mention by a guest",
        says(
            "carol: look",
            "<mallory (guest)> carol: look",
            who="mallory",
            html=f"{pill('carol', 'carol')}: look",
            content=mentions("carol"),
        ),
    ),
    _case("a mention of the room", says("@room look", "<alice> @room look", content={"m.mentions": {"room": True}})),
)

_ROOM = (
    _case(
        "somebody who has not spoken comes and goes",
        Step("quinn", {"type": "join"}),
        Step("quinn", {"type": "leave"}, pause=5),
    ),
    _case(
        "somebody who has spoken leaves, and comes back",
        says("hello", "<rosa (guest)> hello", who="rosa"),
        Step("rosa", {"type": "leave"}, ("-notice- rosa (guest) has left",)),
        Step("rosa", {"type": "join"}, ("-notice- rosa (guest) has joined",)),
    ),
    _case(
        "somebody who has spoken is removed",
        says("spam", "<sam (guest)> spam", who="sam"),
        Step(
            "alice",
            {"type": "kick", "who": "sam", "reason": "no spam"},
            ("-notice- sam (guest) was kicked by alice (no spam)",),
        ),
    ),
    _case(
        "somebody who has spoken takes another name",
        says("hello", "<tina (guest)> hello", who="tina"),
        Step("tina", {"type": "rename", "name": "Tina T."}, ("-notice- tina (guest) is now known as Tina T.",)),
        says("hi", "<Tina T. (guest)> hi", who="tina"),
        tags=True,
    ),
    _case("a topic", event("m.room.topic", {"topic": "cake at four"}, "TOPIC cake at four"), topic="both"),
    _case("a topic, unless the link carries topics", event("m.room.topic", {"topic": "cake at four"}, pause=1)),
)

CASES = (*_WORDS, *_FILES, *_EDITS, *_REPLIES, *_REACTIONS, *_REMOVALS, *_MENTIONS, *_ROOM)
