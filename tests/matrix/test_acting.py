"""The requests of operations, and what homeservers may answer (bridge.matrix.acting)."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from bridge.matrix.acting import Acting
from bridge.matrix.dialect.fields import Json
from bridge.matrix.dialect.operations import ID, PARTS, Amend, Operation, React, Redact, Say, SetTopic, encode
from bridge.matrix.http.homeserver import ApiError, Homeserver
from bridge.matrix.rooms.joined import JoinedRoom
from bridge.model.event import Room
from bridge.model.outbox import Post
from bridge.network import Needless, PermanentError

_US, _PLACE = "@duck:hs", "!pond:hs"
_FORBIDDEN = ApiError(403, "M_FORBIDDEN", "no")
_NOT_FOUND = ApiError(404, "M_NOT_FOUND", "nothing")


class _Answers(Homeserver):
    """A homeserver with prepared answers: by the path after the room, the first one that fits."""

    def __init__(self, **answers: Any) -> None:
        super().__init__("http://127.0.0.1:1", _US)
        self.answers = answers
        self.puts: list[tuple[str, Any]] = []

    async def get(self, *path: str, query: Mapping[str, str] | None = None, within: float = 1.0) -> Json:
        return self._prepared(path)

    async def put(self, *path: str, body: Any) -> Json:
        self.puts.append(("/".join(path[2:]), json.loads(body) if isinstance(body, str) else body))
        return self._prepared(path, {"event_id": f"$new{len(self.puts)}"})

    def _prepared(self, path: tuple[str, ...], otherwise: Any = None) -> Json:
        answer = self.answers.get(f"{path[2]}_{path[3].strip('$')}", self.answers.get(path[2], otherwise))
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, dict)
        return answer


async def perform(homeserver: Homeserver, operation: Operation) -> str:
    post = Post.of(Room("home", "#pond:hs"), ("d",), 0, encode(operation))
    return await Acting(homeserver, _US).perform(JoinedRoom(_PLACE, post.room), post)


def said(*lines: str, **more: Any) -> dict[str, Any]:
    content = {"msgtype": "m.text", "body": "\n".join(lines), PARTS: [[line, 1] for line in lines]}
    return {"type": "m.room.message", "sender": _US, "content": content, **more}


def edited(**edit: Any) -> dict[str, Any]:
    return {"m.relations": {"m.replace": {"event_id": "$edit", **edit}}}


_NEW = {"msgtype": "m.text", "body": "x", PARTS: [["a", 1]]}


async def test_the_words_that_an_edit_changes_are_the_latest() -> None:
    new = {"m.new_content": said("a", "c")["content"]}
    old = said("a", "b", unsigned=edited())
    for event in (said("a", "b", unsigned=edited(content=new)), old):
        server = _Answers(event_1=event, event_edit={"content": new})
        await perform(server, Amend("$1", "a", _NEW))
        ((path, content),) = server.puts
        assert path.startswith("send/m.room.message/")
        assert content["m.new_content"]["body"] == "x\nc"
        assert content["m.new_content"][PARTS] == [["a", 1], ["c", 1]]
        assert content[ID] in path


@pytest.mark.parametrize("event", [{"content": {}}, said("a", unsigned={"redacted_because": {"type": "x"}})])
@pytest.mark.parametrize("operation", [Amend("$1", "a", _NEW), Redact("$1", "a")])
async def test_what_was_removed_already_needs_nothing(operation: Operation, event: dict[str, Any]) -> None:
    server = _Answers(event=event)
    with pytest.raises(Needless):
        await perform(server, operation)
    assert server.puts == []


@pytest.mark.parametrize("operation", [Amend("$1", "a", _NEW), Redact("$1", "a")])
@pytest.mark.parametrize("error", [_NOT_FOUND, _FORBIDDEN])
async def test_what_cannot_be_found_is_a_dead_letter(operation: Operation, error: ApiError) -> None:
    with pytest.raises(PermanentError, match="not there any more"):
        await perform(_Answers(event=error), operation)


async def test_a_removal_removes_our_edits_first_and_nobody_elses() -> None:
    edits = {"chunk": [{"event_id": "$e1", "sender": _US}, {"event_id": "$e2", "sender": "@other:hs"}]}
    server = _Answers(event=said("a"), relations=edits)
    assert await perform(server, Redact("$1", "a", "rude")) == "$new2"
    assert [path.split("/")[:2] for path, _ in server.puts] == [["redact", "$e1"], ["redact", "$1"]]
    assert [body["reason"] for _, body in server.puts] == ["rude", "rude"]
    server = _Answers(event=said("a"), relations=_NOT_FOUND)  # a homeserver that knows no relations
    assert await perform(server, Redact("$1", "a")) == "$new1"


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (Redact("$1", "a"), "no power to remove"),
        (SetTopic("x"), "no power to set"),
    ],
)
async def test_what_we_may_not_do_is_a_dead_letter_in_plain_words(operation: Operation, words: str) -> None:
    server = _Answers(event=said("a"), relations={"chunk": []}, redact=_FORBIDDEN, send=_FORBIDDEN, state=_FORBIDDEN)
    with pytest.raises(PermanentError, match=words):
        await perform(server, operation)


async def test_a_message_that_we_may_not_send_is_left_to_the_caller() -> None:
    for operation in (Say({"body": "x"}), Amend("$1", "a", _NEW)):
        with pytest.raises(ApiError):
            await perform(_Answers(event=said("a"), send=_FORBIDDEN), operation)


async def test_a_reaction_that_is_there_already_or_not_taken_there_is_no_dead_letter() -> None:
    for error in (
        _FORBIDDEN,
        _NOT_FOUND,
        ApiError(400, "M_DUPLICATE_ANNOTATION", "twice"),
        ApiError(400, "M_UNKNOWN", "Can't send same reaction twice"),
    ):
        with pytest.raises(Needless):
            await perform(_Answers(send=error), React("$1", "x"))


async def test_only_our_own_reaction_with_that_key_is_taken_back() -> None:
    def reaction(number: int, sender: str, key: str) -> dict[str, Any]:
        return {"event_id": f"${number}", "sender": sender, "content": {"m.relates_to": {"key": key}}}

    found = [reaction(1, "@other:hs", "x"), reaction(2, _US, "y"), reaction(3, _US, "x")]
    server = _Answers(relations={"chunk": found})
    await perform(server, React("$t", "x", removed=True))
    assert [path.split("/")[:2] for path, _ in server.puts] == [["redact", "$3"]]
    for answer in ({"chunk": found[:2]}, _NOT_FOUND):
        with pytest.raises(Needless):
            await perform(_Answers(relations=answer), React("$t", "x", removed=True))


@pytest.mark.parametrize("falls_back", [True, False])
async def test_a_message_whose_thread_the_homeserver_refuses_is_said_outside_of_it(falls_back: bool) -> None:
    reply = {"event_id": "$1"}
    thread = {"rel_type": "m.thread", "event_id": "$0", "is_falling_back": falls_back, "m.in_reply_to": reply}
    server = _Answers(send=[ApiError(400, "M_UNKNOWN", "Cannot start threads"), {"event_id": "$2"}])
    assert await perform(server, Say({"body": "x", "m.relates_to": thread})) == "$2"
    (first, _), (second, content) = server.puts
    assert first == second
    assert content.get("m.relates_to") == (None if falls_back else {"m.in_reply_to": reply})
    with pytest.raises(ApiError):
        await perform(_Answers(send=ApiError(400, "M_UNKNOWN", "bad")), Say({"body": "x"}))
