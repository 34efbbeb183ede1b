"""The desk: what it answers to private commands, and what it refuses."""

import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

import click
import pytest
from argon2 import PasswordHasher

from bots.api import Question
from bridge import cli
from bridge.admin.desk import Desk
from bridge.admin.desk.counter import Counter
from bridge.admin.desk.guesses import By, Guesses, OwnGuesses, SharedGuesses
from bridge.admin.desk.words import COMMANDS, ELSEWHERE, is_command
from bridge.admin.irc_logins import vault_of
from bridge.admin.verbs import VERBS
from bridge.admin.verbs.office import Office, Terminal
from bridge.config import Config, load_settings
from bridge.model.event import Room
from bridge.model.outbox import Addressed, text_handle
from bridge.model.people import Identity, Proof, Sender
from bridge.model.text import plain, words
from bridge.rules.gate import Gate
from bridge.rules.joining import Door
from bridge.rules.link import Link, Rules
from bridge.store import Commit
from bridge.store.sqlite import SqliteStore
from bridge.users import Measure, Role, Sanction, User, UsersError, passwords
from bridge.users.codes import LASTS, OwnCodes, random_code
from bridge.users.logins import Logins
from bridge.users.sessions import Sessions
from bridge.users.tinydb import TinyUsers
from tests.events import HOME, LIBERA, OFTC, irc, matrix, said
from tests.users.papers import Papers

pytestmark = pytest.mark.real_time

CONFIG = """
networks:
  home: {type: matrix, homeserver: "https://matrix.pond.net", user: "@duck:hs", password_file: absent}
  libera: {type: irc, server: "irc.libera.chat:6697", nick: duckling}
links: {pond: {rooms: ["home/#pond:hs", "libera/#pond"]}}
"""
SECRET = "correct horse battery"
HASH = passwords.hash_password(SECRET)
ALICE = User("alice", Role.ADMIN, (Identity(Proof.MATRIX, "", "@alice:hs"),), HASH)
AL = replace(irc("al"), connection="1 1", mask="al!u@host")


@dataclass
class World:
    users: TinyUsers
    config: Config
    now: float = 1_000.0
    hasher: PasswordHasher = passwords.HASHER

    def __post_init__(self) -> None:
        self.sessions = Sessions(self.users, lambda: self.now, 3_600.0)
        self.gate = Gate(self.users, self.sessions, [], clock=lambda: self.now)
        self.counter = Counter(
            self.users,
            self.sessions,
            self.gate,
            self.users.audit,
            {"home", "libera"},
            clock=lambda: self.now,
            hasher=self.hasher,
        )
        self.desk = Desk(self.config, self.users, self.gate, self.counter, clock=lambda: self.now)

    async def asks(self, asker: Sender, text: str) -> str:
        """What the desk answers."""
        (said,) = await self.desk.answer(
            Question("1", words(text), asker, Room(asker.network, asker.address), self.now, private=True)
        )
        return plain(said)


@pytest.fixture
def world(tmp_path: Path) -> World:
    (tmp_path / "config.yaml").write_text(CONFIG)
    users = TinyUsers.create(tmp_path / "data" / "users.json")
    users.add(ALICE, User("bob", identities=(Identity(Proof.IRC, "libera", "bob"),)))
    return World(users, load_settings(tmp_path / "config.yaml", {}))


async def test_a_login_with_the_password_makes_the_sender_the_user_until_the_logout(world: World) -> None:
    assert (
        await world.asks(AL, "whoami") == "You are a guest. libera doesn't tell me who you are;"
        " if it has services (NickServ), log in to them and try again."
    )
    assert (await world.asks(AL, f"  !LOGIN alice {SECRET}  ")).startswith(
        "Welcome, alice. You are logged in until you leave, for 1 hour"
    )
    assert await world.asks(AL, "whoami") == "You are alice, admin: you logged in with a password."
    assert "a · " not in await world.asks(AL, "users")
    assert (await world.asks(AL, "logout")) == "You are logged out."
    assert (await world.asks(AL, "logout")) == "You were not logged in."


async def test_no_password_is_accepted_on_a_network_that_is_not_encrypted(world: World) -> None:
    world.counter.private = {"home"}
    said = await world.asks(AL, f"login alice {SECRET}")
    assert "not encrypted" in said
    assert "Change it" in said
    assert "guest" in await world.asks(AL, "whoami")
    world.counter.private = {"home", "libera"}
    await world.asks(AL, f"login alice {SECRET}")
    world.counter.private = {"home"}
    assert "not encrypted" in await world.asks(AL, f"passwd '{SECRET}' another-secret")


@pytest.mark.parametrize("line", ["login", "login alice", "login --remember", "login --remember alice", "login  "])
async def test_an_incomplete_login_is_answered_with_its_usage(world: World, line: str) -> None:
    assert await world.asks(AL, line) == "Say: login NAME PASSWORD"


async def test_an_unknown_name_and_a_wrong_password_get_the_same_answer_and_the_same_work(world: World) -> None:
    world.users.add(User("carol"))
    answers, took = set(), []
    for number, name in enumerate(("alice", "nobody", "carol")):
        sender = replace(irc(f"x{number}"), connection=f"1 {number}", mask=f"x!u@host{number}")
        before = time.process_time()
        answers.add(await world.asks(sender, f"login {name} wrong"))
        took.append(time.process_time() - before)
    assert answers == {"Wrong name or password."}
    assert min(took) > 0.01  # each was hashed: without it, it takes far less than a millisecond


