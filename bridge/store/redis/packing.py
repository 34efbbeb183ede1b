"""Events, posts and what is known of them, as the scripts take and give them: lists and objects of JSON. Times are
decimal strings, because Lua's JSON would round them."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bridge.model.accounting import Count, Loss
from bridge.model.event import BOTS, Edit, Event, EventKey, Kind, Media, Message, Origin, Redaction, Room
from bridge.model.history import PastOutage
from bridge.model.outbox import Backlog, Entry, Hosted, Known, Owed, Post, State, handle, text_handle
from bridge.store.contract import Commit
from bridge.store.tables.bodies import dump, dump_sender, excerpt, load, load_sender
from bridge.store.tables.files import kept_text
from bridge.store.tables.queue import with_edits

Json = dict[str, Any]


def decimal(time: float) -> str:
    """A time or a span, with all its digits."""
    return repr(float(time))


def room(of: Room) -> Json:
    return {"network": of.network, "room": of.id}


def key(event: EventKey) -> list[str]:
    return [event.room.network, event.room.id, event.id]


def read_key(parts: Sequence[str]) -> EventKey:
    network, name, event = parts
    return EventKey(Room(network, name), event)


def in_order(found: Iterable[Any], order: Callable[[Any], tuple[Any, ...]]) -> list[Any]:
    """`found` in the order of SQL: by the bytes of texts."""
    return sorted(found, key=lambda each: tuple(_bytes(part) for part in order(each)))


def _bytes(part: Any) -> Any:
    return part.encode() if isinstance(part, str) else part


# Events


def commit(wanted: Commit, characters: int) -> Json:
    """`characters` are kept of each message as its excerpt."""
    events = {event.key: event for event in wanted.events}
    numbers = {event: number for number, event in enumerate(events, 1)}
    offers: dict[Room, list[Json]] = {}
    for post in wanted.posts:
        offers.setdefault(post.room, []).append(pack_post(post))
    return {
        "expect": wanted.expect,
        "cursor": wanted.cursor,
        "events": [_event(event, characters) for event in events.values()],
        "deliveries": [
            {
                **room(each.room),
                "id": each.id,
                "event": numbers[each.event],
                "ahead": each.ahead,
                "gather": decimal(each.gather),
            }
            for each in wanted.deliveries
        ],
        "removed": [key(each.body.target) for each in events.values() if isinstance(each.body, Redaction)],
        "offers": [{**room(to), "posts": posts} for to, posts in offers.items()],
        "counts": [_count(each) for each in wanted.counts],
        "changes": dict(wanted.changes),
        "told": [_told(loss) for loss in wanted.told],
    }


_COUNTED = 200  # characters kept of a count's reason


def _count(each: Count) -> list[str]:
    return [each.room.network, each.room.id, each.what, each.reason[:_COUNTED]]


def _told(loss: Loss) -> Json:
    return {**room(loss.room), "reason": loss.reason, "number": loss.number, "till": decimal(loss.until)}


def _event(event: Event, characters: int) -> Json:
    """Private events get no sender and no excerpt, so nothing of them is kept once the body is gone."""
    body, stored = event.body, dump(event)
    thread = body.thread.id if isinstance(body, Message) and body.thread else ""
    return {
        **room(event.room),
        "id": event.id,
        "type": body.type,
        "origin": event.origin,
        "sender": None if event.private else dump_sender(event.sender),
        "excerpt": "" if event.private else excerpt(event, characters),
        "target": key(event.target) if event.target is not None else None,
        "refers": [key(each) for each in event.refers],
        "thread": thread,
        "kind": body.kind if isinstance(body, Message | Edit) else Kind.TEXT,
        "time": decimal(event.time),
        "older": event.origin is Origin.REPLAYED or event.overtaken,
        "body": stored,
        "size": len(stored.encode()),
        "guest": event.sender.is_guest and event.room.network != BOTS and not event.private,
        "whole": _whole(event),
        "media": [_file(event, each) for each in body.media if each.until and each.source]
        if isinstance(body, Message | Edit)
        else [],
    }


def _whole(event: Event) -> Json | None:
    """The whole text of an event; None if there cannot be a link to it."""
    body = event.body
    if not isinstance(body, Edit) and not (isinstance(body, Message) and event.text_until):
        return None
    text = kept_text(body)
    return {"handle": text_handle(event), "text": text, "size": len(text.encode()), "expires": event.text_until}


def _file(event: Event, media: Media) -> Json:
    size = "" if media.size is None else str(media.size)
    about = {"kind": media.kind, "name": media.name, "mime": media.mime, "source": media.source}
    return {**about, "handle": handle(event, media), "size": size, "expires": media.until}


def read_hosted(found: Json | None) -> Hosted | None:
    if found is None:
        return None
    file = found["file"]
    size = int(file["size"]) if file["size"] else None
    media = Media(file["kind"], file["name"], size, file["mime"], file["source"], until=int(file["until"]))
    return Hosted(read_key(found["event"]), media)


def read_known(found: Json) -> Known:
    source = read_key(found["source"])
    if "type" not in found:
        return Known(source, ids=tuple(found["ids"]))
    return Known(
        source,
        load_sender(found["who"]) if found["who"] else None,
        found["excerpt"],
        tuple(Room(*place) for place in found["rooms"]),
        tuple(found["ids"]),
        before=found.get("before", ""),
        last=found.get("last", False),
        thread=found.get("thread") or "",
        removed=found["removed"],
        type=found["type"],
        kind=Kind(found["kind"]),
    )


# Posts and what waits


def pack_post(post: Post) -> Json:
    return {"id": post.id, "deliveries": post.deliveries, "payload": post.payload}


def read_posts(to: Room, found: Iterable[Sequence[Any]]) -> tuple[Post, ...]:
    return tuple(Post(post, to, tuple(deliveries), payload) for post, deliveries, payload in found)


def read_owed(to: Room, found: Json, now: float) -> Owed:
    event = load(found["body"])
    edits = {delivery: load(body) for delivery, body in found["edits"]}
    if isinstance(event.body, Message):
        event = with_edits(event, edits.values())
    context = {read_key(refers): read_known(known) for refers, known in found["context"]}
    said = float(found["said"])
    return Owed(found["delivery"], to, event, context, said, max(0.0, now - said), tuple(edits))


def read_backlog(network: str, found: Json, now: float) -> Backlog:
    to = Room(network, found["room"])
    owed = tuple(read_owed(to, each, now) for each in found["owed"])
    return Backlog(to, read_posts(to, found["posts"]), owed, found["attempts"])


def read_outbox(found: Iterable[Json]) -> list[Entry]:
    listed = in_order(found, lambda each: (each["network"], each["room"], int(each["seq"])))
    return [
        Entry(
            each["id"],
            load(each["body"]),
            Room(each["network"], each["room"]),
            State(each["state"]),
            float(each["since"]),
            int(each.get("attempts") or 0),
            each["reason"] or "",
        )
        for each in listed
    ]


def read_losses(network: str, found: Iterable[Any]) -> list[Loss]:
    listed = in_order(found, lambda each: tuple(each[0]))
    return [
        Loss(Room(network, name), reason, number, float(since), float(until))
        for (name, reason), (number, since, until) in listed
    ]


def read_outages(found: Iterable[Json]) -> list[PastOutage]:
    listed = in_order(found, lambda each: (float(each["began"]), each["network"], each["room"]))
    return [
        PastOutage(Room(each["network"], each["room"]), float(each["began"]), read_time(each["ended"]), each["reason"])
        for each in listed
    ]


def read_time(found: str | None) -> float | None:
    return float(found) if found is not None else None


def in_order_of_rooms(outages: Sequence[PastOutage]) -> list[PastOutage]:
    return sorted(outages, key=lambda each: each.room.id.encode())
