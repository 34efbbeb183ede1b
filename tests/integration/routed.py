"""A program for a network namespace of its own, to which a prefix is routed: its last line says from where two members
connect, as InspIRCd shows it to somebody who asks by WHOIS."""

import asyncio
import sys
from pathlib import Path

from bridge.demo.servers import InspIRCd
from bridge.demo.servers.process import free_port
from tests.integration.puppets import member, pond, says

PREFIX = "2001:db8:1::/64"


async def main(folder: Path) -> None:
    port = free_port()
    listens = f'<bind address="::1" port="{port}" type="clients">'
    puppets, hosts = {"source": PREFIX}, list[str]()
    async with (
        InspIRCd(folder, extra=listens) as server,
        pond(server, server=f"[::1]:{port}", bind="::1", puppets=puppets) as (us, bob),
    ):
        for name in ("ann", "bea"):
            await says(us, member(name), f"quack of {name}")
            await bob.heard(f"quack of {name}")
            hosts.append((await bob.ask(f"WHOIS {name}", lambda line: line.command == "311")).params[3])
    sys.stdout.write(" ".join(hosts) + "\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
