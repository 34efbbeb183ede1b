"""Polls in words, and how their votes are counted (bridge.matrix.dialect.polls, http.votes, hearing.listening)."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given

from bridge.matrix.dialect import polls
from bridge.matrix.dialect.fields import Json
from bridge.matrix.dialect.polls import Poll, PollVotes
from bridge.matrix.http import votes
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable
from bridge.model.event import Edit, EventKey, Message
from bridge.model.text import plain, words
from tests.events import body_of
from tests.matrix.heard import ROOM, heard
from tests.matrix.test_listening import Listener, _event, _sync
from tests.matrix.test_power import JSON

ANN, BOB, EVE, MOD = "@ann:hs", "@bob:hs", "@eve:hs", "@mod:hs"
_UNSTABLE = "org.matrix.msc3381.poll"


def final(asking: str = "Where shall we meet?", *answers: str, **more: object) -> dict[str, Any]:
    """The content of a poll's start."""
    places = answers or ("pond", "lake", "river")
    poll = {
        "kind": "m.disclosed",
        "question": {"m.text": [{"mimetype": "text/html", "body": "<b>x</b>"}, {"body": asking}]},
        "answers": [{"m.id": each, "m.text": [{"body": each}]} for each in places],
        **more,
    }
    return {"m.text": [{"body": "old clients see this"}], "m.poll": poll}


def unstable(asking: str = "Where shall we meet?", *answers: str, **more: object) -> dict[str, Any]:
    """The same before MSC3381 was final."""
    places = answers or ("pond", "lake", "river")
    poll = {
        "kind": f"{_UNSTABLE}.disclosed",
        "question": {"org.matrix.msc1767.text": asking},
        "answers": [{"id": each, "org.matrix.msc1767.text": each} for each in places],
        **more,
    }
    return {"org.matrix.msc1767.text": "old clients see this", f"{_UNSTABLE}.start": poll}


def response(who: str, *chosen: object, at: int = 10, is_final: bool = True) -> dict[str, Any]:
    content = {"m.selections": [*chosen]} if is_final else {f"{_UNSTABLE}.response": {"answers": [*chosen]}}
    kind = polls.RESPONSES[0 if is_final else 1]
    return {"type": kind, "sender": who, "event_id": f"${who}{at}", "origin_server_ts": at, "content": content}


def end(who: str = ANN, at: int = 100, name: str = "$end", **more: object) -> dict[str, Any]:
    relates = {"rel_type": "m.reference", "event_id": "$0"}
    content = {"m.relates_to": relates, "m.text": [{"body": "The poll has closed."}], **more}
    return {"type": "m.poll.end", "sender": who, "event_id": name, "origin_server_ts": at, "content": content}


def counted(*events: Json, start: Json | None = None, over: Json | None = None) -> str:
    """What is told of a poll to which there are these events, latest first."""
    answers = PollVotes(ANN, final() if start is None else start, over or end())
    for event in events:
        answers.count(event)
    return answers.result


# What is asked


@pytest.mark.parametrize(("content", "kind"), [(final(), "m.poll.start"), (unstable(), f"{_UNSTABLE}.start")])
def test_a_poll_is_a_message_in_words(content: dict[str, Any], kind: str) -> None:
    found = heard(content, kind)
    assert found is not None
    assert found.body == Message(words("[poll: Where shall we meet? 1. pond 2. lake 3. river]"))


@pytest.mark.parametrize(
    ("most", "told"),
    [
        (1, ""),
        (2, " (up to 2 answers)"),
        (99, " (up to 3 answers)"),
        (0, ""),
        (-1, ""),
        ("2", ""),
        (2.5, ""),
        (None, ""),
    ],
)
def test_a_poll_says_how_many_answers_may_be_chosen(most: object, told: str) -> None:
    assert (
        polls.question_line(final(max_selections=most))
        == f"[poll: Where shall we meet? 1. pond 2. lake 3. river{told}]"
    )


