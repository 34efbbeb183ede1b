"""A person on Matrix whose client encrypts: nio with a store of its own, none of our code."""

import asyncio
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from nio import AsyncClient, AsyncClientConfig, Event, LoginResponse, MegolmEvent, SyncResponse

_PASSWORD = "quack-quack"
_PATIENCE = 20.0


class SealedPerson:
    """Logs in on entering the context; the account has to be there. What is said in its rooms is in `heard`, opened;
    what is sent to its device is in `posted`."""

    def __init__(self, url: str, name: str, folder: Path) -> None:
        self.heard: list[Event] = []
        self.posted: list[Any] = []
        folder.mkdir(parents=True, exist_ok=True)
        config = AsyncClientConfig(encryption_enabled=True, store_sync_tokens=False)
        self.client = AsyncClient(url, name, store_path=str(folder), config=config)
        self._news = asyncio.Condition()

    @property
    def user_id(self) -> str:
        return str(self.client.user_id)

    @property
    def texts(self) -> list[str]:
        """What was said: opened texts; `?` and the session for what cannot be opened."""
        return [_text(event) for event in self.heard]

    async def __aenter__(self) -> Self:
        found = await self.client.login(_PASSWORD)
        assert isinstance(found, LoginResponse), found
        await self._step(0)
        self._listening = asyncio.create_task(self._listen(), name=f"{self.user_id} listens")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.cancel()
        await asyncio.wait([self._listening])
        await self.client.close()

    async def say(self, room: str, text: str, **more: Any) -> str:
        """Say it sealed; returns the id of the event."""
        return await self.put(room, "m.room.message", {"msgtype": "m.text", "body": text, **more})

    async def put(self, room: str, kind: str, content: Mapping[str, Any]) -> str:
        """Send an event, sealed if the room is encrypted."""
        async with asyncio.timeout(_PATIENCE):
            found = await self.client.room_send(
                room, kind, dict(content), tx_id=uuid.uuid4().hex, ignore_unverified_devices=True
            )
        return str(found.event_id)

    async def hears(self, text: str, *, sealed: bool = True) -> Event:
        """The first message with `text`, which was `sealed` or not."""

        def found() -> Event | None:
            there = (event for event in self.heard if text in _text(event) and event.decrypted == sealed)
            return next(there, None)

        try:
            async with asyncio.timeout(_PATIENCE), self._news:
                await self._news.wait_for(lambda: found() is not None)
        except TimeoutError:
            raise AssertionError(f"{text!r} was not heard, but {self.texts}") from None
        event = found()
        assert event is not None
        return event

    async def enters(self, room: str) -> None:
        """Return when this client has heard that it is in a room."""
        async with asyncio.timeout(_PATIENCE), self._news:
            await self._news.wait_for(lambda: room in self.client.rooms)

    async def knows(self, room: str, user: str) -> None:
        """Return when this client knows that `user` is in an encrypted room: then it gives them its keys."""

        def found() -> bool:
            there = self.client.rooms.get(room)
            return there is not None and there.encrypted and user in there.users

        async with asyncio.timeout(_PATIENCE), self._news:
            await self._news.wait_for(found)

    async def _listen(self) -> None:
        while True:
            await self._step(10_000)

    async def _step(self, timeout: int) -> None:
        found = await self.client.sync(timeout=timeout, full_state=self.client.next_batch == "")
        if not isinstance(found, SyncResponse):
            await asyncio.sleep(0.2)
            return
        for room in found.rooms.invite:
            await self.client.join(room)
        if self.client.should_upload_keys:
            await self.client.keys_upload()
        if self.client.should_query_keys:
            await self.client.keys_query()
        with suppress(Exception):
            await self.client.send_to_device_messages()
        async with self._news:
            self.posted += filter(None, found.to_device_events)
            for room, news in found.rooms.join.items():
                for event in news.timeline.events:
                    event.room = room
                    self.heard.append(event)
            self._news.notify_all()


def _text(event: Event) -> str:
    if isinstance(event, MegolmEvent):
        return f"? {event.session_id}"
    return str(event.source.get("content", {}).get("body", ""))
