"""The keys that say where and how to connect to an IRC network."""

from pathlib import Path

import pytest

from bridge.config import load, load_settings
from bridge.irc.settings import IrcSettings
from tests.config.test_config import ENVIRON, but, folder, only, read, secret

__all__ = ["folder"]

SERVER = "server: irc.libera.chat:6697"


def libera(folder: Path, text: str) -> IrcSettings:
    found = read(folder, text).networks["libera"]
    assert isinstance(found, IrcSettings)
    return found


def test_a_network_may_have_several_servers_in_order(folder: Path) -> None:
    several = libera(folder, but(SERVER, "server: [irc.libera.chat:6697, '[2001:db8::1]:7000']"))
    assert several.servers == (("irc.libera.chat", 6697), ("2001:db8::1", 7000))
    assert libera(folder, but(SERVER, SERVER)).servers == (("irc.libera.chat", 6697),)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("server: []", "10:5: networks.libera.server: must have at least one entry"),
        ("server: [irc.libera.chat]", "10:5: networks.libera.server: 'irc.libera.chat' is not HOST:PORT"),
        ("server: [a.b:1, 'a.b:1']", "10:5: networks.libera.server: a.b:1 is listed twice"),
        ("server: [a.b:1, irc.example.org:1]", "10:21: networks.libera.server[1]: irc.example.org is a placeholder"),
        ("server: 7", "10:5: networks.libera.server: must be host:port in quotes, or a list of such"),
        (f"{SERVER}\n    bind: home.pond", "11:5: networks.libera.bind: 'home.pond' is not an address, such as"),
        (f"{SERVER}\n    tls_fingerprints: [sha256:ab]", "networks.libera.tls_fingerprints[0]: 'sha256:ab': after"),
        (f"{SERVER}\n    tls_fingerprints: sha256", "networks.libera.tls_fingerprints: must be a list"),
    ],
)
def test_what_is_wrong_with_them_is_told_with_its_place(folder: Path, given: str, problem: str) -> None:
    assert problem in only(folder, but(SERVER, given))


def test_one_far_server_in_the_list_is_enough_for_plaintext_to_need_leave(folder: Path) -> None:
    text = but(SERVER, "server: ['localhost:6667', 'irc.libera.chat:6667']").replace("tls: true", "tls: false")
    assert "networks.libera.tls: tls: false to another machine" in only(folder, text)


def test_fingerprints_exclude_a_ca(folder: Path) -> None:
    (folder / "ca.pem").touch()
    pinned = f"tls_fingerprints: ['sha256:{'0' * 64}']"
    assert "keep one of the two" in only(folder, but("tls: true", f"tls_ca_file: ca.pem\n    {pinned}"))


# Proxies


@pytest.mark.parametrize(
    "url",
    [
        "http://hunter2@127.0.0.1:1080",
        "socks4://hunter2@127.0.0.1:1080",
        "socks5://hunter2@127.0.0.1:1080",
        "socks5://a:hunter2@127.0.0.1",
        "socks5://a:hunter2@127.0.0.1:99999",
        "socks5://a:hunter2@127.0.0.1:1080/x",
        "socks5://a:hunter2@:1080",
        "socks5://a:hunter2@[::1:1080",
        f"socks5://a:hunter2{'x' * 256}@127.0.0.1:1080",
        "127.0.0.1:1080:a:hunter2",
    ],
)
def test_what_is_no_proxy_is_told_without_the_words_themselves(folder: Path, url: str) -> None:
    problem = only(folder, but(SERVER, f'{SERVER}\n    proxy: "{url}"'))
    assert "networks.libera.proxy: must be the address of a SOCKS5 proxy: socks5://host:port" in problem
    assert "hunter2" not in problem


def test_a_proxy_may_stand_in_a_file_and_is_no_secret_of_commands_that_do_not_log_in(folder: Path) -> None:
    secret(folder, "proxy", "socks5://duck:hunter2@proxy.pond.social:1080\n")
    text = but(SERVER, f"{SERVER}\n    proxy_file: secrets/proxy")
    assert libera(folder, text).proxy == "socks5://duck:hunter2@proxy.pond.social:1080"
    assert "hunter2" not in repr(libera(folder, text))
    without = load_settings(folder / "config.yaml", ENVIRON).networks["libera"]
    assert isinstance(without, IrcSettings)
    assert without.proxy is None
    both = but(SERVER, f"{SERVER}\n    proxy: 'socks5://hunter2.pond:1'\n    proxy_file: secrets/proxy")
    assert "there is proxy already: keep one of the two" in only(folder, both)


def test_through_a_proxy_members_have_no_address_of_their_own(folder: Path) -> None:
    more = "proxy: 'socks5://proxy.pond.social:1080'\n    puppets: {source: 'fd00::/64'}"
    asked = more.replace("source: 'fd00::/64'", "identd: '0.0.0.0:1113'")
    assert "identd: through a proxy" in only(folder, but(SERVER, f"{SERVER}\n    {asked}"))
    assert "servers see the proxy's address: keep one" in only(folder, but(SERVER, f"{SERVER}\n    {more}"))


def test_a_readable_file_with_a_proxys_password_is_warned_of_and_one_without_is_not(folder: Path) -> None:
    for url, warned in (("socks5://127.0.0.1:1080", 0), ("socks5://duck:hunter2@127.0.0.1:1080", 1)):
        path = folder / "config.yaml"
        read(folder, but(SERVER, f'{SERVER}\n    proxy: "{url}"'))
        path.chmod(0o644)
        warnings = load(path, ENVIRON).warnings
        assert len(warnings) == warned
        assert "hunter2" not in str(warnings)


def test_what_is_this_machine_to_a_proxy_elsewhere_needs_leave_for_plaintext(folder: Path) -> None:
    text = but(SERVER, "server: localhost:6667\n    proxy: 'socks5://proxy.pond.social:1080'")
    assert "networks.libera.proxy: tls: false to another" in only(folder, text.replace("tls: true", "tls: false"))
    here = text.replace("proxy.pond.social", "127.0.0.1").replace("tls: true", "tls: false")
    assert libera(folder, here).proxy == "socks5://127.0.0.1:1080"