async def test_a_refused_login_is_recorded_without_what_was_typed(world: World) -> None:
    await world.asks(AL, f"login alice {SECRET}x")
    await world.asks(AL, f"login {SECRET} alice")  # name and password in the wrong order
    found = [(record.by, record.what, record.details) for record in world.users.audit.read()][2:]
    assert found == [
        ("libera/al!u@host", "login refused", "as alice"),
        ("libera/al!u@host", "login refused", "under an unknown name"),
    ]
    assert SECRET not in world.users.audit.path.read_text()


async def test_wrong_guesses_delay_the_next_login_and_a_right_one_does_not_clear_the_senders_count(
    world: World,
) -> None:
    for _ in range(3):
        assert await world.asks(AL, "login alice wrong") == "Wrong name or password."
    assert await world.asks(AL, f"login alice {SECRET}") == "Too many wrong tries: again in 3 seconds."
    world.now += 3
    assert "Welcome" in await world.asks(AL, f"login alice {SECRET}")
    assert await world.asks(AL, "login bob wrong") == "Wrong name or password."
    assert "Too many" in await world.asks(AL, "login bob wrong")  # the sender's own count stays


@pytest.mark.real_time
@pytest.mark.parametrize("guesses", [OwnGuesses(), SharedGuesses(Papers())], ids=["own", "shared"])
async def test_the_delay_grows_to_15_minutes_for_a_sender_who_guesses_and_to_one_for_the_user(
    guesses: Guesses,
) -> None:
    now = 0.0
    waits: dict[By, list[float]] = {kind: [] for kind in By}
    for _ in range(20):
        for kind in By:
            await guesses.wrong([(kind, "x")], now)
            waits[kind].append(await guesses.wait([(kind, "x")], now))
    assert waits[By.SENDER][:5] == [0, 0, 2, 4, 8]
    assert waits[By.SENDER][-1] == 900
    assert waits[By.HOST][9:12] == [0, 2, 4]
    assert waits[By.USER][3:6] == [0, 2, 4]
    assert waits[By.USER][-1] == 60
    assert await guesses.wait([(By.SENDER, "y")], now) == 0
    assert await guesses.wait([(By.SENDER, "y"), (By.SENDER, "x")], now) == 900
    await guesses.wrong([(By.SENDER, "x")], now + 3_600)
    assert await guesses.wait([(By.SENDER, "x")], now + 3_600) == 0  # guesses are forgotten after an hour without one


@pytest.mark.real_time
async def test_guesses_on_networks_of_several_workers_count_together_and_no_name_that_was_typed_is_kept() -> None:
    papers = Papers()
    here, there, user = SharedGuesses(papers), SharedGuesses(papers), (By.USER, "hunter2")
    for worker in (here, there, here, there, here):
        await worker.wrong([user], 1_000.0)
    assert await there.wait([user], 1_000.0) == 2
    assert "hunter2" not in str(papers.kept)
    papers.away = True
    assert await here.wait([user], 1_000.0) == 0, "it has heard three itself, and four are free"
    await here.wrong([user], 1_000.0)
    await here.wrong([user], 1_000.0)
    assert await here.wait([user], 1_000.0) == 2
    papers.away = False
    await here.right([user])
    assert await here.wait([user], 1_000.0) == 0


async def test_the_delay_cannot_be_evaded_by_another_nick_or_connection(world: World) -> None:
    for number in range(12):
        await world.asks(
            replace(irc(f"n{number}"), connection=f"2 {number}", mask="n!u@host"), f"login u{number} wrong"
        )
    said = await world.asks(replace(irc("new"), connection="3 1", mask="new!u@host"), "login alice wrong")
    assert said.startswith("Too many wrong tries")
    elsewhere = replace(irc("new"), connection="3 2", mask="new!u@elsewhere")
    assert await world.asks(elsewhere, "login alice wrong") == "Wrong name or password."


async def test_login_remember_links_the_strongest_proof_and_takes_none_from_another_user(world: World) -> None:
    both = Sender(
        "libera", "al", "al", (Identity(Proof.IRC, "libera", "al"), Identity(Proof.IRC_MASK, "libera", "al!u@h.net"))
    )
    assert "libera/al is you" in await world.asks(both, f"login --remember alice {SECRET}")
    mask = Sender("libera", "al", "al", (Identity(Proof.IRC_MASK, "libera", "al!u@h.net"),))
    assert "libera/*!u@h.net is you" in await world.asks(mask, f"login --remember alice {SECRET}")
    bob = irc("bob", "bob")
    for line in (f"login --remember alice {SECRET}", f"login alice {SECRET}"):
        assert (
            await world.asks(bob, line)
            == "I know you here as bob already, without a password: you can't log in as somebody else."
        )
    assert "@al:hs is you" in await world.asks(matrix("al"), f"login --remember alice {SECRET}")
    assert {str(one) for one in world.users.get("alice").identities} == {
        "@alice:hs",
        "libera/al",
        "libera/*!u@h.net",
        "@al:hs",
    }


async def test_a_logout_does_not_end_what_the_network_proves(world: World) -> None:
    said = await world.asks(matrix("alice"), "logout")
    assert said.startswith("You didn't log in with a password: I know you by your Matrix id, @alice")
    assert said.endswith("so there is nothing to log out of.")
    assert "I know you as @alice:hs" in await world.asks(matrix("alice"), "whoami")
    await world.asks(matrix("alice"), f"login alice {SECRET}")
    assert (await world.asks(matrix("alice"), "logout")).startswith("You are logged out, and still alice here: I know")


