"""What a configuration may say, and how every mistake is named with its place."""

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.config import Config, ConfigError, Problem, doors_of, links_of, load, load_settings
from bridge.config.schema import schema
from bridge.config.settings import WelcomeSection
from bridge.irc.settings import IrcSettings
from bridge.matrix.settings import MatrixSettings
from bridge.model.answering import Answers
from bridge.model.event import Room
from bridge.rules.joining import Door
from bridge.rules.link import Guests
from tests.footprint import footprint

ROOT = Path(__file__).parents[2]

GOOD = """\
networks:
  home:
    type: matrix
    homeserver: https://matrix.pond.social
    user: "@duck:pond.social"
    password_file: secrets/home
    encryption: true
  libera:
    type: irc
    server: irc.libera.chat:6697
    tls: true
    nick: littleduck
    sasl: {mechanism: plain, account: littleduck, password: "${LIBERA}"}
    flood: {burst: 5, per_second: 0.5}
    trust_hostmasks: false
links:
  pond:
    rooms: [ "home/#pond:pond.social", "libera/#pond" ]
    guests: relay
    bots: [duck]
    welcome: {member: "Welcome to the pond."}
bots:
  duck: {use: "bots.duck:Duck", name: "Little Yellow Duck", brain: echo, delay: 1.0, answers: always}
users: {database: data/users.json}
store: {path: /var/lib/quackbridge.sqlite}
http: {listen: "[::1]:9191"}
"""
ENVIRON = {"LIBERA": "from the environment"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secrets").mkdir()
    secret(tmp_path, "home", "quack\n")
    return tmp_path


def secret(folder: Path, name: str, content: str, mode: int = 0o600) -> None:
    path = folder / "secrets" / name
    path.write_text(content)
    path.chmod(mode)


def read(folder: Path, text: str = GOOD, environ: Mapping[str, str] = ENVIRON) -> Config:
    path = folder / "config.yaml"
    path.write_text(text)
    path.chmod(0o600)
    return load(path, environ)


def problems(folder: Path, text: str, environ: Mapping[str, str] = ENVIRON) -> list[str]:
    """The lines of the error, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        read(folder, text, environ)
    prefix = f"{folder / 'config.yaml'}"
    lines = str(caught.value).splitlines()
    assert all(line.startswith(prefix) for line in lines)
    assert len(lines) == len(caught.value.problems)
    return [line.removeprefix(prefix).lstrip(":") for line in lines]


def only(folder: Path, text: str, environ: Mapping[str, str] = ENVIRON) -> str:
    """The one problem of `text`."""
    [line] = problems(folder, text, environ)
    return line


def but(old: str, new: str) -> str:
    """The good configuration with one change."""
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def test_a_good_configuration_is_read_whole(folder: Path) -> None:
    config = read(folder)
    home, libera = config.networks["home"], config.networks["libera"]
    assert isinstance(home, MatrixSettings)
    assert isinstance(libera, IrcSettings)
    assert (home.homeserver, home.user, home.password) == ("https://matrix.pond.social", "@duck:pond.social", "quack")
    assert (libera.host, libera.port, libera.tls, libera.password) == ("irc.libera.chat", 6697, True, None)
    assert libera.sasl is not None
    assert (libera.sasl.account, libera.sasl.password) == ("littleduck", "from the environment")
    assert config.links["pond"].rooms == (Room("home", "#pond:pond.social"), Room("libera", "#pond"))
    assert config.links["pond"].guests is Guests.RELAY
    assert "stay in {room}: only members are carried" in (config.links["pond"].welcome.guest or "")
    assert config.bots["duck"].answers is Answers.ALWAYS
    assert config.http is not None
    assert (config.http.host, config.http.port) == ("::1", 9191)
    assert config.warnings == ()


def test_relative_paths_are_relative_to_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert read(folder).users.database == folder / "data" / "users.json"
    assert read(folder).store.path == Path("/var/lib/quackbridge.sqlite")


def test_a_key_that_is_left_out_has_its_documented_default(folder: Path) -> None:
    config = read(
        folder,
        """\
networks:
  plain: {type: irc, server: "localhost:6667", tls: false, nick: duck}
links:
  pond: {rooms: ["plain/#pond"], bots: [duck]}
bots:
  duck: {}
""",
    )
    plain = config.networks["plain"]
    assert isinstance(plain, IrcSettings)
    assert (plain.sasl, plain.trust_hostmasks, plain.flood.burst, plain.flood.per_second) == (None, False, 5, 0.5)
    assert config.users.database == folder / "data" / "users.json"
    assert config.store.path == folder / "data" / "quackbridge.sqlite"
    duck = config.bots["duck"]
    assert (duck.use, duck.name, duck.brain, duck.delay) == (
        "bots.duck:Duck",
        "Little Yellow Duck",
        ("commands", "rules", "echo"),
        1.0,
    )
    assert (duck.answers, config.links["pond"].guests, config.http) == (Answers.MENTIONED, Guests.DUCK_ONLY, None)


def test_no_secret_is_in_a_repr_nor_in_an_error(folder: Path) -> None:
    assert "environment" not in repr(read(folder))
    assert "quack'" not in repr(read(folder))
    text = but("nick: littleduck", "nick: 'a b'").replace("password_file: secrets/home", "password: hunter2xyz")
    assert "hunter2xyz" not in only(folder, text)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("password: *hunter2", "6:15: found undefined alias: a value that begins with *, & or ! goes in quotes"),
        ("password: !h!hunter2", "6:15: while parsing a node, found undefined tag handle"),
        ("password: !hunter2", "6:15: networks.home.password: this value is not understood; put it in quotes"),
        ("password: !!int hunter2", "6:15: networks.home.password: this value is not understood; put it in quotes"),
        ("password: {hunter2}", "6:5: networks.home.password: must be a string: put it in quotes"),
        ("password: {12: hunter2}", "6:16: networks.home.password: a key here is not a string: put it in quotes"),
        ("password: {hunter2, hunter2}", "6:25: networks.home.password: this key is there twice"),
        ("password: [hunter2]", "6:5: networks.home.password: must be a string: put it in quotes"),
        ('password: "hunter2\\0"', "6:5: networks.home.password: a secret is one line without control characters"),
        ("password:hunter2: x", "6:5: networks.home.password: a space is missing after the colon"),
        ("pasword: hunter2", "6:5: networks.home.pasword: there is no such key; did you mean password?"),
    ],
)
def test_a_secret_that_is_written_wrongly_is_in_no_error(folder: Path, written: str, expected: str) -> None:
    found = problems(folder, but("password_file: secrets/home", written))
    assert any(line.startswith(expected) for line in found), found
    assert "hunter" not in "".join(found)


def test_a_space_that_is_missing_before_a_secret_does_not_show_it(folder: Path) -> None:
    found = problems(folder, but('password: "${LIBERA}"', "password:hunter2"))
    assert "13:51: networks.libera.sasl.password: a space is missing after the colon" in found
    assert "hunter" not in "".join(found)


def test_a_network_that_is_called_like_a_secret_key_is_a_network(folder: Path) -> None:
    text = but("  home:\n", "  password:\n").replace("home/#pond", "password/#pond").replace("encryption", "encrytion")
    assert only(folder, text).startswith("7:5: networks.password.encrytion: there is no such key")


PLACES = [
    ("encryption: true", "encryption: perhaps", "7:5: networks.home.encryption: must be true or false"),
    (
        "encryption: true",
        "encrytion: true",
        "7:5: networks.home.encrytion: there is no such key; did you mean encryption?",
    ),
    ("tls: true", "tls: false", "11:5: networks.libera.tls: tls: false to another machine"),
    ("https://matrix", "http://matrix", "4:5: networks.home.homeserver: http:// to another machine"),
    ("https://matrix.pond.social", "matrix.pond.social", "4:5: networks.home.homeserver: must be a URL such as"),
    ('"@duck:pond.social"', "duck", "5:5: networks.home.user: 'duck' is not a Matrix id"),
    ("type: matrix", "type: matrx", "2:3: networks.home: its type must be matrix or irc"),
    ("    type: irc\n", "", "8:3: networks.libera: its type must be matrix or irc"),
    ("    nick: littleduck\n", "", "8:3: networks.libera.nick: this key is missing"),
    ("nick: littleduck", "nick: 1duck", "12:5: networks.libera.nick: '1duck' is not a nick"),
    ("nick: littleduck", 'nick: "a\\rb"', "12:5: networks.libera.nick: 'a\\rb' is not a nick"),
    ("nick: littleduck", "nick: 123", "12:5: networks.libera.nick: must be a string: put it in quotes"),
    ("chat:6697", "chat", "10:5: networks.libera.server: 'irc.libera.chat' is not HOST:PORT"),
    ("chat:6697", "chat:66970", "10:5: networks.libera.server: 'irc.libera.chat:66970': a port is"),
    ("irc.libera.chat:6697", '"::1:6697"', "10:5: networks.libera.server: '::1:6697': an IPv6 address goes in"),
    ("burst: 5", "burst: 0", "14:13: networks.libera.flood.burst: must be greater than or equal to 1"),
    ("per_second: 0.5", "per_second: 0", "14:23: networks.libera.flood.per_second: must be greater than 0"),
    ("mechanism: plain", "mechanism: scram", "13:12: networks.libera.sasl.mechanism: 'scram' is no SASL mechanism"),
    ("account: littleduck", "account: '*'", "13:30: networks.libera.sasl.account: '*' is not an IRC services account"),
    ("libera/#pond", "libre/#pond", "18:40: links.pond.rooms[1]: there is no network 'libre'; did you mean 'libera'?"),
    ("libera/#pond", "libera/#po,nd", "18:40: links.pond.rooms[1]: '#po,nd' is not an IRC channel"),
    ("libera/#pond", "libera/#po nd", "18:40: links.pond.rooms[1]: '#po nd' is not an IRC channel"),
    ("libera/#pond", "libera/#po\\and", "18:40: links.pond.rooms[1]: '#po\\x07nd' is not an IRC channel"),
    ("libera/#pond", "libera/pond", "18:40: links.pond.rooms[1]: 'pond' is not an IRC channel"),
    ("libera/#pond", "libera", "18:40: links.pond.rooms[1]: 'libera' is not NETWORK/ROOM"),
    ("home/#pond:pond.social", "home/#pond", "18:14: links.pond.rooms[0]: '#pond' is not a Matrix room"),
    ("guests: relay", "members: ['@a:hs']", "19:5: links.pond.members: a user's name has no slash and begins neither"),
    ("guests: relay", "moderators: [x, net/a]", "19:21: links.pond.moderators[1]: a user's name has no slash"),
    ("guests: relay", "guests: duck", "19:5: links.pond.guests: must be 'duck-only', 'relay' or 'ignore'"),
    ("bots: [duck]", "bots: [dick]", "20:12: links.pond.bots[0]: there is no bot 'dick'; did you mean 'duck'?"),
    ("bots: [duck]", "bots: [duck, duck]", "20:18: links.pond.bots[1]: the bot 'duck' is listed twice"),
    ("bots: [duck]", "bots: duck", "20:5: links.pond.bots: must be a list"),
    ("delay: 1.0", "delay: -1", "23:74: bots.duck.delay: must be greater than or equal to 0"),
    ("delay: 1.0", "delay: .nan", "23:74: bots.duck.delay: must be a finite number"),
    ("delay: 1.0", "delay: yes", "23:74: bots.duck.delay: must be a number"),
    ("delay: 1.0", "delay: 86400", "23:74: bots.duck.delay: must be less than or equal to 3600"),
    (
        'use: "bots.duck:Duck"',
        "use: duck!",
        "23:10: bots.duck.use: must be package.module:Class, or the name of an installed bot",
    ),
    ("answers: always", "quiet_hours: 22-7", '23:86: bots.duck.quiet_hours: must be from and to, in quotes: "23:00'),
    ("answers: always", "zone: Pond", "23:86: bots.duck.zone: there is no time zone 'Pond'; one is called Europe/"),
    ("answers: always", "stay: 2h", "23:86: bots.duck.stay: must be at most 1h, or off"),
    ("answers: always", "brain: []", "23:86: bots.duck.brain:"),
    ("answers: always", "answers: seldom", "23:86: bots.duck.answers: must be 'mentioned', 'always' or 'never'"),
    ("users: {database: data/users.json}", "users: data/users.json", "24:1: users: must be a mapping (key: value)"),
    ('"[::1]:9191"', "9191", "26:8: http.listen: must be a string: put it in quotes"),
]


@pytest.mark.parametrize(("old", "new", "expected"), PLACES)
def test_a_mistake_is_reported_with_line_column_and_key(folder: Path, old: str, new: str, expected: str) -> None:
    assert only(folder, but(old, new)).startswith(expected)


def test_all_problems_are_reported_at_once_in_the_order_of_the_file(folder: Path) -> None:
    text = GOOD
    for old, new, _ in (PLACES[1], PLACES[2], PLACES[16], PLACES[20], PLACES[-1]):
        text = text.replace(old, new)
    secret(folder, "home", "quack", mode=0o644)
    places = [line.split(":")[0] for line in problems(folder, text, {})]
    assert places == ["6", "7", "11", "13", "14", "18", "26"]


def test_plaintext_is_accepted_on_loopback_and_where_allow_plaintext_is_set(folder: Path) -> None:
    for host in ("localhost:6667", "127.3.2.1:6667", '"[::1]:6667"'):
        read(folder, but("irc.libera.chat:6697", host).replace("tls: true", "tls: false"))
    read(folder, but("tls: true", "tls: false\n    allow_plaintext: true"))
    read(folder, but("https://matrix.pond.social", "http://127.0.0.1:8008"))
    read(folder, but("https://matrix.pond.social", "http://matrix.pond.social\n    allow_plaintext: true"))


def test_a_room_in_two_links_is_an_error_even_if_the_names_are_equal_only_by_casemapping(folder: Path) -> None:
    second = '  lake: {rooms: ["libera/#POND"]}\nbots:\n'
    assert only(folder, but("bots:\n", second)).startswith(
        "22:18: links.lake.rooms[0]: libera/#POND is in another link already: links.pond.rooms[1] (line 18)"
    )
    brackets = but('"libera/#pond"', '"libera/#[pond]~"').replace("bots:\n", second.replace("#POND", "#{pond}^"))
    assert "in another link already" in only(folder, brackets)
    read(folder, but("bots:\n", '  lake: {rooms: ["home/#POND:pond.social"]}\nbots:\n'))


def test_a_room_twice_in_a_link_is_an_error(folder: Path) -> None:
    line = only(folder, but('"libera/#pond"', '"libera/#pond", "libera/#pond"'))
    assert line == "18:56: links.pond.rooms[2]: libera/#pond is in this link already: links.pond.rooms[1]"


def test_a_link_needs_a_room(folder: Path) -> None:
    text = but('rooms: [ "home/#pond:pond.social", "libera/#pond" ]', "rooms: []")
    assert only(folder, text) == "18:5: links.pond.rooms: a link needs a room"


def test_a_configuration_without_a_network_is_an_error(folder: Path) -> None:
    text = "networks: {}\nlinks: {pond: {rooms: [a/#pond]}}\n"
    assert problems(folder, text) == [
        "1:1: networks: must have at least one entry",
        "2:24: links.pond.rooms[0]: there is no network 'a'; there is none at all",
    ]


@pytest.mark.parametrize("name", ["a/b", "a@b", "a b", '"a\\u200bb"', '"a\\nb"', '""'])
def test_the_names_of_networks_links_and_bots_must_be_plain_words(folder: Path, name: str) -> None:
    for old, place in (("  home:\n", "2:3: networks."), ("  pond:\n", "17:3: links."), ("  duck: {", "23:3: bots.")):
        changed = but(old, old.replace(old.strip(" :{\n"), name, 1))
        assert [line for line in problems(folder, changed) if line.startswith(place)] != []


def test_a_network_must_not_be_called_bots(folder: Path) -> None:
    text = but("  home:\n", "  bots:\n").replace("home/#pond", "bots/#pond")
    assert only(folder, text).startswith("2:3: networks.bots: 'bots' is the network of the bots' ears")


def test_an_account_has_exactly_one_secret(folder: Path) -> None:
    one = "    password_file: secrets/home\n"
    assert only(folder, but(one, "")).startswith("2:3: networks.home: a secret is missing: one of password,")
    two = one + "    access_token: t\n"
    assert only(folder, but(one, two)).startswith("7:5: networks.home.access_token: there is password_file already")
    without = but(', password: "${LIBERA}"', "")
    assert only(folder, without).startswith("13:5: networks.libera.sasl: a secret is missing: one of password,")


SASL = 'sasl: {mechanism: plain, account: littleduck, password: "${LIBERA}"}'


@pytest.mark.parametrize(
    ("sasl", "expected"),
    [
        ("", "5 sasl: a secret is missing: one of password, password_file"),
        (
            "mechanism: [], password: x",
            "24 sasl.mechanism: must be one of auto, external",
        ),
        (
            "mechanism: [auto, plain], password: x",
            "24 sasl.mechanism: auto stands alone",
        ),
        (
            "mechanism: external",
            "24 sasl.mechanism: external needs a certificate: make",
        ),
        (
            "mechanism: [scram-sha-256], certificate: duck.pem",
            "5 sasl: a secret is miss",
        ),
        ("certificate: secrets/public", "24 sasl.certificate: others can read"),
        ("certificate: none.pem", "24 sasl.certificate: there is no file"),
        (
            "mechanism: ecdsa-nist256p-challenge",
            "5 sasl: a secret is missing: one of key,",
        ),
        ("key: hunter2", "24 sasl.key: is no private key (PEM, without a passphrase)"),
        ("key_file: secrets/rsa", "5 sasl.key: is no key of the curve NIST P-256"),
    ],
)
def test_each_sasl_mechanism_has_what_it_needs(folder: Path, sasl: str, expected: str) -> None:
    (folder / "duck.pem").touch(mode=0o600)
    secret(folder, "public", "", 0o640)
    secret(folder, "rsa", pem(rsa.generate_private_key(65537, 2048)))
    found = only(folder, but(SASL, f"sasl: {{account: d, {sasl}}}"))
    column, _, what = expected.partition(" ")
    assert found.startswith(f"13:{column}: networks.libera.{what}")
    assert "hunter2" not in found


def test_a_certificate_or_a_key_is_enough_for_sasl(folder: Path) -> None:
    (folder / "duck.pem").touch(mode=0o600)
    secret(folder, "ec", pem(ec.generate_private_key(ec.SECP256R1())))
    both = "mechanism: [external, PLAIN], certificate: duck.pem, password: x"
    for means in ("certificate: duck.pem", "key_file: secrets/ec", both):
        libera = read(folder, but(SASL, f"sasl: {{account: d, {means}}}")).networks["libera"]
        assert isinstance(libera, IrcSettings)
        sasl = libera.sasl
        assert sasl is not None
        assert "PRIVATE" not in repr(sasl)
        assert sasl.mechanism == (("external", "plain") if means == both else ("auto",))


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@pytest.mark.parametrize(
    ("content", "mode", "expected"),
    [
        ("quack", 0o640, "others can read {path}: chmod 600 {path}"),
        ("quack", 0o604, "others can read {path}: chmod 600 {path}"),
        ("", 0o600, "{path}: this secret is empty"),
        ("\n", 0o600, "{path}: this secret is empty"),
        ("one\ntwo\n", 0o600, "{path}: a secret is one line without control characters"),
        ("CHANGE-ME\n", 0o600, "{path}: the placeholder CHANGE-ME is still here: write the real secret"),
        ("x" * 70_000, 0o600, "{path} is too large for a secret"),
    ],
)
def test_a_secret_file_is_private_and_one_line(folder: Path, content: str, mode: int, expected: str) -> None:
    secret(folder, "home", content, mode)
    path = folder / "secrets" / "home"
    assert only(folder, GOOD) == f"6:5: networks.home.password_file: {expected.format(path=path)}"


def test_a_secret_file_that_is_missing_or_no_file_is_named(folder: Path) -> None:
    path = folder / "secrets" / "home"
    path.unlink()
    assert only(folder, GOOD) == f"6:5: networks.home.password_file: cannot read {path}: No such file or directory"
    os.mkfifo(path, 0o600)
    assert only(folder, GOOD) == f"6:5: networks.home.password_file: {path} is not a file"


@pytest.mark.parametrize("content", ["quack", "quack\n", "quack\r\n"])
def test_the_end_of_the_line_is_no_part_of_a_secret(folder: Path, content: str) -> None:
    (folder / "secrets" / "home").write_bytes(content.encode())
    home = read(folder).networks["home"]
    assert isinstance(home, MatrixSettings)
    assert home.password == "quack"


def test_a_ca_file_must_be_there(folder: Path) -> None:
    text = but("tls: true", "tls_ca_file: ca.pem")
    assert only(folder, text) == f"11:5: networks.libera.tls_ca_file: there is no file {folder / 'ca.pem'}"
    (folder / "ca.pem").touch()
    libera = read(folder, text).networks["libera"]
    assert isinstance(libera, IrcSettings)
    assert libera.tls_ca_file == folder / "ca.pem"


def test_a_token_may_stand_in_a_file(folder: Path) -> None:
    home = read(folder, but("password_file", "access_token_file")).networks["home"]
    assert isinstance(home, MatrixSettings)
    assert (home.password, home.access_token) == (None, "quack")


def test_settings_can_be_loaded_without_the_secrets(folder: Path) -> None:
    (folder / "secrets" / "home").unlink()
    assert len(problems(folder, GOOD, {})) == 2
    config = load_settings(folder / "config.yaml", {})
    assert config.users.database == folder / "data" / "users.json"
    home = config.networks["home"]
    assert isinstance(home, MatrixSettings)
    assert home.password is None


def test_a_secret_in_a_configuration_that_others_can_read_gives_a_warning(folder: Path) -> None:
    text = but("password_file: secrets/home", "password: hunter2")
    assert read(folder, text).warnings == ()
    path = folder / "config.yaml"
    path.chmod(0o644)
    [warning] = load(path, ENVIRON).warnings
    assert warning.startswith(f"{path}:6:5: networks.home.password: everybody on this machine can read this secret")
    assert "hunter2" not in warning


@pytest.mark.parametrize(("links", "place"), [("", "1:1"), ("links: {}\n", "3:1")])
def test_a_configuration_without_links_gives_a_warning(folder: Path, links: str, place: str) -> None:
    text = f"networks:\n  a: {{type: irc, server: 'localhost:1', nick: a}}\n{links}"
    [warning] = read(folder, text).warnings
    place = f"{folder / 'config.yaml'}:{place}"
    assert warning == f"{place}: links: there is no link: nothing is carried, and no bot answers"


@pytest.mark.parametrize("path", ['"a\\0b"', '"a\\ud800b"'])
def test_a_path_that_no_file_can_have_is_an_error(folder: Path, path: str) -> None:
    assert only(folder, but("data/users.json", path)) == "24:9: users.database: no file can have this name"
    assert only(folder, but("secrets/home", path)) == "6:5: networks.home.password_file: no file can have this name"


def test_the_environment_is_the_process_s_own_unless_another_is_given(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(folder)
    monkeypatch.setenv("LIBERA", "quack")
    assert load(folder / "config.yaml").links.keys() == {"pond"}
    assert load_settings(folder / "config.yaml").links.keys() == {"pond"}


def test_the_environment_fills_in_any_string(folder: Path) -> None:
    text = but("nick: littleduck", "nick: ${NICK}").replace("littleduck,", '"a${NICK}b",')
    libera = read(folder, text, ENVIRON | {"NICK": "quack"}).networks["libera"]
    assert isinstance(libera, IrcSettings)
    assert libera.sasl is not None
    assert (libera.nick, libera.sasl.account) == ("quack", "aquackb")


def test_a_value_from_the_environment_is_checked_and_not_expanded_again(folder: Path) -> None:
    assert only(folder, but("nick: littleduck", "nick: ${NICK}"), ENVIRON | {"NICK": "a\r\nQUIT"}).startswith(
        "12:5: networks.libera.nick: 'a\\r\\nQUIT' is not a nick"
    )
    sasl = read(folder, environ={"LIBERA": "${HOME}"}).networks["libera"]
    assert isinstance(sasl, IrcSettings)
    assert sasl.sasl is not None
    assert sasl.sasl.password == "${HOME}"


def test_an_environment_variable_that_is_not_set_or_empty_is_one_error(folder: Path) -> None:
    text = but("nick: littleduck", "nick: ${NICK}")
    assert only(folder, text) == "12:11: networks.libera.nick: the environment variable NICK is not set"
    assert only(folder, GOOD, {}).endswith("networks.libera.sasl.password: the environment variable LIBERA is not set")
    assert "is empty" in only(folder, GOOD, {"LIBERA": ""})


@pytest.mark.parametrize("wrong", ["${", "${}", "${A-B}", "${A B}", "${UNCLOSED"])
def test_a_dollar_brace_that_names_no_variable_is_an_error(folder: Path, wrong: str) -> None:
    assert "a literal one is '$${'" in only(folder, but('"${LIBERA}"', f'"{wrong}"'), {})


def test_a_dollar_brace_can_be_escaped(folder: Path) -> None:
    libera = read(folder, but('"${LIBERA}"', '"$${LIBERA} $5 $$"')).networks["libera"]
    assert isinstance(libera, IrcSettings)
    assert libera.sasl is not None
    assert libera.sasl.password == "${LIBERA} $5 $$"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("networks:\n  a: [1, 2\nb: c\n", "3:2: while parsing a flow sequence"),
        ("a: b: c\n", "1:5: mapping values are not allowed here"),
        ("\tx: 1\n", "1:1: while scanning for the next token"),
        ("a: 'open\n", "2:1: while scanning a quoted scalar"),
        ("", "1:1: the file is empty"),
        ("# nothing\n", "1:1: the file is empty"),
        ("a: *b\n", "1:4: found undefined alias: a value that begins with"),
        ("a: 1\n---\nb: 2\n", "2:1: expected a single document in the stream"),
        ("a: \x07\n", "1:4: a character that YAML does not allow"),
        ("x" * (1 << 20) + "x", " is larger than 1048576 bytes"),
        ("[" * 10_000, "1:1: nested deeper than 32 levels"),
        ("- a\n", "1:1: must be a mapping (key: value)"),
        ("quack\n", "1:1: must be a mapping (key: value)"),
    ],
)
def test_broken_yaml_is_reported_with_line_and_column(folder: Path, text: str, expected: str) -> None:
    assert problems(folder, text)[0].startswith(expected)


def test_bytes_that_are_not_utf8_are_reported_with_line_and_column(folder: Path) -> None:
    path = folder / "config.yaml"
    path.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(ConfigError, match=r"config\.yaml:2:4: this is not UTF-8 text"):
        load(path, {})


def test_a_file_that_is_missing_or_out_of_reach_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"config\.yaml: there is no config\.yaml here; `quackbridge setup` makes one"
    ):
        load(tmp_path / "config.yaml", {})
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, {})


def test_a_key_that_is_there_twice_is_an_error(folder: Path) -> None:
    text = but("    encryption: true\n", "    encryption: true\n    encryption: false\n")
    assert only(folder, text) == ("8:5: networks.home.encryption: this key is there twice; the first is in line 7")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("on: x", "a key here is not a string: put it in quotes"),
        ("12: x", "a key here is not a string: put it in quotes"),
        ("<<: {a: b}", "merge keys (<<) are not supported; write the keys out"),
        ("[a]: x", "a key must be a string"),
    ],
)
def test_a_key_that_is_no_string_is_an_error(folder: Path, key: str, expected: str) -> None:
    assert only(folder, GOOD + f"{key}\n") == f"27:1: {expected}"


def test_an_unknown_tag_is_an_error_and_runs_nothing(folder: Path) -> None:
    text = but('name: "Little Yellow Duck"', "name: !!python/object/apply:os.getcwd []")
    assert "bots.duck.name: must be a string" in only(folder, text)
    scalar = but('name: "Little Yellow Duck"', "name: !!python/name:os.getcwd x")
    assert "23:39: bots.duck.name: this value is not understood" in problems(folder, scalar)[0]


def test_a_yaml_alias_has_the_value_of_its_anchor(folder: Path) -> None:
    text = but("guests: relay", "guests: &g ignore").replace("answers: always", "answers: never")
    second = '  lake: {rooms: ["libera/#lake"], guests: *g}\nbots:\n'
    assert read(folder, text.replace("bots:\n", second, 1)).links["lake"].guests is Guests.IGNORE


@pytest.mark.timeout(20)
def test_nested_yaml_aliases_that_expand_too_far_are_refused(folder: Path) -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    for name, before in zip("bcdefghij", "abcdefghi", strict=True):
        bomb += f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    assert "more than 100000 values" in only(folder, bomb)
    assert "nested deeper than 32 levels" in only(folder, "a: &a [*a]\n")


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("matrix.pond.social", "matrix.example.org", "4:5: networks.home.homeserver: matrix.example.org is"),
        ("irc.libera.chat:6697", "irc.example.com:6697", "10:5: networks.libera.server: irc.example.com is"),
        ("@duck:pond.social", "@duck:duck.example", "5:5: networks.home.user: duck.example is"),
        ("#pond:pond.social", "#pond:example.net", "18:14: links.pond.rooms[0]: example.net is"),
        ("Welcome to the pond.", "change-me", "21:15: links.pond.welcome.member: the placeholder CHANGE-ME is"),
        ("nick: littleduck", "nick: CHANGE_ME", "12:5: networks.libera.nick: the placeholder CHANGE-ME is"),
    ],
)
def test_a_placeholder_that_is_left_is_an_error(folder: Path, old: str, new: str, place: str) -> None:
    assert only(folder, but(old, new)).startswith(place)


def test_names_that_only_look_like_placeholders_are_fine(folder: Path) -> None:
    read(folder, but("#pond:pond.social", "#example:pond.social"))
    read(folder, but("irc.libera.chat", "irc.myexample.org"))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60), st.integers(0, 26))
def test_any_line_in_the_file_is_accepted_or_reported_with_its_place(folder: Path, text: str, line: int) -> None:
    lines = GOOD.splitlines()
    lines.insert(line, text)
    path = folder / "config.yaml"
    path.write_bytes("\n".join(lines).encode(errors="surrogatepass"))
    found: tuple[Problem, ...] = ()
    try:
        load(path, ENVIRON)
    except ConfigError as error:
        found = error.problems
    assert all(problem.line >= 1 and problem.column >= 1 for problem in found)


_PIECES = [
    *("!!int ", "!!float ", "!!bool ", "!!timestamp ", "!!binary ", "!!null ", "!!map ", "!!str ", "!x ", "!", "!<"),
    *"{}[]'\"|>#@x1_.:=~\n\t\x85\ufeffé\U0001f986",
    *(": ", ", ", "- ", "? ", "\n  ", "&a ", "*a", "<<: ", "''", "0x", "0b", "1:2", "2020-99-99", "${", "}", "$$"),
    *("---\n", "%YAML 9.9\n", '"\\0"', '"\\ud800"', "networks", "links", "bots", "rooms", "type", "irc", "matrix"),
    *("sasl", "password", "server", "http://["),
]


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.sampled_from(_PIECES), max_size=12).map("".join),
    st.sampled_from(["{}", "networks:\n  a: {{type: irc, {}}}\n", "links: {{a: {{rooms: [{}]}}}}\n", "users: {}\n"]),
)
def test_arbitrary_yaml_raises_nothing_but_config_errors(folder: Path, text: str, around: str) -> None:
    path = folder / "config.yaml"
    path.write_text(around.format(text), encoding="utf-8")
    for reading in (load, load_settings):
        with pytest.raises(ConfigError) as caught:
            reading(path, {})
        assert caught.value.problems


@pytest.mark.parametrize("value", ["!!int ''", "!!float ''", "!!bool x", "!!timestamp x", "!!binary é", "2020-99-99"])
def test_a_value_that_contradicts_its_yaml_tag_is_an_error(folder: Path, value: str) -> None:
    assert only(folder, but("burst: 5", f"burst: {value}")).endswith("this value is not understood; put it in quotes")


def _keys(schema: Mapping[str, object], found: set[str]) -> set[str]:
    """Every key that a JSON Schema names, with its description checked."""
    for name, inner in schema.items():
        if name == "properties":
            assert isinstance(inner, dict)
            for key, about in inner.items():
                assert about.get("description") or "$ref" in about, key
                found.add(key)
        if isinstance(inner, dict):
            _keys(inner, found)
    return found


def test_every_key_has_a_description_and_stands_in_the_example_and_the_manual() -> None:
    keys = _keys(schema(), set())
    assert {"networks", "per_second", "trust_hostmasks", "access_token_file", "tls_ca_file", "listen"} <= keys
    assert not any(key.endswith("_") for key in keys)
    example = (ROOT / "config.example.yaml").read_text()
    manual = (ROOT / "docs" / "reference" / "configuration.md").read_text()
    assert [key for key in keys if f"{key}:" not in example] == []
    assert [key for key in keys if f"`{key}`" not in manual] == []


def test_the_example_is_refused_for_its_placeholders_and_for_nothing_else(folder: Path) -> None:
    text = (ROOT / "config.example.yaml").read_text()
    secret(folder, "libera", "quack")
    found = problems(folder, text)
    assert len(found) == 6
    assert all("placeholder" in line for line in found)
    edited = text.replace("CHANGE-ME", "littleduck").replace("example.org", "pond.social")
    assert read(folder, edited).warnings == ()


def test_the_example_with_its_optional_keys_enabled_has_only_alternatives_in_conflict(folder: Path) -> None:
    """It shows alternatives that exclude each other; nothing else in it is an error."""
    text = re.sub("^    # ", "    ", (ROOT / "config.example.yaml").read_text(), flags=re.MULTILINE)
    text = text.replace("CHANGE-ME", "littleduck").replace("example.org", "pond.social")
    environ = dict.fromkeys(("HOME_PASSWORD", "HOME_TOKEN", "HOME_RECOVERY", "LIBERA_PASS", "LIBERA_PASSWORD"), "x")
    environ["LIBERA_PROXY"] = "socks5://pond.social:1080"
    secret(folder, "libera", "quack")
    for name in ("token", "server", "recovery", "nickserv", "webirc"):
        secret(folder, name, "quack")
    secret(folder, "proxy", "socks5://pond.social:1080")
    (folder / "ca.pem").touch()
    assert [line for line in problems(folder, text, environ) if "keep one of the two" not in line] == []


def test_how_to_become_a_member_follows_the_default_welcome_and_never_the_operators_own(folder: Path) -> None:
    default = WelcomeSection().guest
    welcomes = {
        "pond": "",
        "lake": ', welcome: {member: "Hi."}',
        "sea": f', welcome: {{guest: "{default}"}}',
        "well": ", welcome: {guest: null}",
    }
    links = "\n".join(f'  {name}: {{rooms: ["plain/#{name}"]{welcome}}}' for name, welcome in welcomes.items())
    config = read(
        folder,
        f"""\
networks:
  plain: {{type: irc, server: "localhost:6667", tls: false, nick: duck, trust_hostmasks: true}}
  far: {{type: irc, server: "irc.pond.social:6667", tls: false, allow_plaintext: true, nick: duck}}
  libera:
    type: irc
    server: "irc.pond.social:6697"
    nick: duck
    sasl: {{mechanism: plain, account: duck, password: quack-quack}}
links:
{links}
""",
    )
    found = {link.name: (link.welcome_guest, link.shows_the_way) for link in links_of(config)}
    assert found == {"pond": (default, True), "lake": (default, True), "sea": (default, False), "well": (None, False)}
    assert doors_of(config) == {
        "plain": Door(services=False, masks=True, passwords=True),
        "far": Door(),
        "libera": Door(services=True, masks=False, passwords=True),
    }


_HAUNTED = """
networks:
  home: {{type: matrix, homeserver: "https://hs.pond.social", user: "@duck:pond.social", password: quack,
         ghosts: {{url: "{url}"}}{more}}}
links: {{pond: {{rooms: ["home/#pond:pond.social"]}}}}
"""
_SERVED = """\
networks: {{net: {{type: irc, server: "localhost:6667", tls: false, nick: duck}}}}
links: {{pond: {{rooms: ["net/#pond"], media: {{links: {links}}}}}}}
http: {{listen: "127.0.0.1:9191", public_url: "{url}"}}
"""


@pytest.mark.parametrize(
    ("links", "lasts"), [("30d", 2_592_000.0), ("1s", 1.0), ("forever", math.inf), ("off", 0.0), ('"off"', 0.0)]
)
def test_links_to_files_last_a_time_or_for_ever_or_are_off(folder: Path, links: str, lasts: float) -> None:
    (link,) = links_of(read(folder, _SERVED.format(links=links, url="https://pond.social/")))
    assert link.rules.files_last == lasts
    (link,) = links_of(read(folder, _SERVED.format(links=links, url="x").replace(', public_url: "x"', "")))
    assert link.rules.files_last == 0.0, "nobody could follow them"


@pytest.mark.parametrize("links", ["on", "0s", "never", "30", "-1d"])
def test_how_long_links_last_is_a_duration(folder: Path, links: str) -> None:
    assert [
        line
        for line in problems(folder, _SERVED.format(links=links, url="https://pond.social"))
        if "media.links" in line
    ]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("pond.social", ": it begins with https://"),
        ("ftp://pond.social", ": it begins with https://"),
        ("https://", ", without a question mark or #"),
        ("https://a b", ", without a question mark or #"),
        ("https://u:p@pond.social", ", without a name or password"),
        ("https://pond.social/?x", ", without a question mark or #"),
        ("https://pond.social/#x", ", without a question mark or #"),
        ("https://pond.social:99999", ""),
        ("//x", ": it begins with https://"),
    ],
)
def test_a_public_url_is_an_address_to_which_a_path_can_be_added(folder: Path, url: str, why: str) -> None:
    (line,) = problems(folder, _SERVED.format(links="30d", url=url))
    assert line.endswith(f"http.public_url: must be an address such as https://bridge.example.org{why}")


@pytest.mark.parametrize(("cache", "size"), [("off", 0), ("200M", 200_000_000), ("1000000", 1_000_000)])
def test_the_cache_is_off_or_a_size_with_room_for_a_file(folder: Path, cache: str, size: int) -> None:
    assert (
        read(folder, f"{_SERVED.format(links='30d', url='https://pond.social')}media: {{cache: {cache}}}\n").media.cache
        == size
    )


@pytest.mark.parametrize("cache", ["200", "1K", "0"])
def test_a_cache_of_a_few_bytes_is_a_unit_that_was_forgotten(folder: Path, cache: str) -> None:
    (line,) = problems(folder, f"{_SERVED.format(links='30d', url='https://pond.social')}media: {{cache: {cache}}}\n")
    assert "media.cache: " in line


@pytest.mark.parametrize(
    ("url", "warning"),
    [
        ("https://pond.social", ""),
        ("https://pond.social/bridge", ""),
        ("http://127.0.0.1:9191", ""),
        ("https://localhost", ""),
        ("http://pond.social", "plain http: anyone on the path can see the files"),
        ("http://127.0.0.1:9192", "`listen` is port 9191: links to port 9192 work only if a proxy"),
        ("http://localhost", "`listen` is port 9191: links to port 80 work only if a proxy"),
        ("https://127.0.0.1:9191", "nothing speaks https:// there"),
    ],
)
def test_a_public_url_that_cannot_work_or_is_open_to_all_is_warned_of(folder: Path, url: str, warning: str) -> None:
    found = read(folder, _SERVED.format(links="30d", url=url)).warnings
    assert [warning in line and "http.public_url" in line for line in found] == ([True] if warning else [])


@pytest.mark.parametrize(
    ("url", "http", "more", "warning"),
    [
        ("https://pond.social/bridge", True, "", ""),
        ("http://127.0.0.1:9191", True, "", ""),
        ("http://pond.social:9191", True, ", allow_plaintext: true", ""),
        ("http://pond.social:9191", True, "", "plain http: anyone on the path can read what is said in private"),
        ("https://pond.social", False, "", "nobody answers the homeserver there: set http.listen, too"),
    ],
)
def test_a_url_for_the_homeserver_that_cannot_work_or_is_open_to_all_is_warned_of(
    folder: Path, url: str, http: bool, more: str, warning: str
) -> None:
    listen = '\nhttp: {listen: "127.0.0.1:9191"}' if http else ""
    found = read(folder, _HAUNTED.format(url=url, more=more) + listen).warnings
    lines = [line for line in found if "networks.home.ghosts.url" in line]
    assert [warning in line for line in lines] == ([True] if warning else [])


def test_proxies_are_addresses_and_networks_and_by_default_those_of_this_machine(folder: Path) -> None:
    served = _SERVED.format(links="30d", url="https://pond.social")
    config = read(folder, served)
    assert config.http is not None
    assert config.http.proxies == ("127.0.0.0/8", "::1")
    config = read(folder, served.replace('"}', '", proxies: ["172.18.0.0/16", "fd00::1"]}'))
    assert config.http is not None
    assert config.http.proxies == ("172.18.0.0/16", "fd00::1")


@pytest.mark.parametrize(
    ("proxy", "trouble"),
    [
        ("nginx", "'nginx' is neither an address nor a network, such as 127.0.0.1, 10.0.0.0/8 or fd00::/8"),
        ("", "'' is neither an address nor a network"),
        ("10.0.0.0/33", "is neither an address nor a network"),
        ("127.0.0.1:8080", "is neither an address nor a network"),
        ("172.18.0.5/16", "write 172.18.0.0/16, or leave out the /"),
        ("0.0.0.0/0", "'0.0.0.0/0' would let anybody claim"),
        ("::/0", "'::/0' would let anybody claim"),
    ],
)
def test_a_proxy_that_is_nonsense_or_everybody_is_an_error(folder: Path, proxy: str, trouble: str) -> None:
    served = _SERVED.format(links="30d", url="https://pond.social")
    (line,) = problems(folder, served.replace('"}', f'", proxies: ["{proxy}"]}}'))
    assert "http.proxies[0]: " in line
    assert trouble in line


def test_channel_keys_and_commands_before_joining_are_read_and_stand_nowhere_else(folder: Path) -> None:
    secret(folder, "pond", "swan")
    more = """
    pre_join: ["PRIVMSG Q :AUTH duck goose"]
    channel_keys: {"#pond": {password_file: secrets/pond}, "#lake": {password: heron}}
"""
    config = read(folder, re.sub(r"(\n    server: irc\.libera\.chat:6697\n)", more.rstrip() + r"\1", GOOD))
    libera = config.networks["libera"]
    assert isinstance(libera, IrcSettings)
    assert libera.keys == {"#pond": "swan", "#lake": "heron"}
    assert libera.commands("duck") == ["PRIVMSG Q :AUTH duck goose"]
    for shown in (repr(libera), repr(config.plain)):
        assert not [word for word in ("swan", "heron", "goose") if word in shown]


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ('channel_keys: {"#pond": {}}', "a secret is missing: one of password, password_file"),
        ('channel_keys: {"#pond": {password: "egret words"}}', "a channel's key is one word, without commas"),
        ('pre_join: ["egret\\nAUTH goose"]', "must be one IRC command, such as `MODE {nick} +x`"),
        ("join_delay: 1h", "must be 5m at most"),
        ("puppets: {webirc: {}}", "a secret is missing: one of password, password_file"),
        ('puppets: {webirc: {password: "egret words"}}', "a WEBIRC password is one word"),
        ("puppets: {webirc: {password: egret, addresses: fd00::/120}}", "fd00::/120 is too small to give each member"),
    ],
)
def test_what_is_wrong_with_them_is_told_without_quoting_them(folder: Path, more: str, wrong: str) -> None:
    text = re.sub(r"(\n    server: irc\.libera\.chat:6697\n)", lambda found: f"\n    {more}{found[1]}", GOOD)
    (line,) = problems(folder, text)
    assert wrong in line
    assert "egret" not in line


def test_the_password_of_webirc_is_read_from_its_file_and_stands_nowhere_else(folder: Path) -> None:
    secret(folder, "webirc", "swan")
    more = "\n    puppets: {webirc: {password_file: secrets/webirc}}"
    config = read(folder, re.sub(r"(\n    server: irc\.libera\.chat:6697\n)", more + r"\1", GOOD))
    libera = config.networks["libera"]
    assert isinstance(libera, IrcSettings)
    assert libera.puppets.webirc is not None
    assert libera.puppets.webirc.password == "swan"
    assert "swan" not in repr(libera) + repr(config.plain)


def test_a_link_takes_little_memory_and_those_with_the_same_rules_share_them(folder: Path) -> None:
    """Half as much again is for other versions of Python."""
    number = 300
    rooms = "\n".join(f'  l{each}: {{rooms: ["home/#{each}:pond.social", "libera/#{each}"]}}' for each in range(number))
    text = GOOD.replace("links:\n", f"links:\n{rooms}\n")
    links_of(read(folder, text))  # what is made once for all is made now
    with footprint() as taken:
        config = read(folder, text)
        links = links_of(config)
        assert taken() < number * 5_000
    assert len({id(link.rules) for link in links}) == 2
