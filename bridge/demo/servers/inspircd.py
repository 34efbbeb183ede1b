"""InspIRCd 3, the IRC server with every IRCv3 feature that the bridge uses (Debian package `inspircd`)."""

from collections.abc import Sequence
from pathlib import Path

from bridge.demo.servers.process import HOST, Process, free_port, which

UNLIMITED = 'commandrate="100000000" threshold="100000000" fakelag="off"'
"""For `limits`: a client may send as fast as it can."""

DEFAULT_LIMITS = 'commandrate="1000" threshold="10" fakelag="on"'
"""For `limits`: InspIRCd's default; a faster client is slowed down, and disconnected in the end."""

SERVICES = "services.test"
SERVICES_PASSWORD = "password"  # noqa: S105  (between two throw-away servers on loopback)

_MODULES = (
    *("cap", "ircv3", "ircv3_accounttag", "ircv3_batch", "ircv3_capnotify", "ircv3_ctctags", "ircv3_echomessage"),
    *("ircv3_invitenotify", "ircv3_labeledresponse", "ircv3_msgid", "ircv3_servertime", "monitor", "namesx"),
    *("uhnames", "services_account", "chghost", "botmode", "chanhistory"),
)
_SERVICES_MODULES = ("spanningtree", "hidechans", "sasl", "svshold", "globops", "chgident")


class InspIRCd(Process):
    """`modes` are what a new channel gets: 'o' makes its founder its operator, 'notH 500:1h' adds channel history.
    `tls` names a certificate and its key (PEM), for a second port `tls_port`. `services` opens `services_port`, on
    which Anope may link. `extra` is appended to the configuration; `sid` tells linked servers apart. With `ident`, it
    asks the machines of clients for their user names. The operator's name and password are both root.
    """

    program = "inspircd"
    mask_host = HOST
    """The host in the `nick!user@host` of every client here."""

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "irc.test",
        sid: str = "000",
        limits: str = UNLIMITED,
        modes: str = "not",
        tls: tuple[Path, Path] | None = None,
        services: bool = False,
        extra: str = "",
        ident: bool = False,
    ) -> None:
        super().__init__(folder)
        self.name = name
        self._sid = sid
        self.tls_port = free_port() if tls else None
        self.services_port = free_port() if services else None
        self._limits = limits
        self._modes = modes
        self._tls = tls
        self._extra = extra
        self._ident = ident

    def command(self) -> Sequence[str]:
        path = which(self.program) or self.program
        return (path, "--nofork", "--nopid", "--runasroot", "--config", str(self.folder / "inspircd.conf"))

    def prepare(self) -> None:
        modules = (*_MODULES, "ident") if self._ident else _MODULES
        lines = [*self._base(), *_load(modules), *self._secure(), *self._services(), self._extra]
        (self.folder / "inspircd.conf").write_text("\n".join(lines) + "\n")

    def _base(self) -> list[str]:
        asks = "yes" if self._ident else "no"
        return [
            f'<server name="{self.name}" description="A pond" id="{self._sid}" network="testnet">',
            f'<bind address="{HOST}" port="{self.port}" type="clients">',
            f'<connect allow="*" resolvehostnames="no" useident="{asks}" recvq="1048576" hardsendq="16777216"'
            ' softsendq="1048576" timeout="20" pingfreq="120" localmax="10000" globalmax="10000" maxchans="1000"'
            f" {self._limits}>",
            '<class name="all" commands="*" privs="*" usermodes="*" chanmodes="*"><type name="NetAdmin" classes="all">',
            '<oper name="root" password="root" host="*@*" type="NetAdmin">',
            f'<options casemapping="ascii" defaultmodes="{self._modes}">',
            '<security announceinvites="none">',
            '<performance netbuffersize="65534" somaxconn="128" softlimit="12800">',
            '<limits maxnick="32">',
            '<chanhistory maxduration="4w" maxlines="5000" prefixmsg="no" bots="yes">',
            f'<log method="file" type="* -USERINPUT -USEROUTPUT" level="default" target="{self.folder}/ircd.log">',
        ]

    def _secure(self) -> list[str]:
        if self._tls is None:
            return []
        certificate, key = self._tls
        return [
            '<module name="ssl_gnutls">',
            f'<sslprofile name="pond" provider="gnutls" certfile="{certificate}" keyfile="{key}">',
            f'<bind address="{HOST}" port="{self.tls_port}" type="clients" sslprofile="pond">',
        ]

    def _services(self) -> list[str]:
        if self.services_port is None:
            return []
        return [
            *_load(_SERVICES_MODULES),
            f'<bind address="{HOST}" port="{self.services_port}" type="servers">',
            f'<link name="{SERVICES}" ipaddr="{HOST}" port="{self.services_port}" allowmask="*"'
            f' recvpass="{SERVICES_PASSWORD}" sendpass="{SERVICES_PASSWORD}">',
            f'<uline server="{SERVICES}" silent="yes">',
            f'<sasl requiressl="no" target="{SERVICES}">',
        ]


def _load(modules: Sequence[str]) -> list[str]:
    return [f'<module name="{module}">' for module in modules]