async def test_a_logout_names_the_proof_by_which_the_user_is_still_known(world: World) -> None:
    mask = Identity(Proof.IRC_MASK, "libera", "*!u@h.net")
    world.users.add(User("cy", identities=(mask,)))
    cy = irc("cy", "cy")
    cy = replace(cy, proofs=(*cy.proofs, Identity(Proof.IRC_MASK, "libera", "cy!u@h.net")))
    assert "I know you by your host mask, so" in await world.asks(cy, "logout")
    assert "I know you by your account on libera, so" in await world.asks(irc("bob", "bob"), "logout")


async def test_a_command_without_its_argument_is_answered_with_what_it_needs(world: World) -> None:
    bob = irc("bob", "bob")
    assert await world.asks(bob, "unlink-identity") == "Your identities: libera/bob"
    assert (await world.asks(bob, "link-identity")).startswith("Say: link-identity CODE")


async def test_changing_a_password_needs_the_old_one_and_ends_other_logins(world: World) -> None:
    other = replace(irc("other"), connection="1 2", mask="o!u@h")
    for sender in (AL, other):
        await world.asks(sender, f"login alice {SECRET}")
    world.now += 1
    assert "passwd OLD NEW" in await world.asks(matrix("alice"), "passwd")
    assert await world.asks(matrix("alice"), "passwd wrong a-new-secret") == "That is not your password."
    world.users.set_password("alice", passwords.hash_password("old-secret"))
    assert "guest" in await world.asks(AL, "whoami")
    await world.asks(AL, "login alice old-secret")
    assert "at least 8" in await world.asks(AL, "passwd old-secret short")
    assert "no blanks at its ends" in await world.asks(AL, "passwd old-secret 'too many blanks '")
    assert "changed" in await world.asks(AL, "passwd old-secret a-new-secret")
    assert "alice" in await world.asks(AL, "whoami")
    assert "guest" in await world.asks(other, "whoami")
    assert "Welcome" in await world.asks(other, "login alice a-new-secret")
    assert await world.asks(irc("eve"), "passwd x y") == "Log in first: login NAME PASSWORD"


async def test_changing_a_password_does_not_log_in_a_user_who_is_known_by_proof(world: World) -> None:
    """A session would outlive the proof."""
    ann = replace(irc("ann", "ann"), connection="1 7")
    world.users.link_identity("alice", Identity(Proof.IRC, "libera", "ann"))
    assert "changed" in await world.asks(ann, f"passwd '{SECRET}' a-new-secret")
    assert "guest" in await world.asks(replace(ann, proofs=()), "whoami")


async def test_a_user_without_a_password_can_choose_one(world: World) -> None:
    assert "passwd NEW" in await world.asks(irc("bob", "bob"), "passwd a b")
    assert "changed" in await world.asks(irc("bob", "bob"), "passwd a-new-secret")
    assert "Welcome, bob" in await world.asks(AL, "login bob a-new-secret")


async def test_a_hash_of_weaker_parameters_is_replaced_at_the_next_login(world: World) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(SECRET)
    world.users.set_password("alice", weak)
    assert "Welcome" in await world.asks(AL, f"login alice {SECRET}")
    kept = world.users.get("alice").password
    assert kept is not None
    assert kept != weak
    assert not passwords.is_outdated(kept)
    assert "alice" in await world.asks(AL, "whoami")


@pytest.mark.parametrize("password", ["", "x" * 5_000, "\ud800", SECRET.upper(), f"{SECRET}\0"])
def test_no_other_password_is_accepted(password: str) -> None:
    assert not passwords.verify(HASH, password)
    assert not passwords.verify(None, password)
    assert not passwords.verify("no hash at all", password)


async def test_a_code_links_a_guests_identity_to_the_user_who_confirms_it(world: World) -> None:
    ann, alice = irc("ann", "ann"), matrix("alice")
    code = (await world.asks(ann, "prove")).split()[0]
    asked = await world.asks(alice, f"link-identity {code.upper()}")
    assert "makes libera/ann you, alice" in asked
    assert (await world.asks(ann, "whoami")).startswith("You are a guest")
    assert "libera/ann is alice from now on" in await world.asks(alice, f"link-identity {code} yes")
    assert (await world.asks(ann, "whoami")).startswith("You are alice")
    assert "wrong or too old" in await world.asks(alice, f"link-identity {code} yes")
    assert "is not you any more" in await world.asks(alice, "unlink-identity libera/ann")
    assert (await world.asks(ann, "whoami")).startswith("You are a guest")


async def test_a_code_expires_is_given_to_guests_with_a_proof_and_accepted_from_members_only(world: World) -> None:
    bob, alice, ann = irc("bob", "bob"), matrix("alice"), irc("ann", "ann")
    assert "on the other network" in await world.asks(bob, "prove")  # a code from bob would make another user bob
    assert "tell me who you are" in await world.asks(irc("eve"), "prove")
    code = (await world.asks(ann, "prove")).split()[0]
    assert "not a member here" in await world.asks(matrix("eve"), f"link-identity {code} yes")
    world.users.add(User("ann", identities=(Identity(Proof.IRC, "libera", "ann"),)))
    assert "belongs to ann already" in await world.asks(alice, f"link-identity {code} yes")
    code = (await world.asks(irc("al", "al"), "prove")).split()[0]
    world.now += LASTS
    assert "wrong or too old" in await world.asks(alice, f"link-identity {code} yes")


async def test_codes_are_random_and_wrong_ones_are_delayed(world: World) -> None:
    said = [await world.asks(matrix("alice"), f"link-identity aaaa-{number}") for number in range(4)]
    assert said[-1].startswith("Too many wrong codes")
    assert len({random_code() for _ in range(1_000)}) == 1_000
    codes = OwnCodes()
    kept = [await codes.issue(AL, 0.0) for _ in range(1_100)]
    assert await codes.claim(kept[0], 0.0) is None
    assert await codes.claim(kept[-1], 0.0) is not None


