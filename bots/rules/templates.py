"""Templates of answers: text with captures, a person's variables, and what is known of who asks. Pure.

    {name} {user} {role} {link} {network} {bot}      of the question
    <star> <star2> <botstar>                         what the wildcards of the pattern, and of `after`, stood for
    <get city> <get city|somewhere> <set city=<star>>    the person's variables
    <topic=quiz> <topic=>                            begins a topic, ends it
    <forget>                                         forgets the person's variables

What strangers said stays what it is: it has no markup, and is no template.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from bots.rules.problems import Wrong
from bridge.model.text import Span, Style, Text, merge, one_line

LONGEST = 2_000
"""Characters of a template, and of an answer."""
VALUE = 200
"""Characters of a variable at most."""
_DEPTH = 4
FIELDS = ("name", "user", "role", "link", "network", "bot")
_LEXEME = re.compile(r"\{[a-z]*\}|<[a-z]+[0-9]?|[|=>]|\*\*|\*|[^{<|=>*]+|[{<]")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,29}")
_STYLES = {"**": Style.BOLD, "*": Style.ITALIC}


@dataclass(frozen=True, slots=True)
class Field:
    name: str


@dataclass(frozen=True, slots=True)
class Star:
    """A capture of the pattern; of `after` if `of_bot`. `number` counts from 1."""

    number: int
    of_bot: bool = False


@dataclass(frozen=True, slots=True)
class Get:
    name: str
    otherwise: str


@dataclass(frozen=True, slots=True)
class Set:
    name: str
    value: "Template"


@dataclass(frozen=True, slots=True)
class Enter:
    name: str


@dataclass(frozen=True, slots=True)
class Forget:
    pass


@dataclass(frozen=True, slots=True)
class Turned:
    """Bold or italics begin or end here."""

    style: Style


Piece: TypeAlias = str | Field | Star | Get | Set | Enter | Forget | Turned
Template: TypeAlias = tuple[Piece, ...]


@dataclass(slots=True)
class Known:
    """What templates are filled in with, and what they change: `variables`, `topic`, `forgets`."""

    fields: Mapping[str, str]
    variables: dict[str, str]
    topic: str
    stars: tuple[str, ...] = ()
    bot_stars: tuple[str, ...] = ()
    forgets: bool = field(default=False)


def parse(text: str) -> Template:
    """The pieces of a template. Raises Wrong."""
    if len(text) > LONGEST:
        raise Wrong(f"an answer has at most {LONGEST} characters")
    reader = _Reader(text)
    return tuple(reader.pieces(0))


def stars(template: Template) -> Iterator[Star]:
    """Each capture that `template` names."""
    for piece in template:
        if isinstance(piece, Star):
            yield piece
        elif isinstance(piece, Set):
            yield from stars(piece.value)


def fill(template: Template, known: Known) -> Text:
    """`template` as text. Changes `known` as the template says."""
    spans: list[Span] = []
    style = Style.PLAIN
    for piece in template:
        if isinstance(piece, Turned):
            style ^= piece.style
        else:
            spans.append(Span(_filled(piece, known), style))
    return _cut(merge(spans))


def _filled(piece: Piece, known: Known) -> str:
    match piece:
        case str():
            return piece
        case Field(name):
            return one_line(known.fields.get(name, ""))
        case Star(number, of_bot):
            found = known.bot_stars if of_bot else known.stars
            return one_line(found[number - 1], VALUE) if number <= len(found) else ""
        case Get(name, otherwise):
            return one_line(known.variables.get(name, otherwise), VALUE)
        case Set(name, value):
            known.variables[name] = one_line("".join(span.text for span in fill(value, known)), VALUE).strip()
        case Enter(name):
            known.topic = name
        case Forget():
            known.forgets = True
            known.variables.clear()
        case Turned():
            pass
    return ""


def _cut(text: Text) -> Text:
    left, spans = LONGEST, []
    for span in text:
        spans.append(span.with_text(span.text[:left]))
        left -= len(spans[-1].text)
    return merge(spans)


class _Reader:
    """Reads the lexemes of one template."""

    def __init__(self, text: str) -> None:
        self._lexemes = iter(_LEXEME.findall(text))

    def pieces(self, depth: int) -> Iterator[Piece]:
        """What stands before the end; in a tag, before its `>`."""
        if depth > _DEPTH:
            raise Wrong(f"tags are nested deeper than {_DEPTH}")
        for lexeme in self._lexemes:
            if lexeme == ">" and depth:
                return
            if lexeme.startswith("{"):
                yield self._field(lexeme)
            elif lexeme.startswith("<") and len(lexeme) > 1:
                yield self._tag(lexeme[1:], depth)
            elif lexeme in _STYLES and not depth:
                yield Turned(_STYLES[lexeme])
            else:
                yield lexeme
        if depth:
            raise Wrong("'>' is missing: a tag is not closed")

    @staticmethod
    def _field(lexeme: str) -> Piece:
        if lexeme[1:-1] not in FIELDS:
            known = ", ".join(f"{{{each}}}" for each in FIELDS)
            raise Wrong(f"there is no {lexeme}: say one of {known}")
        return Field(lexeme[1:-1])

    def _tag(self, tag: str, depth: int) -> Piece:
        kind, number = (tag[:-1], int(tag[-1])) if tag[-1].isdigit() else (tag, 1)
        if kind in ("star", "botstar") and number:
            self._end(tag)
            return Star(number, kind == "botstar")
        if tag == "forget":
            self._end(tag)
            return Forget()
        if tag == "get":
            name, _, otherwise = self._rest(tag).partition("|")
            return Get(named(name), otherwise.strip())
        if tag == "topic":
            name = self._rest(tag).removeprefix("=").strip()
            return Enter(named(name) if name else "")
        if tag == "set":
            return self._set(depth)
        raise Wrong(f"there is no tag <{tag}>")

    def _set(self, depth: int) -> Set:
        name = next(self._lexemes, "")
        if next(self._lexemes, "") != "=":
            raise Wrong("a variable is set like this: <set city=<star>>")
        return Set(named(name), tuple(self.pieces(depth + 1)))

    def _rest(self, tag: str) -> str:
        """What stands before the `>` of a tag that has no tags inside."""
        said = ""
        for lexeme in self._lexemes:
            if lexeme == ">":
                return said
            if lexeme.startswith(("<", "{")):
                break
            said += lexeme
        raise Wrong(f"'>' is missing: <{tag}> is not closed")

    def _end(self, tag: str) -> None:
        if next(self._lexemes, "") != ">":
            raise Wrong(f"'>' is missing: <{tag}> is not closed")


def named(name: str) -> str:
    if not _NAME.fullmatch(name.strip()):
        raise Wrong(f"{one_line(name.strip(), 40)!r} is no name of a variable or topic: small letters, digits, - and _")
    return name.strip()
