"""The cases as a page for people: docs/what-becomes-what.md."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.cases.case import RE, START, Case, Direction, Seen, Step
from tests.cases.readable import readable

PAGE = Path(__file__).parents[2] / "docs" / "what-becomes-what.md"
_HEAD = """\
# What becomes of what people say

What people see on the other network, for each thing that they can do. The tests play every row on a real homeserver and
on real IRC servers. `scripts/what-becomes-what` writes this page.

- Alice, bob, carol and dora are members; carol is caz on IRC. The others are guests, in a link that carries them.
- A number before a step or a line says which step it comes from.
- On IRC, `{bold}`, `{italic}`, `{04,00}` and the like stand for formatting codes, `{plain}` for their end. Names before
  the words have a colour each. A line that answers another has the tag `+draft/reply`, where the server has tags.
- On Matrix, names before the words are left out by clients that show a name and a picture for each message (MSC4144).
- Settings of the link that a row needs are named in it; links to files and texts are made in those rows alone that name
  `media.links`. Reactions on IRC and answers by tags need a server with message
  tags; removals on IRC, which are not in the table, one with `draft/message-redaction`.
"""
_LINES = 10
"""Most lines of a cell, and of a message."""
_COMMAND = re.compile(r"(?:@(\S+) )?(\S+)(?: \{channel\})?(?: :?(.*))?", re.DOTALL)
_ACTION = re.compile("\x01ACTION (.*)\x01")
_NUMBER = re.compile(r"\$([0-9])(?![\w-])")


def document(cases: Sequence[Case]) -> str:
    """The page about `cases`."""
    return "\n".join([_HEAD, *(line for direction in Direction for line in _table(direction, cases))])


def _table(direction: Direction, cases: Sequence[Case]) -> Iterator[str]:
    here, there = direction.split(" to ")
    yield f"## {direction}\n"
    yield f"| what | on {here} | on {there} |"
    yield "|---|---|---|"
    for case in cases:
        if case.direction is direction:
            yield f"| {_title(case)} | {_cell(_done(case))} | {_cell(_shown(case))} |"
    yield ""


def _title(case: Case) -> str:
    settings = ", ".join(f"`{key}: {value}`" for key, value in case.settings.items())
    return f"{case.title}{f' ({settings})' if settings else ''}"


def _done(case: Case) -> Iterator[str]:
    for number, step in enumerate(case.steps, 1):
        yield f"{f'{number}. ' if len(case.steps) > 1 else ''}{_step(step)}"


def _shown(case: Case) -> Iterator[str]:
    for number, step in enumerate(case.steps, 1):
        for seen in step.seen:
            yield f"{f'{number}. ' if len(case.steps) > 1 else ''}{_seen(seen)}"
    if not any(step.seen for step in case.steps):
        yield "nothing"


def _step(step: Step) -> str:
    if not step.who:
        return f"*{step.does}{' again' if step.does == START else ''}*"
    does = _on_irc(step.does) if isinstance(step.does, str) else _on_matrix(step.does)
    return f"{step.who}{does}"


def _on_irc(line: str) -> str:
    found = _COMMAND.fullmatch(line)
    assert found is not None
    tags, command, words = found[1] or "", found[2], found[3] or ""
    answered = _NUMBER.search(tags)
    match command:
        case "PRIVMSG" if action := _ACTION.fullmatch(words):
            return f": {_code(f'/me {action[1]}')}"
        case "PRIVMSG":
            return f"{f' answers {answered[1]}' if answered else ''}: {_code(readable(words))}"
        case "NOTICE":
            return f", a notice: {_code(words)}"
        case "TAGMSG":
            _, _, tag = tags.partition(";")
            return f" on {answered[1] if answered else '?'}: {_code(tag)}"
        case _:
            return f": {_code(f'/{command.lower()} {words}'.strip())}"


def _on_matrix(does: Mapping[str, Any]) -> str:
    content = does.get("content", {})
    match does["type"]:
        case "m.room.message":
            return _said(content)
        case "m.reaction":
            relation = content["m.relates_to"]
            name = f" ({content['shortcode']})" if "shortcode" in content else ""
            return f" reacts to {_named(relation['event_id'])}: {relation['key']}{name}"
        case "redact":
            reason = f": {_code(does['reason'])}" if does["reason"] else ""
            return f" removes {_named(does['target'])}{reason}"
        case "m.room.topic":
            return f" sets the topic: {_code(content['topic'])}"
        case "m.sticker":
            return f" sends a sticker: {_code(content['body'])}"
        case "m.poll.start" | "m.poll.response" | "m.poll.end":
            return _of_a_poll(does["type"], content)
        case "kick":
            return f" removes {does['who']}: {_code(does['reason'])}"
        case "rename":
            return f" takes the name {_code(does['name'])}"
        case kind:
            return {"join": " joins", "leave": " leaves"}[kind]


def _of_a_poll(kind: str, content: Mapping[str, Any]) -> str:
    if kind == "m.poll.start":
        poll = content["m.poll"]
        said = (each["m.text"][0]["body"] for each in (poll["question"], *poll["answers"]))
        return f" asks in a poll: {', '.join(map(_code, said))}"
    about = _named(content["m.relates_to"]["event_id"])
    return (
        f" ends {about}" if kind == "m.poll.end" else f" answers {about}: {_code(', '.join(content['m.selections']))}"
    )


def _said(content: Mapping[str, Any]) -> str:
    relation = content.get("m.relates_to", {})
    said, how = content, ""
    if relation.get("rel_type") == "m.replace":
        said, how = content["m.new_content"], f" edits {_named(relation['event_id'])}"
    elif relation.get("rel_type") == "m.thread":
        how = f" in the thread of {_named(relation['event_id'])}"
    elif "m.in_reply_to" in relation:
        how = f" answers {_named(relation['m.in_reply_to']['event_id'])}"
    kind = "" if said["msgtype"] == "m.text" else f", `{said['msgtype']}`"
    more = [f"`{key}` {_code(str(said[key]))}" for key in ("filename", "geo_uri") if key in said]
    more += [_code(item["body"]) for item in said.get("itemtypes", ())]
    words = _code(said.get("formatted_body") or said["body"]) if said["body"] else "nothing"
    return f"{how}{kind}: {', '.join([words, *more])}"


def _seen(seen: Seen) -> str:
    if isinstance(seen, str):
        line, _, answered = seen.partition(RE)
        return _code(line) + (f" (answers {_named(answered.strip())})" if answered else "")
    if "reacts" in seen:
        return f"{seen['reacts']} on {_named(seen['to'])}"
    if "removes" in seen:
        return f"{_named(seen['removes'])} is removed"
    if "topic" in seen:
        return f"the topic: {_code(seen['topic'])}"
    how = [f"`{seen['msgtype']}`"] if "msgtype" in seen else []
    how += [f"{verb} {_named(seen[key])}" for key, verb in _RELATIONS.items() if key in seen]
    how += [f"pings {_code(', '.join(seen['mentions']))}"] if "mentions" in seen else []
    html = f"; as HTML: {_code(seen['html'])}" if "html" in seen else ""
    related = f" ({', '.join(how)})" if how else ""
    return f"{_code(seen['body'])}{html}{related}"


_RELATIONS = {"edits": "edits", "replies to": "answers", "in the thread of": "in the thread of"}


def _named(step: str) -> str:
    found = _NUMBER.fullmatch(step)
    return found[1] if found else "what nobody knows"


def _code(text: str) -> str:
    """`text` as code in a cell, with signs for line breaks and for blanks that would not be seen."""
    first, *more = text.split("\n")
    if len(more) > _LINES:
        text = "\n".join([first, more[0], "…", more[-1]])
    text = text.replace("\n", "⏎").replace("\t", "⇥").replace("\u00a0", "{nbsp}").replace("|", "\\|")
    text = re.sub(" (?= )|^ | $", "␣", text)
    fence = "``" if "`" in text else "`"
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _cell(every: Iterator[str]) -> str:
    lines = [*every]
    if len(lines) > _LINES:
        lines = [*lines[:2], f"… ({len(lines) - 4} more)", *lines[-2:]]
    return "<br>".join(lines)
