"""Servers that only tests need: ngIRCd (plain RFC), Anope (who proves who somebody is), and ZNC (a bouncer)."""

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bridge.demo.people import Heard, IrcPerson
from bridge.demo.servers import InspIRCd, Process
from bridge.demo.servers.inspircd import SERVICES, SERVICES_PASSWORD
from bridge.demo.servers.process import HOST, which

_numbers = itertools.count(1)
_ZNC_PASSWORD = "secret"


@asynccontextmanager
async def plain_port(greeting: bytes = b"") -> AsyncGenerator[int, None]:
    """A port that takes connections without TLS, and says nothing but `greeting`."""
    held: list[asyncio.StreamWriter] = []

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        writer.write(greeting)

    server = await asyncio.start_server(greet, HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for writer in held:
            writer.close()


def unique(word: str) -> str:
    """`word` with a number that no other test has: servers are shared by all of a run. Letters and digits only."""
    return f"{word}{os.getpid() % 10000:04}{next(_numbers):03}"


class NgIrcd(Process):
    """ngIRCd 26: no IRCv3, no services, no flood limits; with `each`, so many connections from an address at most, with
    `limits`, the flood limits that it has by default; `extra` are more lines of its options."""

    program = "ngircd"
    mask_host = HOST
    """It shows addresses, since it is told not to ask DNS."""

    def __init__(self, folder: Path, *, each: int = 0, limits: bool = False, extra: str = "") -> None:
        super().__init__(folder)
        self._extra = extra
        self._each = each
        self._limits = limits

    def command(self) -> Sequence[str]:
        return (which(self.program) or self.program, "-n", "-f", str(self.folder / "ngircd.conf"))

    def prepare(self) -> None:
        owner = f"ServerUID = {os.getuid()}\nServerGID = {os.getgid()}\n" if os.getuid() == 0 else ""
        (self.folder / "ngircd.conf").write_text(
            "[Global]\nName = plain.test\nInfo = test\nAdminInfo1 = test\nMotdPhrase = quack\n"
            f"Ports = {self.port}\nListen = {HOST}\n{owner}"
            f"[Limits]\nMaxConnectionsIP = {self._each}\nMaxJoins = 0\nMaxNickLength = 30\n"
            f"{'' if self._limits else 'MaxPenaltyTime = 0'}\n"
            f"[Options]\nPAM = no\nDNS = no\n{self._extra or 'Ident = no'}\n"
        )


class Znc(Process):
    """ZNC 1.8, a bouncer that is in `channel` as `nick` on the server at port `upstream`. With `tls`, a certificate and
    its key (PEM), clients have to use TLS."""

    program = "znc"
    password = f"duck/net:{_ZNC_PASSWORD}"

    def __init__(self, upstream: int, nick: str, channel: str, *, tls: tuple[Path, Path] | None = None) -> None:
        super().__init__(Path(tempfile.mkdtemp(prefix="znc")))  # it does not run as root, who owns the test's folders
        self._upstream = upstream
        self._nick = nick
        self._channel = channel
        self._tls = tls

    def command(self) -> Sequence[str]:
        other = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups") if os.getuid() == 0 else ()
        return (*other, which(self.program) or self.program, "--foreground", "--datadir", str(self.folder))

    def prepare(self) -> None:
        configs = self.folder / "configs"
        configs.mkdir()
        names = {"port": self.port, "upstream": self._upstream, "nick": self._nick, "channel": self._channel}
        secure = "true" if self._tls else "false"
        (configs / "znc.conf").write_text(_BOUNCER % {**names, "tls": secure, "folder": self.folder})
        (self.folder / "own.pem").write_bytes(b"".join(file.read_bytes() for file in self._tls or ()))
        if os.getuid() == 0:
            for path in (self.folder, configs, configs / "znc.conf", self.folder / "own.pem"):
                os.chown(path, 65534, 65534)

    async def __aexit__(self, *raised: Any) -> None:
        await super().__aexit__(*raised)
        shutil.rmtree(self.folder)


class Anope(Process):
    """Anope 2.0 linked to `irc`, an InspIRCd with `services=True` that runs: NickServ, SASL, account-tag."""

    program = "anope"

    def __init__(self, folder: Path, irc: InspIRCd) -> None:
        super().__init__(folder)
        self.irc = irc

    def command(self) -> Sequence[str]:
        folders = (f"--{name}dir={self.folder / name}" for name in _FOLDERS)
        return (which(self.program) or self.program, "-n", *folders, "--modulesdir=/usr/lib/anope")

    def prepare(self) -> None:
        for name in _FOLDERS:
            (self.folder / name).mkdir()
        (self.folder / "lib").symlink_to("/usr/lib/anope")
        (self.folder / "conf" / "empty").touch()
        settings = _SERVICES.replace("{d}", str(self.folder)).replace("{port}", str(self.irc.services_port))
        (self.folder / "conf" / "services.conf").write_text(settings)

    async def is_up(self) -> bool:
        async with IrcPerson(HOST, self.irc.port, unique("early")) as person:
            answer = await person.ask("ISON NickServ", lambda line: line.command == "303")
        return "NickServ" in answer.params[-1]

    async def register(self, nick: str, password: str) -> None:
        """Make the services account `nick`. Nobody may be using that nick."""
        async with IrcPerson(HOST, self.irc.port, nick) as person:
            await person.say("NickServ", f"REGISTER {password} {nick}@example.org")
            await person.heard(_registered)


def _registered(message: Heard) -> bool:
    return message.sender == "NickServ" and "registered" in message.text and "not registered" not in message.text


_FOLDERS = ("conf", "db", "log")

_BOUNCER = """
Version = 1.8.2
AnonIPLimit = 0
ConnectDelay = 1
ServerThrottle = 1
SSLCertFile = %(folder)s/own.pem
<Listener l>
    Port = %(port)d
    Host = 127.0.0.1
    IPv4 = true
    IPv6 = false
    SSL = %(tls)s
</Listener>
<User duck>
    Pass = plain#secret
    Nick = %(nick)s
    Ident = duck
    RealName = duck
    ChanBufferSize = 500
    AutoClearChanBuffer = false
    <Network net>
        FloodBurst = 100
        FloodRate = 1.00
        Server = 127.0.0.1 %(upstream)d
        <Chan %(channel)s>
        </Chan>
    </Network>
</User>
"""

_SERVICES = """
serverinfo
{
  name = "SERVICES"
  description = "services"
  id = "00A"
  pid = "{d}/services.pid"
  motd = "{d}/conf/empty"
}
uplink
{
  host = "127.0.0.1"
  port = {port}
  password = "PASSWORD"
}
module { name = "inspircd3" }
networkinfo
{
  networkname = "testnet"
  nicklen = 31
  userlen = 10
  hostlen = 64
  chanlen = 32
}
mail { usemail = no }
service
{
  nick = "NickServ"
  user = "services"
  host = "services.host"
  gecos = "NickServ"
}
module
{
  name = "nickserv"
  client = "NickServ"
  forceemail = no
  passlen = 100
  minpasslen = 1
  nickregdelay = 0
}
module
{
  name = "ns_register"
  registration = "none"
}
command { service = "NickServ"; name = "REGISTER"; command = "nickserv/register"; }
module { name = "ns_identify" }
command { service = "NickServ"; name = "IDENTIFY"; command = "nickserv/identify"; }
module { name = "ns_logout" }
command { service = "NickServ"; name = "LOGOUT"; command = "nickserv/logout"; }
module { name = "ns_cert"; max = 5; }
command { service = "NickServ"; name = "CERT"; command = "nickserv/cert"; }
module { name = "ns_recover"; restorechans = no; }
command { service = "NickServ"; name = "RECOVER"; command = "nickserv/recover"; }
options
{
  casemap = "ascii"
  readtimeout = 5s
  warningtimeout = 4h
  timeoutcheck = 3s
  retrywait = 5s
  updatetimeout = 5m
  expiretimeout = 30m
}
module { name = "m_sasl" }
module { name = "enc_sha256" }
""".replace("SERVICES", SERVICES, 1).replace("PASSWORD", SERVICES_PASSWORD, 1)