@pytest.mark.parametrize("gap", [" ", "\t", "\n", "\xa0", ":", " : ", "\u2003"])
async def test_no_answer_repeats_a_password_whatever_separates_the_words_of_a_login(world: World, gap: str) -> None:
    said = await world.asks(AL, f"login{gap}alice{gap}{SECRET}")
    assert ("Welcome" in said) is (":" not in gap)
    assert SECRET not in said
    for line in (f"passwd{gap}old{gap}hunter2", f"loginn{gap}alice{gap}hunter2", f"set-password{gap}bob{gap}hunter2"):
        assert "hunter2" not in await world.asks(matrix("alice"), line)


def with_puppets(world: World, folder: Path, *, networks: str = "libera", oftc: str = "") -> None:
    """Reload the configuration with puppets in the link, and a second network."""
    rooms = ", ".join(f'"{name}/#pond"' for name in networks.split())
    links = f'links: {{pond: {{rooms: ["home/#pond:hs", {rooms}], puppets: members}}}}'
    more = f'  oftc: {{type: irc, server: "irc.oftc.net:6697", nick: duckling{oftc}}}\n'
    (folder / "config.yaml").write_text(CONFIG.partition("links:")[0] + more + links)
    world.desk.config = load_settings(folder / "config.yaml", {})


async def test_a_member_gives_an_account_on_irc_and_takes_it_back(world: World, tmp_path: Path) -> None:
    """The users file has the sealed password, the audit log neither."""
    alice = matrix("alice")
    assert "Nobody has a nick of their own" in await world.asks(alice, "irc-login al hunter2")
    with_puppets(world, tmp_path)
    assert "I know no account of yours" in await world.asks(alice, "irc-login")
    said = await world.asks(alice, "irc-login al hunter2")
    assert said.startswith("Your nick on libera logs in as al from your next words on")
    opened = Logins(world.users, vault_of(world.desk.config), "libera").opened("alice")
    assert opened == ("al", "hunter2")
    assert "logs in as al on libera" in await world.asks(alice, "irc-login")
    for file in (tmp_path / "data").iterdir():
        assert "hunter2" not in file.read_text(errors="replace")
    assert [(record.what, record.details) for record in world.users.audit.read()][-1] == (
        "set-irc-login",
        "alice libera al",
    )
    assert "forgotten" in await world.asks(alice, "irc-login off")
    assert world.users.get("alice").logins == ()
    assert "no account on libera" in await world.asks(alice, "irc-login libera off")


async def test_with_several_networks_an_account_needs_the_networks_name(world: World, tmp_path: Path) -> None:
    with_puppets(world, tmp_path, networks="libera oftc")
    alice = matrix("alice")
    for unclear in ("irc-login al hunter2", "irc-login elsewhere al hunter2", "irc-login", "irc-login off"):
        assert "NETWORK ACCOUNT PASSWORD" in await world.asks(alice, unclear)
    assert "Your nick on oftc" in await world.asks(alice, "irc-login oftc al hunter2")
    assert [each.network for each in world.users.get("alice").logins] == ["oftc"]
    assert "Your nick on libera" in await world.asks(alice, "irc-login libera alice hunter3")
    assert "NETWORK ACCOUNT PASSWORD" in await world.asks(alice, "irc-login off")
    assert "forgotten your account on oftc" in await world.asks(alice, "irc-login oftc off")


async def test_no_answer_to_an_account_repeats_its_password(world: World, tmp_path: Path) -> None:
    with_puppets(world, tmp_path)
    alice = matrix("alice")
    secret = "hunter2" * 40
    lines = (f"irc-login al {secret}", f"irc-login a*l {secret}", f"irc-login {secret} al", f"irclogin al {secret}")
    for line in (*lines, f"irc-login libera al {secret} more", f"irc-login elsewhere al {secret}"):
        assert "hunter2" not in await world.asks(alice, line)
    assert world.users.get("alice").logins == ()
    assert "guest" in await world.asks(matrix("eve"), "irc-login al hunter2")


async def test_no_password_of_an_account_goes_over_a_connection_that_is_not_encrypted(
    world: World, tmp_path: Path
) -> None:
    plain_text = ", tls: false, allow_plaintext: true"
    with_puppets(world, tmp_path, networks="libera oftc", oftc=plain_text)
    said = await world.asks(matrix("alice"), "irc-login oftc al hunter2")
    assert said == "The connection to oftc is not encrypted, so no password goes there."
    asker = replace(AL, network="oftc", proofs=(Identity(Proof.IRC, "oftc", "alice"),))
    world.users.link_identity("alice", Identity(Proof.IRC, "oftc", "alice"))
    assert "not encrypted" in await world.asks(asker, "irc-login libera al hunter2")
    assert world.users.get("alice").logins == ()


async def test_wrong_guesses_of_others_do_not_delay_a_sender_who_has_logged_in_from_there_before(world: World) -> None:
    await world.asks(AL, f"login alice {SECRET}")
    for number in range(30):
        await world.asks(matrix(f"eve{number}"), "login alice wrong")
    assert "Too many" in await world.asks(matrix("new"), f"login alice {SECRET}")
    assert "Welcome" in await world.asks(replace(AL, connection="1 9"), f"login alice {SECRET}")