def test_an_edit_of_a_poll_is_an_edit_and_a_poll_keeps_its_thread_its_reply_and_its_mentions() -> None:
    relates: dict[str, object] = {"rel_type": "m.replace", "event_id": "$0"}
    found = heard(final() | {"m.new_content": final("When?", "now", "never"), "m.relates_to": relates}, "m.poll.start")
    assert found is not None
    assert found.body == Edit(EventKey(ROOM, "$0"), words("[poll: When? 1. now 2. never]"))
    relates = {"rel_type": "m.thread", "event_id": "$root", "m.in_reply_to": {"event_id": "$0"}}
    found = heard(final() | {"m.relates_to": relates, "m.mentions": {"user_ids": [BOB]}}, "m.poll.start")
    assert found is not None
    body = body_of(found)
    assert (body.thread, body.reply_to, body.mentions) == (EventKey(ROOM, "$root"), EventKey(ROOM, "$0"), (BOB,))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (final("", "a"), "[poll: old clients see this]"),
        (final(answers=[]), "[poll: old clients see this]"),
        (final(answers="abc"), "[poll: old clients see this]"),
        (final(answers=[7, None, ["a"]]), "[poll: old clients see this]"),
        (final(question="Where?"), "[poll: old clients see this]"),
        (final(answers=[{"m.id": "a"}, 7, {"m.text": "b"}]), "[poll: Where shall we meet? 1. ? 2. b]"),
        (unstable() | {f"{_UNSTABLE}.start": 7}, "[poll: old clients see this]"),
        (final("a\nb\u202e", "x\r\ny"), "[poll: a b 1. x y]"),
        ({"m.poll": {}}, None),
        ({"body": "text"}, "[poll: text]"),
        ({}, None),
        (None, None),
    ],
)
def test_a_malformed_poll_is_what_it_has_for_old_clients(content: object, told: str | None) -> None:
    found = heard(content, "m.poll.start")
    assert (None if found is None else plain(found.text)) == told


def test_a_poll_is_bounded() -> None:
    content = final("q" * 60_000, *(f"{number}" + "a" * 60_000 for number in range(5000)), max_selections=10**400)
    assert len(polls.question_line(content)) < 3000
    assert " 20. 19" in polls.question_line(content)
    assert " 21. " not in polls.question_line(content)


# How votes are counted


def test_the_votes_are_told_most_first_and_ties_as_in_the_poll() -> None:
    assert counted() == "[poll ended: Where shall we meet? no votes]"
    for is_final in (True, False):
        given = [
            response(f"@{number}:hs", place, is_final=is_final) for number, place in enumerate(["lake"] + ["pond"] * 3)
        ]
        assert counted(*given) == "[poll ended: Where shall we meet? pond 3, lake 1]"
        assert counted(*given, start=unstable()) == "[poll ended: Where shall we meet? pond 3, lake 1]"
    tie = [response("@1:hs", "river"), response("@2:hs", "lake"), response("@3:hs", "pond"), response("@4:hs", "lake")]
    assert counted(*tie) == "[poll ended: Where shall we meet? lake 2, pond 1, river 1]"


def test_the_last_response_of_each_person_until_the_end_counts() -> None:
    two = (response(BOB, "lake", at=20), response(BOB, "pond", at=10))
    assert counted(*two) == counted(*reversed(two)) == "[poll ended: Where shall we meet? lake 1]"
    late = response(BOB, "river", at=101)
    assert counted(late, *two) == "[poll ended: Where shall we meet? lake 1]"
    assert counted(response(BOB, "river", at=100), *two) == "[poll ended: Where shall we meet? river 1]"
    removed = response(BOB, at=30) | {"content": {}}
    assert counted(removed, *two) == "[poll ended: Where shall we meet? lake 1]"


@pytest.mark.parametrize("chosen", [[], ["sea"], ["sea", "pond"], [7], [None], [["pond"]], [{"pond": 1}]])
def test_a_last_response_that_chooses_nothing_or_something_unknown_takes_the_vote_back(chosen: list[object]) -> None:
    spoiled = response(BOB, *chosen, at=20)
    assert counted(spoiled, response(BOB, "pond", at=10)) == "[poll ended: Where shall we meet? no votes]"


def test_no_more_than_the_allowed_answers_count_each_once() -> None:
    many = final(max_selections=2)
    chosen = response(BOB, "pond", "pond", "lake")
    assert counted(chosen, start=many) == "[poll ended: Where shall we meet? pond 1]"
    assert (
        counted(response(BOB, "pond", "lake", "sea"), start=many) == "[poll ended: Where shall we meet? pond 1, lake 1]"
    )
    assert counted(response(BOB, "pond", "lake")) == "[poll ended: Where shall we meet? pond 1]"


def test_an_answer_without_an_id_cannot_be_chosen() -> None:
    assert counted(response(BOB, ""), start=final(answers=[{"m.text": "a"}])).endswith("no votes]")


@pytest.mark.parametrize(
    ("asker", "ender", "moderators", "over"),
    [(ANN, ANN, "", True), (ANN, MOD, MOD, True), (ANN, EVE, MOD, False), ("", MOD, MOD, False), ("", "", "", False)],
)
def test_who_asked_a_poll_and_who_may_remove_it_may_end_it(asker: str, ender: str, moderators: str, over: bool) -> None:
    assert PollVotes(asker, final(), end(ender)).are_over(lambda user: user in moderators.split()) is over


