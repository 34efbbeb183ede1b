"""Events as the text that is stored."""

import json

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError

from bridge.model.event import Event

_EVENT: TypeAdapter[Event] = TypeAdapter(Event)


def load(body: str) -> Event:
    return _EVENT.validate_json(body)


def dump(event: Event) -> str:
    try:
        return _EVENT.dump_json(event).decode()
    except PydanticSerializationError:  # half a surrogate pair: no character, and somebody else's to send
        return json.dumps(_EVENT.dump_python(event), ensure_ascii=False).encode(errors="replace").decode()
