"""docs/reference/configuration.md: every key of the configuration, from the models that read it."""

import inspect
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from bridge.config.schema import schema
from bridge.config.settings import SECTIONS
from bridge.lib.settings import Section

PATH = "docs/reference/configuration.md"

_HEAD = """\
# Every key of the configuration

Made from the program by `make page`. How the file is read, where secrets go, and how changes take effect: see
[Configuration](../configuration.md). A file to start from, with a comment on each key:
[config.example.yaml](../../config.example.yaml). `quackbridge config-schema` prints the same for editors.

A *duration* is a number and a unit (`30s`, `5m`, `12h`, `7d`), a *size* likewise (`500K`, `100M`, `1G`). A *file* is
relative to the folder of the configuration. NAME is a name of your choice.
"""
_MORE: Mapping[str, str] = {
    "bots.brain": "../bots.md",
    "bots.settings": "../bots.md",
    "http.public_url": "../how-to/reverse-proxy.md",
    "http.listen": "../how-to/monitor.md",
    "links.guests": "../users.md",
    "links.ignore": "../configuration.md#whom-to-ignore",
    "links.preview": "../configuration.md#previews",
    "media.cache": "../how-to/reverse-proxy.md#the-cache-of-files",
    "networks.irc.sasl": "../configuration.md#logging-in-to-services",
    "networks.irc.puppets.webirc": "../puppets.md#how-a-network-tells-them-apart",
    "networks.irc.nickserv": "../configuration.md#logging-in-to-services",
    "networks.irc.tls_fingerprints": "../networks.md#a-certificate-of-ones-own",
    "networks.matrix.encryption": "../encryption.md",
    "networks.matrix.recovery_key": "../encryption.md",
    "networks.matrix.trust": "../encryption.md",
    "users.database": "../users.md",
}
"""Pages that say more about a key."""
_KINDS = {"path": "file", "password": "secret", "object": "section", "boolean": "`true` or `false`"}
_SEVERAL = {"text": "texts", "secret": "secrets"}
_DURATION, _SIZE = "[smhdwSMHDW]", "[KMGkmg]"


def page() -> str:
    """Every section with its keys."""
    definitions = schema()["$defs"]
    parts = [_HEAD]
    for place, section in SECTIONS.items():
        parts.append(
            f"## {_title(place)}\n\n{_line(inspect.getdoc(section) or '')}\n\n{_table(place, section, definitions)}"
        )
    return "\n".join(parts)


def _title(place: str) -> str:
    if not place:
        return "Top level"
    kind = re.match(r"networks\.(\w+)", place)
    words = re.sub(r"^networks\.\w+", "networks.NAME", place).replace("*", "NAME")
    return f"{words} (type: {kind[1]})" if kind else words


def _table(place: str, section: type[Section], definitions: Mapping[str, Any]) -> str:
    made = section.model_json_schema(by_alias=True)
    lines = ["| key | what it is | default | meaning |", "|---|---|---|---|"]
    for key, about in made["properties"].items():
        inside = _inside(place, key)
        words = _line(about.get("description") or (inspect.getdoc(SECTIONS[inside[0]]) or "" if inside else ""))
        more = _MORE.get(".".join(part for part in (*place.split("."), key) if part not in ("", "*")))
        if more:
            words += f" ([more]({more}))"
        what = " · ".join(f"[section](#{_anchor(_title(each))})" for each in inside) or _what(about, definitions)
        cells = (f"`{key}`", what, _default(about, what, required=key in made.get("required", ())), words)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _inside(place: str, key: str) -> Sequence[str]:
    """The sections under a key."""
    under = f"{place}.{key}".lstrip(".")
    return [each for each in SECTIONS if re.fullmatch(rf"{re.escape(under)}(\.\*|\.matrix|\.irc)?", each)]


def _anchor(title: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _line(text: str) -> str:
    return " ".join(text.split())


def _what(about: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """The type of a value in plain words."""
    match about:
        case {"$ref": str(ref)}:
            return _what(definitions[ref.rpartition("/")[2]], definitions)
        case {"anyOf": list(kinds)}:
            said = [*dict.fromkeys(_what(each, definitions) for each in kinds if each.get("type") != "null")]
            return " or ".join(each for each in said if not ("size" in said and each == "number"))  # of bytes
        case {"enum": list(words)}:
            return _or([f"`{word}`" for word in words if isinstance(word, str)])
        case {"type": "array", "items": {"enum": _}}:
            return "a list of them"
        case {"type": "array", "items": dict(items)}:
            what = _what(items, definitions)
            return f"list of {_SEVERAL.get(what, what)}"
        case _:
            return _single(about)


def _single(about: Mapping[str, Any]) -> str:
    """The type of a value that has no others in it."""
    if "const" in about:
        return f"`{about['const']}`"
    pattern = about.get("pattern", "")
    if _DURATION in pattern or _SIZE in pattern:
        return "duration" if _DURATION in pattern else "size"
    kind = about.get("format", about.get("type"))
    return f"number{_bounds(about)}" if kind in ("integer", "number") else _KINDS.get(kind, "text")


def _or(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _bounds(about: Mapping[str, Any]) -> str:
    """The bounds of a number, however pydantic spells them."""
    if "gt" in about or "exclusiveMinimum" in about:
        return " above 0"
    low, high = about.get("minimum", about.get("ge")), about.get("maximum", about.get("le"))
    return "" if low is None or high is None else f", {low:,} to {high:,}"


def _default(about: Mapping[str, Any], what: str, *, required: bool) -> str:
    if required:
        return "required"
    value = about.get("default")
    if isinstance(value, dict) or (value is None and "section" in what):
        return ""
    match about:
        case {"anyOf": [{"const": str(word)}, *_]} if value is None:  # as for `members`, where `all` is None
            return f"`{word}`"
    if value in (None, [], "") or (value == 0 and what == "duration"):
        return "none"
    return _as_written(value)


def _as_written(value: object) -> str:
    """A default as it would be written in the file."""
    match value:
        case bool():
            return f"`{str(value).lower()}`"
        case [only]:
            return f"`{only}`"
        case list():
            return f"`{json.dumps(value)}`"
        case float() if value == int(value):
            return f"`{int(value)}`"
        case _:
            return f"`{value}`" if len(str(value)) < 40 else f"“{value}”"