@pytest.mark.parametrize(
    ("who", "at", "name", "over"),
    [(ANN, 50, "$a", False), (EVE, 50, "$a", True), (MOD, 50, "$a", False), (ANN, 150, "$a", True),
     (ANN, 100, "$a", False), (ANN, 100, "$z", True), (ANN, 100, "$end", True)],
)  # fmt: skip
def test_only_the_first_valid_end_is_one(who: str, at: int, name: str, over: bool) -> None:
    answers = PollVotes(ANN, final(), end())
    answers.count(end(who, at, name))
    assert answers.are_over(lambda user: user == MOD) is over


@given(JSON, JSON, JSON, JSON)
def test_events_of_any_shape_are_counted_or_not_and_never_raise(
    start: object, vote: object, chosen: object, at: Any
) -> None:
    for content in (start, {"m.poll": start}, final(answers=start), final(question=start), final(max_selections=start)):
        heard(content, "m.poll.start")
        contents: list[object] = [vote, {"m.selections": chosen}, {f"{_UNSTABLE}.response": {"answers": chosen}}]
        given = [response(BOB) | {"content": each, "origin_server_ts": at, "sender": vote} for each in contents]
        if isinstance(content, dict):
            assert counted(*given, start=content).startswith("[poll ended")
    assert polls.end_line({"content": vote}).startswith("[poll ended")
    assert isinstance(polls.ended_by({"content": {"m.relates_to": vote}}), str)
    assert Poll.of({"m.poll": {"question": vote, "answers": chosen}}) is None or vote


# What the homeserver is asked


class _Server(Homeserver):
    """A homeserver with one poll."""

    def __init__(self, *events: Json, start: Json | None = None, page: int = 50, poll: object = None) -> None:
        super().__init__("http://127.0.0.1:1", "@duck:hs")
        self.events, self.page = events, page
        self.start: Any = poll or {"type": "m.poll.start", "sender": ANN, "content": start or final()}
        self.asked = 0

    async def get(self, *path: str, query: Mapping[str, str] | None = None, within: float = 1.0) -> Json:
        assert path == ("rooms", "!pond", "event", "$0")
        if isinstance(self.start, Exception):
            raise self.start
        return self.start  # type: ignore[no-any-return]

    async def each(
        self, *path: str, query: Mapping[str, str] | None = None, take: Callable[[Json], None] = lambda _: None
    ) -> Json:
        assert path == ("rooms", "!pond", "relations", "$0", "m.reference")
        assert query is not None
        self.asked += 1
        at = int(query.get("from", "0"))
        for event in self.events[at : at + self.page]:
            take(event)
        return {"next_batch": str(at + self.page)} if at + self.page < len(self.events) else {}


async def ask(server: _Server, over: Json | None = None) -> PollVotes:
    return await votes.of(server, "!pond", over or end(), lambda user: user == MOD)


def crowd(number: int) -> Sequence[Json]:
    return [response(f"@{each}:hs", "pond") for each in range(number)]


async def test_the_answers_are_read_page_by_page_up_to_two_thousand() -> None:
    assert (await ask(_Server(*crowd(1999)))).result == "[poll ended: Where shall we meet? pond 1,999]"
    assert (await ask(_Server(*crowd(2000), page=200))).result == "[poll ended: Where shall we meet? pond 2,000]"
    many = _Server(*crowd(2001), page=200)
    more = "(only the last 2,000 votes are counted)"
    assert (await ask(many)).result == f"[poll ended: Where shall we meet? pond 2,000 {more}]"
    assert many.asked == 10
    tiny = _Server(*crowd(500), page=1)
    assert "only the last 40 votes" in (await ask(tiny)).result


async def test_the_votes_of_a_poll_are_not_asked_for_by_who_may_not_end_it() -> None:
    server = _Server(*crowd(10))
    assert not (await ask(server, end(EVE))).are_over(lambda _: False)
    assert server.asked == 0


async def test_a_poll_that_was_edited_is_told_as_it_is_now() -> None:
    edit = {"content": {"m.new_content": final("When?", "now", "pond")}}
    start = {
        "type": "m.poll.start",
        "sender": ANN,
        "content": final(),
        "unsigned": {"m.relations": {"m.replace": edit}},
    }
    assert (await ask(_Server(*crowd(3), poll=start))).result == "[poll ended: When? pond 3]"


@pytest.mark.parametrize("poll", [{"type": "m.room.message", "sender": ANN, "content": final()},
                                  {"type": "m.poll.start", "sender": ANN, "content": {}}, {}])  # fmt: skip
