"""`python -m tests.picture [FILE]` takes the picture anew: docs/pictures/conversation.png."""

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from bridge.demo.people import MatrixPerson
from bridge.demo.pond import CHANNEL, DUCK, MEMBER_ON_IRC, MEMBER_ON_MATRIX, PASSWORD, Pond, dug
from bridge.demo.servers.process import HOST
from tests.picture.clients import PACKAGES, PROGRAMS, Screen, screen

PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "conversation.png"


async def take(file: Path) -> None:
    """Run the demo's servers and its bridge, let two people talk, and photograph their clients."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with (
            dug(folder, print) as pond,
            MatrixPerson(pond.synapse.url, MEMBER_ON_MATRIX, PASSWORD) as alice,
            screen(folder) as shown,
        ):
            await alice.rename("Alice")
            await shown.open_irssi(HOST, pond.irc.port, MEMBER_ON_IRC)
            await shown.sees("local users")
            await shown.say(f"/join {CHANNEL}")
            await shown.sees("Join to")
            await shown.say("/clear")
            await shown.open_nheko(pond.synapse.url, alice, PASSWORD)
            await _talk(shown, pond, alice)
            await shown.fit()
            await shown.photograph(file)


async def _talk(shown: Screen, pond: Pond, alice: MatrixPerson) -> None:
    """Each line is seen on the other side before the next is said."""
    await alice.send(pond.room, "Good morning! Do you read this on IRC?")
    await shown.sees("read this on IRC")
    await shown.say("Loud and clear. I am in irssi, and you?")
    asked = await alice.heard("I am in irssi")
    reply = {"m.relates_to": {"m.in_reply_to": {"event_id": asked.id}}}
    said = {"msgtype": "m.text", "body": "In nheko, on Matrix."}
    await alice.send_event(pond.room, "m.room.message", {**said, **reply})
    await shown.sees("In nheko")
    await alice.send_html(pond.room, "No bridge was ever *this* quick", "No bridge was ever <b>this</b> quick")
    await shown.sees("quick")
    await shown.say("/me throws some bread")
    await alice.heard("throws some bread")
    await shown.say(f"{DUCK}: roll 2d6")
    await shown.sees("2d6:")
    await alice.send(pond.room, "Thank you, duck. See you tomorrow!")
    await shown.sees("See you tomorrow")
    await asyncio.sleep(3)


def main() -> None:
    """Take the picture, or say what it needs."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        sys.exit(f"The picture needs {', '.join(missing)}: apt-get install {PACKAGES}")
    asyncio.run(take(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE))


if __name__ == "__main__":
    main()