async def test_refused_logins_beyond_a_hundred_are_not_recorded_in_the_audit_log(world: World) -> None:
    world = World(world.users, world.config, hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    for number in range(130):
        await world.asks(matrix(f"eve{number}"), f"login user{number} wrong")
    kept = [record.details for record in world.users.audit.read() if record.what == "login refused"]
    assert len(kept) == 101
    assert kept[-1] == "and more, which are not recorded"


async def test_a_muted_user_cannot_unlink_an_identity(world: World) -> None:
    world.users.sanction(Sanction("bob", Measure.MUTE, "pond", 0.0, None, "", "test"))
    assert await world.asks(irc("bob", "bob"), "unlink-identity libera/bob") == "Not while you are muted or banned."


async def test_a_moderator_cannot_change_an_admins_sanction_nor_moderate_while_muted(
    world: World,
) -> None:
    world.users.add(User("mod", identities=(Identity(Proof.IRC, "libera", "mod"),)))
    world.gate.set_links([Link("pond", (HOME, LIBERA), Rules(moderators=frozenset({"mod"})))])
    mod = irc("mod", "mod")
    assert "muted in pond" in await world.asks(mod, "mute-user bob --in pond")
    assert "free to speak" in await world.asks(mod, "lift bob --in pond")
    await world.asks(matrix("alice"), "ban-user bob --in pond")
    before = world.users.sanctions()
    for line in ("lift bob --in pond", "ban-user bob --in pond --for 1s", "ban-user BOB --in pond --for 1s"):
        assert "only an admin" in await world.asks(mod, line)
    assert world.users.sanctions() == before
    await world.asks(matrix("alice"), "mute-user mod --in pond")
    assert await world.asks(mod, "mute-user bob --in pond") == "That is for moderators."


async def test_a_moderator_revokes_with_a_ban_the_links_to_what_was_sent_in_their_link_alone(world: World) -> None:
    world.users.add(User("mod", identities=(Identity(Proof.IRC, "libera", "mod"),)))
    world.gate.set_links([Link("pond", (HOME, LIBERA), Rules(moderators=frozenset({"mod"})))])
    path = world.config.store.path
    async with aclosing(SqliteStore.open(path, lambda: world.now)) as store:
        home = await store.acquire("home", "test")
        assert home is not None
        eve, mod = matrix("eve"), irc("mod", "mod")
        events = [replace(said(room, eve, f"long in {room}"), text_until=2_000) for room in (HOME, LIBERA, OFTC)]
        await home.commit(Commit.owing(Addressed(event, Room("oftc", "#far")) for event in events))
        assert "only with --in pond" in await world.asks(mod, "ban-user @eve:hs --revoke-media")
        assert await world.asks(mod, "ban-user @eve:hs --in pond --revoke-media") == (
            "@eve:hs is banned in pond until further notice; the links to 2 texts of theirs no longer work"
        )
        assert [bool(await store.text(text_handle(event))) for event in events] == [False, False, True]
        assert "--revoke-media" in await world.asks(mod, "help ban-user")
        assert "removed bob; they sent nothing that has a working link" in await world.asks(
            matrix("alice"), "remove-user bob --revoke-media"
        )


@pytest.mark.parametrize(
    "line",
    [
        "mute-user mod --in pond",
        "ban-user MOD --in pond",
        "mute-user libera/mod --in pond",
        "ban-user libera/m* --in pond",
    ],
)
async def test_nobody_can_mute_or_ban_themselves_in_a_chat_by_name_or_by_a_pattern(world: World, line: str) -> None:
    world.users.add(User("mod", identities=(Identity(Proof.IRC, "libera", "mod"),)))
    world.gate.set_links([Link("pond", (HOME, LIBERA), Rules(moderators=frozenset({"mod"})))])
    before = world.users.sanctions()
    assert "you" in await world.asks(irc("mod", "mod"), line) or "admin" in await world.asks(irc("mod", "mod"), line)
    assert world.users.sanctions() == before
    assert "that is you" in await world.asks(matrix("alice"), "mute-user alice")


async def test_the_last_admin_cannot_be_removed_or_demoted_in_a_chat(world: World) -> None:
    for line in ("remove-user alice", "set-role alice member"):
        assert "last admin" in await world.asks(matrix("alice"), line)
    await world.asks(matrix("alice"), "set-role bob admin")
    assert await world.asks(matrix("alice"), "set-role alice member") == "alice is member now"


async def test_the_length_of_an_answer_is_bounded(world: World) -> None:
    assert len(await world.asks(matrix("alice"), f"show-user {'x' * 60_000}")) < 6_100


async def test_help_shows_guests_members_and_admins_only_the_commands_that_they_may_use(world: World) -> None:
    guest = await world.asks(irc("eve"), "help")
    member = await world.asks(irc("bob", "bob"), "help")
    admin = await world.asks(matrix("alice"), "help")
    assert "login" in guest
    assert "add-user" not in guest + member
    assert "users" in member
    assert "add-user" in admin
    assert "drop-db" not in admin
    assert "--role" in await world.asks(matrix("alice"), "help add-user")
    assert "passwd OLD NEW" in await world.asks(irc("eve"), "help passwd")
    assert "add-user" not in await world.asks(irc("eve"), "help add-user")


@pytest.mark.parametrize(
    "line",
    [
        "add-user eve",
        "remove-user alice",
        "set-role bob admin",
        "outbox",
        "audit",
        "links",
        "status",
        "ban-user alice",
        "explain --as libera/x --in pond",
    ],
)
async def test_admin_commands_are_refused_to_members_and_guests_and_change_nothing(world: World, line: str) -> None:
    before = [*world.users.list()]
    for sender in (irc("bob", "bob"), irc("eve"), matrix("eve", display="alice")):
        said = await world.asks(sender, line)
        assert said in (
            "That is for admins.",
            "That is for moderators.",
            "That is for users; you are a guest here. Say `help`",
        )
    assert "guest" in await world.asks(irc("eve"), "users")
    assert [*world.users.list()] == before


@pytest.mark.parametrize(
    "line",
    [
        "add-user x --help",
        "add-user -h",
        "add-user --version",
        "users --json",
        "users -c /etc/passwd",
        "outbox list --config x",
        "backup /tmp/x",
        "import-users /etc/passwd",
        "completion bash",
        "run",
        "chat",
        "config-schema",
        "__import__",
        "add-user ${HOME}",
        "add-user $(id)",
        "add-user `id`",
    ],
)
async def test_no_command_reads_a_path_expands_a_word_or_prints_on_the_daemons_terminal(
    world: World, line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    await world.asks(matrix("alice"), line)
    assert capfd.readouterr() == ("", "")
    assert {user.name for user in world.users.list()} <= {"alice", "bob", "${HOME}", "$(id)", "`id`"}


async def test_a_long_answer_is_cut_and_says_how_many_lines_are_left_out(world: World) -> None:
    world.users.add(*(User(f"user{number}") for number in range(100)))
    lines = (await world.asks(matrix("alice"), "users")).splitlines()
    assert len(lines) == 31
    assert lines[-1] == "... and 72 more: see them on the command line"


async def test_a_broken_database_is_reported_in_the_answer(world: World) -> None:
    path = world.users.audit.path.with_name("users.json")
    path.write_text("{")
    assert "broken" in await world.asks(matrix("alice"), "add-user carol")
    with pytest.raises(UsersError):
        world.users.refresh()


async def test_link_identity_says_how_it_is_used_by_members_and_not_that_it_is_for_admins(world: World) -> None:
    for line in ("link-identity", "!link-identity", "link-identity alice --matrix @eve:hs"):
        assert "link-identity CODE" in await world.asks(irc("bob", "bob"), line)
    assert "unlink-identity IDENTITY" in await world.asks(irc("bob", "bob"), "unlink-identity bob --irc libera/bob")
    assert "not a Matrix id" in await world.asks(matrix("alice"), "link-identity bob --matrix nonsense")


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
async def test_an_admin_is_told_where_a_command_of_the_command_line_is_to_be_run(world: World, name: str) -> None:
    said = await world.asks(matrix("alice"), f"{name} x")
    assert f"quackbridge {name}." in said or (name == "reload" and "quackbridge reload" in said)
    near = "; did you mean `irc-login`? Say" if name == "set-irc-login" else "; say"
    assert await world.asks(irc("bob", "bob"), name) == f"I do not know that{near} `help`"
    assert is_command(name, ALICE)


def test_the_desk_knows_every_command_of_the_command_line_that_is_no_word_for_the_bots() -> None:
    theirs = {"duck", "bots"}
    assert {*cli.cli.list_commands(click.Context(cli.cli))} <= COMMANDS | {*ELSEWHERE} | theirs
    for line in ("duck", "duck: hi", "duck roll 2d6", "ducks are nice", "bots", "bot, who are you?"):
        assert not is_command(line, ALICE), "also an admin talks with the duck"


async def test_a_mistyped_command_is_answered_with_what_it_may_have_meant(world: World) -> None:
    assert "did you mean `status`?" in await world.asks(matrix("alice"), "stauts")
    assert await world.asks(matrix("alice"), "media") == "Say one of: media revoke"
    assert await world.asks(matrix("alice"), "help media") == "Say one of: media revoke. For more: `help media revoke`"
    assert "I do not know that" in await world.asks(irc("eve"), "media")
    assert "did you mean `backup`?" in await world.asks(matrix("alice"), "bakcup")
    assert "did you mean `whoami`?" in await world.asks(irc("eve"), "whomai")
    for nothing in ("stauts", "bakcup", "xyzzy", "x" * 100_000):  # nobody is told of what they may not use
        assert await world.asks(irc("bob", "bob"), nothing) == "I do not know that; say `help`"


@pytest.mark.parametrize(
    ("line", "who", "is_one"),
    [
        ("status", None, True),
        ("!Help me", None, True),
        ("stauts", ALICE, True),
        ("outbx list", ALICE, True),
        ("reload", ALICE, True),
        ("run away, duck", ALICE, False),
        ("whomai", None, True),
        ("add-usr bob", None, True),
        ("reload", None, False),
        ("links are broken?", ALICE, True),
        ("proven facts, please", None, False),
        ("hello", None, False),
        ("", None, False),
        ("x" * 100_000, ALICE, False),
    ],
)
def test_what_means_to_be_a_command_goes_to_the_desk_and_a_sentence_to_the_bots(
    line: str, who: User | None, is_one: bool
) -> None:
    assert is_command(line, who) is is_one


def test_every_command_of_the_desk_is_one_word() -> None:
    assert {"help", "login", "users", "outbox", "link-identity", "drop-db"} <= COMMANDS
    assert not any(" " in word for word in COMMANDS)


EVE = replace(irc("eve_", "eve"), connection="1 7", mask="eve_!u@host")


async def test_a_guest_with_a_proof_asks_once_and_is_told_what_becomes_of_it(world: World) -> None:
    assert "I let the admins know that libera/eve asks" in await world.asks(EVE, "request")
    assert "You have asked already, as libera/eve" in await world.asks(EVE, "!Request please")
    assert "eve · irc libera/eve · eve_ ·" in await world.asks(matrix("alice"), "requests")
    assert await world.asks(matrix("alice"), "approve eve") == "added eve, known as libera/eve"
    assert "You are eve here already, member" in await world.asks(EVE, "request")
    assert await world.asks(matrix("alice"), "requests") == "nobody asks to become a member"
    found = [(each.by, each.what, each.details) for each in world.users.audit.read()][2:]
    assert found == [
        ("libera/eve_!u@host", "request", "eve libera/eve"),
        ("alice (home/@alice:hs)", "approve", "eve libera/eve as eve"),
    ]


async def test_somebody_denied_may_ask_again_after_30_days(world: World) -> None:
    await world.asks(EVE, "request")
    assert "may ask again in 30 days" in await world.asks(matrix("alice"), "deny eve")
    assert await world.asks(EVE, "request") == "An admin has declined. You may ask again in 30 days."
    world.now += 29 * 86_400
    assert "You may ask again in 1 day." in await world.asks(EVE, "request")
    world.now += 86_400
    assert "I let the admins know" in await world.asks(EVE, "request")


async def test_a_guest_who_proves_nothing_is_told_what_to_do_first(world: World) -> None:
    world.gate.doors = {"plain": Door(passwords=True)}
    assert "log in to services first (`/msg NickServ identify`)" in await world.asks(irc("eve"), "request")
    assert "login NAME PASSWORD" in await world.asks(irc("eve", network="plain"), "request")
    assert world.users.requests() == ()


async def test_a_word_after_request_asks_for_something_else(world: World) -> None:
    assert "say only: request" in await world.asks(EVE, "request a song")
    assert world.users.requests() == ()


@pytest.mark.parametrize("measure", list(Measure))
@pytest.mark.parametrize("link", ["pond", None])
async def test_somebody_muted_or_banned_anywhere_cannot_ask(world: World, measure: Measure, link: str | None) -> None:
    world.gate.set_links([Link("pond", (HOME, LIBERA))])
    world.users.sanction(Sanction("libera/eve", measure, link, 0.0, None, "spam", "test"))
    assert await world.asks(EVE, "request") == "Not while you are muted or banned."
    assert world.users.requests() == ()


async def test_new_requests_of_one_homeserver_are_limited_and_do_not_keep_others_from_asking(world: World) -> None:
    crowd = [
        Sender("home", f"@m{number}:evil.example", "m", (Identity(Proof.MATRIX, "", f"@m{number}:evil.example"),))
        for number in range(8)
    ]
    said = [await world.asks(each, "request") for each in crowd]
    assert [text.startswith("Too many people ask") for text in said] == [False] * 5 + [True] * 3
    assert len(world.users.requests()) == 5
    assert "I let the admins know" in await world.asks(EVE, "request")
    assert "You have asked already" in await world.asks(crowd[0], "request")
    world.now += 86_400
    assert "I let the admins know" in await world.asks(crowd[7], "request")


async def test_a_request_that_cannot_be_stored_says_so_without_naming_files(world: World) -> None:
    world.users.audit.path.unlink()
    world.users.audit.path.mkdir()
    said = await world.asks(EVE, "request")
    assert said == "I cannot store that right now. Try again in some minutes."
    assert world.users.requests() == ()


async def test_a_request_becomes_a_new_user_of_another_name_or_an_identity_of_an_existing_one(world: World) -> None:
    other = Sender("home", "@alice:evil.example", "alice", (Identity(Proof.MATRIX, "", "@alice:evil.example"),))
    for sender in (other, EVE, irc("b2", "b2")):
        await world.asks(sender, "request")
    alice = matrix("alice")
    assert "no open request called 'alice'" in await world.asks(alice, "approve alice")
    assert "not both" in await world.asks(alice, "approve eve --as x --to bob")
    assert "there is a user 'bob' already: say --as USERNAME" in await world.asks(alice, "approve eve --as bob")
    assert await world.asks(alice, "approve libera/b2 --to BOB") == "libera/b2 is bob now"
    assert await world.asks(alice, "approve eve --as evelyn") == "added evelyn, known as libera/eve"
    assert await world.asks(alice, "approve alice2") == "added alice2, known as @alice:evil.example"
    assert world.users.get("alice") == ALICE
    assert {user.name for user in world.users.list()} == {"alice", "alice2", "bob", "evelyn"}


async def test_an_approval_warns_of_a_ban_that_goes_on(world: World) -> None:
    await world.asks(EVE, "request")
    world.users.sanction(Sanction("libera/eve", Measure.BAN, "pond", 0.0, None, "", "test"))
    assert "Warning: libera/eve is not carried yet: lift libera/eve" in await world.asks(matrix("alice"), "approve eve")


@pytest.mark.parametrize("line", ["requests", "approve eve", "deny eve"])
async def test_only_admins_see_and_decide_requests(world: World, line: str) -> None:
    await world.asks(EVE, "request")
    assert await world.asks(irc("bob", "bob"), line) == "That is for admins."
    assert "That is for users" in await world.asks(EVE, line)
    assert len(world.users.requests()) == 1


async def test_a_guests_help_says_what_this_is_and_how_to_become_a_member_in_two_lines(world: World) -> None:
    lines = (await world.asks(EVE, "help")).splitlines()
    assert len(lines) == 2
    assert "I carry what members say between Matrix and IRC" in lines[0]
    assert "say `request` to me" in lines[0]
    assert "request" in lines[1]
    assert max(map(len, lines)) < 300
    assert "say `request`" not in await world.asks(irc("bob", "bob"), "help")


async def test_a_mask_with_wildcards_of_its_own_is_not_remembered(world: World) -> None:
    """Some servers let people put `*` into their user name: the mask would fit everybody at their host."""
    mask = "al!*@gateway.example"
    sender = Sender("plain", "al", "al", (Identity(Proof.IRC_MASK, "plain", mask),), connection="1 9", mask=mask)
    world.counter.private = {"plain"}
    assert "I cannot remember you for longer" in await world.asks(sender, f"login --remember alice {SECRET}")
    assert world.users.get("alice") == ALICE
    await world.asks(sender, "logout")
    assert "ask an admin" in await world.asks(sender, "request")
    assert world.users.requests() == ()


class _Live:
    """The running daemon, with some comparisons of emoji that wait."""

    def __init__(self, *ids: str) -> None:
        self.ids = [*ids]
        self.answers: list[Mapping[str, object]] = []

    def ask(self, question: str, **about: object) -> Mapping[str, object]:
        if question == "answer_comparison":
            self.answers.append(about)
            return {"said": "done."}
        emoji = [["🐶", "Dog"]] * 7
        one = {
            "network": "home",
            "user": "@eve:hs",
            "device": "EVE",
            "emoji": emoji,
            "numbers": [1, 2, 3],
            "until": 60.0,
        }
        return {"comparisons": [{"id": each, "until": 60.0, **one} for each in self.ids]}


def _with(world: World, *ids: str) -> _Live:
    live = _Live(*ids)
    world.desk = Desk(
        world.config,
        world.users,
        world.gate,
        world.counter,
        clock=lambda: world.now,
        live=live,
        comparisons=lambda: len(live.ids),
    )
    return live


async def test_an_admin_sees_the_emoji_and_says_yes_or_no_to_them(world: World) -> None:
    live = _with(world, "abcd")
    shown = await world.asks(matrix("alice"), "verify")
    assert shown == f"abcd: @eve:hs (device EVE) on home, until 00:01 UTC: {'  '.join(['🐶 Dog'] * 7)}, or 1 2 3"
    assert await world.asks(matrix("alice"), "verify yes ABCD") == "done."
    assert await world.asks(matrix("alice"), "verify no") == "done."
    assert await world.asks(matrix("alice"), "Yes!") == "done."
    answers = [(each["network"], each["id"], each["same"]) for each in live.answers]
    assert answers == [("home", "abcd", True), ("home", "abcd", False), ("home", "abcd", True)]
    last = [*world.users.audit.read()][-1]
    assert (last.what, last.details) == ("verify", "home: @eve:hs (device EVE): the same")


async def test_which_comparison_is_meant_is_never_guessed(world: World) -> None:
    live = _with(world, "abcd", "efgh")
    assert "several wait, so say which: abcd, efgh" in await world.asks(matrix("alice"), "verify yes")
    assert "there is no comparison zzzz" in await world.asks(matrix("alice"), "verify yes zzzz")
    assert "before the ID" in await world.asks(matrix("alice"), "verify home abcd")
    assert "there is no network" in await world.asks(matrix("alice"), "verify abcd")
    assert "command line only" in await world.asks(matrix("alice"), "verify --wait 5")
    assert live.answers == []
    live.ids = []
    assert "nothing to compare" in await world.asks(matrix("alice"), "yes")
    assert "nothing to compare" in await world.asks(matrix("alice"), "verify yes abcd")


async def test_nobody_but_admins_says_whether_emoji_are_the_same(world: World) -> None:
    live = _with(world, "abcd")
    for asker in (irc("bob", "bob"), irc("eve")):
        for line in ("yes", "no", "verify", "verify yes", "verify yes abcd"):
            await world.asks(asker, line)
    assert live.answers == []


def test_yes_and_no_are_commands_only_while_an_admin_is_expected_to_say_so(world: World) -> None:
    live, bob = _with(world, "abcd"), world.users.get("bob")
    assert all(world.desk.expects(line, ALICE) for line in ("yes", "No", " yes! ", "no."))
    assert not any(world.desk.expects(line, ALICE) for line in ("yes please", "maybe", ""))
    assert not any(world.desk.expects("yes", user) for user in (bob, None))
    for ids in ([], ["abcd", "efgh"]):
        live.ids = ids
        assert not world.desk.expects("yes", ALICE)


@pytest.mark.parametrize(("said", "answers"), [("yes\n", [True]), (" No ", [False]), ("", []), ("perhaps", [])])
def test_the_command_line_shows_one_asks_and_takes_yes_or_no_for_an_answer(
    world: World, said: str, answers: list[bool]
) -> None:
    live, asked = _Live("abcd"), list[str]()

    def confirm(question: str) -> str:
        asked.append(question)
        return said

    terminal = Terminal(str, str, "{}{}".format, confirm)
    office = Office(world.config, lambda: world.users, by="shell:x", terminal=terminal, live=live)
    with VERBS["verify"].command.make_context("verify", ["home"], obj=office) as context:
        answer = VERBS["verify"].command.invoke(context)
    assert [each["same"] for each in live.answers] == answers
    assert "🐶 Dog" in asked[0]
    assert answer.words == ("done." if answers else "not answered: it still waits")


def test_without_a_daemon_there_is_nothing_to_compare_and_it_says_so(world: World) -> None:
    office = Office(world.config, lambda: world.users, by="shell:x", terminal=Terminal(str, str, "{}{}".format, str))
    context = VERBS["verify"].command.make_context("verify", [], obj=office)
    with context, pytest.raises(click.ClickException, match="no daemon"):
        VERBS["verify"].command.invoke(context)