async def test_what_is_no_poll_or_was_removed_is_not_ended(poll: object) -> None:
    for who in (ANN, MOD):
        assert not (await ask(_Server(poll=poll or {"type": 7}), end(who))).are_over(lambda user: user == MOD)


# What is heard


class _Room(Listener):
    """A room with a poll, and what its homeserver says of it."""

    def __init__(self, *events: object, server: _Server | None = None, carries: bool = True) -> None:
        super().__init__(_sync(*events))
        found = server or _Server(response(BOB, "pond"))
        self.homeserver.get = self._get  # type: ignore[method-assign]
        self.homeserver.each = self._each  # type: ignore[method-assign]
        self.server = found
        self.listening._ended_polls._carries = lambda *_: carries

    async def _get(self, *path: str, query: Mapping[str, str] | None = None, within: float = 1.0) -> Json:
        if path[2:3] == ("event",):
            return await self.server.get(*path)
        return await self.homeserver.once("GET", path, query)

    async def _each(
        self, *path: str, query: Mapping[str, str] | None = None, take: Callable[[Json], None] = lambda _: None
    ) -> Json:
        if path[2:3] == ("relations",):
            return await self.server.each(*path, query=query, take=take)
        return await self.homeserver.once("GET", path, query)

    async def tells(self) -> list[str]:
        (batch,) = await self.hears(1)
        assert batch.counts == ()
        for event in batch.events:
            if plain(event.text).startswith("[poll ended"):
                assert body_of(event).reply_to == EventKey(event.room, "$0")
        return [plain(event.text) for event in batch.events]


async def test_the_end_of_a_poll_replies_to_it_and_responses_are_not_heard() -> None:
    told = await _Room(_event(1), response(BOB, "pond"), end(), _event(2)).tells()
    assert told == ["number 1", "[poll ended: Where shall we meet? pond 1]", "number 2"]


async def test_an_end_in_a_thread_stays_in_it() -> None:
    start = final() | {"m.relates_to": {"rel_type": "m.thread", "event_id": "$root"}}
    (batch,) = await _Room(end(), server=_Server(start=start)).hears(1)
    assert body_of(batch.events[0]).thread == EventKey(batch.events[0].room, "$root")


async def test_who_may_not_end_a_poll_and_who_ends_it_again_is_not_heard() -> None:
    assert await _Room(end(EVE), _event(1)).tells() == ["number 1"]
    assert await _Room(end(MOD)).tells() == ["[poll ended: Where shall we meet? pond 1]"]
    assert await _Room(end(), end(at=50, name="$again"), _event(1)).tells() == [
        "[poll ended: Where shall we meet? pond 1]",
        "number 1",
    ]
    earlier = _Server(end(at=50, name="$earlier"))
    assert await _Room(end(), _event(1), server=earlier).tells() == ["number 1"]
    assert await _Room(end() | {"content": {"m.text": "x"}}, _event(1)).tells() == ["number 1"]


@pytest.mark.parametrize("error", [ApiError(404, "M_NOT_FOUND", ""), ApiError(502, "", ""), Unreachable("away")])
async def test_where_the_homeserver_does_not_tell_an_end_says_what_its_sender_says(error: Exception) -> None:
    assert await _Room(end(), server=_Server(poll=error)).tells() == ["[poll ended: The poll has closed.]"]
    nothing = end() | {"content": {"m.relates_to": {"rel_type": "m.reference", "event_id": "$0"}}}
    assert await _Room(nothing, server=_Server(poll=error)).tells() == ["[poll ended]"]


async def test_a_homeserver_that_hangs_delays_what_is_heard_once_and_by_ten_seconds_at_most() -> None:
    others = (end(name=f"${number}") for number in range(20))
    relates = {"rel_type": "m.reference", "event_id": "$0"}
    many = [each | {"content": {"m.relates_to": relates, "m.text": "over"}} for each in others]
    room = _Room(end(), _event(1), *many)

    async def hang(*_: object, **__: object) -> Json:
        await asyncio.Event().wait()
        return {}

    room.server.each = hang  # type: ignore[method-assign]
    begun = asyncio.get_running_loop().time()
    assert await room.tells() == ["[poll ended: The poll has closed.]", "number 1", *["[poll ended: over]"] * 20]
    assert asyncio.get_running_loop().time() - begun <= 10.0


async def test_of_people_who_are_not_carried_no_votes_are_asked_for() -> None:
    room = _Room(end(), carries=False)
    assert await room.tells() == ["[poll ended: The poll has closed.]"]
    assert room.server.asked == 0
