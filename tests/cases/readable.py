"""What people see, in writing: lines of IRC and events of Matrix without what all of them have."""

import re
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

_CODES = {
    "\x02": "{bold}",
    "\x1d": "{italic}",
    "\x1f": "{underline}",
    "\x1e": "{strike}",
    "\x11": "{mono}",
    "\x16": "{reverse}",
    "\x0f": "{plain}",
    "\u200b": "{guard}",
    "\u00a0": "{nbsp}",
}
_COLOUR = re.compile("\x03([0-9]{2}(?:,[0-9]{2})?)?")
_NAME = re.compile(r"((?:\[[^]]*\] )?(?:<|\* ))" + "\x03[0-9]{2}([^\x03\x0f]*)\x0f")
_TOKEN = re.compile(r"(https://pond\.social/[mt]/)[A-Za-z0-9_-]{48}")
_FALLBACK = re.compile(r"<strong data-mx-profile-fallback>(.*?): </strong>")
_MARK = re.compile(r"^<([^>]*)> ", re.MULTILINE)

Ids = Callable[[str], str]
"""The step, as `$1`, that an id on the network is of."""


def readable(line: str) -> str:
    """A line with names for its formatting codes, and `...` for the signed part of our links; the name at its beginning
    is without its colour."""
    line = _NAME.sub(r"\1\2", line, count=1) if _NAME.match(line) else line
    line = _TOKEN.sub(r"\1...", line)
    line = _COLOUR.sub(lambda code: f"{{{code[1] or 'no colour'}}}", line)
    return "".join(_CODES.get(sign, sign) for sign in line)


def shown(kind: str, content: Mapping[str, Any], ids: Ids) -> dict[str, Any]:
    """What an event of that type does. `html` is there if it says more than `body`; its lines have no names."""
    match kind:
        case "m.reaction":
            relation = content.get("m.relates_to", {})
            return {"reacts": relation.get("key"), "to": ids(relation.get("event_id", ""))}
        case "m.room.redaction":
            reason = {"reason": content["reason"]} if content.get("reason") else {}
            return {"removes": ids(content.get("redacts", "")), **reason}
        case "m.room.topic":
            return {"topic": content.get("topic")}
        case "m.room.message":
            return _message(content, ids)
        case _:
            return {"type": kind, **content}


def _message(content: Mapping[str, Any], ids: Ids) -> dict[str, Any]:
    relation = content.get("m.relates_to", {})
    if relation.get("rel_type") == "m.replace":
        return {"edits": ids(relation["event_id"]), **_words(content["m.new_content"], content)}
    related: dict[str, Any] = {}
    if relation.get("rel_type") == "m.thread":
        related["in the thread of"] = ids(relation["event_id"])
    if "m.in_reply_to" in relation and not relation.get("is_falling_back"):
        related["replies to"] = ids(relation["m.in_reply_to"]["event_id"])
    return {**related, **_words(content, content)}


def _words(new: Mapping[str, Any], outer: Mapping[str, Any]) -> dict[str, Any]:
    words: dict[str, Any] = {"msgtype": new["msgtype"]} if new["msgtype"] != "m.text" else {}
    words["body"] = body = new["body"]
    html = _FALLBACK.sub("", new.get("formatted_body", ""))
    plain = "<br>".join(escape(each) for each in _MARK.sub("", body).split("\n"))
    if html and html != plain:
        words["html"] = html
    if users := outer.get("m.mentions", {}).get("user_ids"):
        words["mentions"] = users
    if outer.get("m.mentions", {}).get("room"):
        words["mentions"] = "@room"
    profile = new.get("com.beeper.per_message_profile", {}).get("displayname", "")
    named = _MARK.match(body)
    if (named and named[1] != profile) or (not named and profile and not body.startswith(f"* {profile}")):
        words["profile"] = profile
    return words
