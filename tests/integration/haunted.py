"""A homeserver that knows our application service, and what it tells of ghosts."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bridge.demo.people import MatrixPerson
from bridge.demo.people.matrix import MatrixError
from bridge.demo.servers import Synapse
from bridge.matrix.ghosts.registration import Tokens, registration, token_file


def haunted(folder: Path, *, knows_us: bool = True, url: str | None = None) -> Synapse:
    """A homeserver with the registration of the network `home`, whose tokens are in `folder`. `url`: where it reaches
    us."""
    server = Synapse(folder / "synapse", extra={"app_service_config_files": [str(folder / "registration.yaml")]})
    tokens = Tokens.kept(token_file(None, "home", folder / "data"))
    if not knows_us:
        tokens = Tokens("other" * 8, "another" * 8)
    (folder / "registration.yaml").write_text(registration(tokens, "home", server.server_name, url))
    return server


@asynccontextmanager
async def haunted_server(folder: Path) -> AsyncGenerator[Synapse, None]:
    async with haunted(folder) as server:
        yield server


async def member(person: MatrixPerson, place: str, user: str) -> dict[str, Any]:
    """What the room says of `user`; nothing if they were never there."""
    try:
        return await person.call("GET", f"rooms/{quote(place)}/state/m.room.member/{quote(user)}")
    except MatrixError as error:
        if error.code != "M_NOT_FOUND":
            raise
        return {}


async def profile(person: MatrixPerson, user: str) -> dict[str, Any]:
    return await person.call("GET", f"profile/{quote(user)}")


async def remove(person: MatrixPerson, place: str, user: str, how: str, reason: str = "") -> None:
    """Kick, ban or unban."""
    await person.call("POST", f"rooms/{quote(place)}/{how}", {"user_id": user, "reason": reason})
