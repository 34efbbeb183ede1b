"""Events and senders as stored JSON."""

import json
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError

from bridge.model.changes import beginning
from bridge.model.event import Event
from bridge.model.people import Sender
from bridge.model.text import Text

_EVENT: TypeAdapter[Event] = TypeAdapter(Event)
_SENDER: TypeAdapter[Sender] = TypeAdapter(Sender)
_TEXT: TypeAdapter[Text] = TypeAdapter(Text)


def load(body: str) -> Event:
    return _EVENT.validate_json(body)


def dump(event: Event) -> str:
    return _dumped(_EVENT, event)


def load_sender(text: str) -> Sender:
    return _SENDER.validate_json(text)


def dump_sender(sender: Sender) -> str:
    return _dumped(_SENDER, sender)


def excerpt(event: Event, characters: int) -> str:
    """The first `characters` characters of its text, as others may quote it: without the words of spoilers, and with
    "…" for the last if there are more."""
    return beginning(event.text, characters).encode(errors="replace").decode()


def load_text(text: str) -> Text:
    return _TEXT.validate_json(text)


def _dumped(adapter: TypeAdapter[Any], value: object) -> str:
    try:
        return adapter.dump_json(value).decode()
    except PydanticSerializationError:  # half a surrogate pair, which others may send and UTF-8 cannot hold
        return json.dumps(adapter.dump_python(value), ensure_ascii=False).encode(errors="replace").decode()
