"""Logging in, linking identities and administering by private message, on real servers."""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bridge.demo.people import Heard, IrcPerson, MatrixPerson
from bridge.demo.servers import Synapse
from bridge.demo.servers.process import HOST
from tests.integration.daemon import Daemon, quackbridge, write_config
from tests.integration.pond import PASSWORD, Pond
from tests.integration.servers import Anope, NgIrcd, unique

pytestmark = pytest.mark.servers

SECRET = "correct horse battery"


@pytest.fixture
async def pond(tmp_path: Path, synapse: Synapse, services: Anope, ngircd: NgIrcd) -> Pond:
    """With a third room on a plain server without services, and a password for alice, who is an admin."""
    pond = Pond(tmp_path, synapse, services, ngircd)
    await pond.dig()
    pond.config["links"]["pond"]["guest_budget"] = {"per_guest": 20, "per_link": 100}  # type: ignore[index]
    write_config(pond.folder, pond.config, {})
    assert quackbridge(pond.folder, "set-role", "alice", "admin").returncode == 0
    done = quackbridge(pond.folder, "set-password", "alice", "--password-stdin", stdin=f"{SECRET}\n")
    assert done.returncode == 0, done.stderr
    return pond


@pytest.fixture
async def daemon(pond: Pond) -> AsyncGenerator[Daemon, None]:
    async with pond.daemon() as daemon:
        await daemon.ready()
        yield daemon


class Plain:
    """Somebody on the server without services, and the duck's answers to them."""

    def __init__(self, pond: Pond, person: IrcPerson) -> None:
        self.pond = pond
        self.person = person

    async def asks(self, text: str, answer: str) -> Heard:
        """Say `text` to the duck in private; its answer, which has `answer` in it."""
        before = len(self.person.messages)
        await self.person.say(self.pond.duck, text)

        def new(heard: Heard) -> bool:
            mine = heard.sender == self.pond.duck and heard.room == self.person.nick
            return mine and self.person.messages.index(heard) >= before

        first = await self.person.heard(new)
        assert answer in first.text, first
        return first


async def _plain(stack: AsyncExitStack, pond: Pond, nick: str) -> Plain:
    assert pond.plain is not None
    person = await stack.enter_async_context(IrcPerson(HOST, pond.plain.port, nick))
    await person.join(pond.channel)
    return Plain(pond, person)


def _stored(pond: Pond) -> bytes:
    """Everything that the daemon has on disk."""
    files = (file for file in (pond.folder / "data").iterdir() if file.is_file())
    return b"".join(file.read_bytes() for file in files)


async def test_a_login_makes_a_member_through_changes_of_nick_until_the_connection_ends(
    pond: Pond, daemon: Daemon
) -> None:
    async with AsyncExitStack() as stack:
        alice = await stack.enter_async_context(MatrixPerson(pond.synapse.url, pond.alice))
        nick = unique("al")
        al = await _plain(stack, pond, nick)
        await al.asks("whoami", "You are a guest")
        await al.asks(f"login alice {SECRET}x", "Wrong name or password.")
        await al.asks(f"login nobody {SECRET}", "Wrong name or password.")
        await al.asks(f"login alice {SECRET}", "Welcome, alice.")
        await al.asks("whoami", "You are alice, admin: you logged in with a password")
        await al.person.say(pond.channel, "it is me")
        await alice.heard(f"<{nick}> it is me")
        other = unique("al")
        await al.person.rename(other)
        await al.person.say(pond.channel, "still me")
        await alice.heard(f"<{other}> still me")
        thief = await _plain(stack, pond, nick)  # the nick that was logged in, taken by somebody else
        await thief.person.say(pond.channel, "I am alice")
        await thief.person.heard("Your messages stay in")
        await al.person.quit()
        second = await _plain(stack, pond, other)  # and the nick of the connection that is gone
        await second.person.say(pond.channel, "me again")
        await second.person.heard("Your messages stay in")
    texts = [message.text for message in alice.messages]
    assert not any("I am alice" in text or "me again" in text for text in texts)
    assert SECRET.encode() not in _stored(pond)
    assert not any(SECRET in str(line) for line in daemon.log)
    refused = [
        line for line in json.loads(quackbridge(pond.folder, "audit", "--json").stdout) if "refused" in line["what"]
    ]
    assert [line["details"] for line in refused] == ["as alice", "under an unknown name"]


async def test_a_login_ends_by_logging_out_and_by_leaving_the_last_shared_channel(pond: Pond, daemon: Daemon) -> None:
    async with AsyncExitStack() as stack:
        al = await _plain(stack, pond, unique("al"))
        await al.asks(f"login alice {SECRET}", "Welcome, alice.")
        await al.asks("logout", "You are logged out.")
        await al.asks("whoami", "You are a guest")
        await al.asks(f"login alice {SECRET}", "Welcome, alice.")
        await al.person.part(pond.channel)
        await al.asks("whoami", "You are a guest")
        await al.asks(f"login alice {SECRET}", "Join a channel that I am in first")
        await al.person.join(pond.channel)
        await al.asks("whoami", "You are a guest")


async def test_a_login_ends_when_our_own_connection_ends(pond: Pond, daemon: Daemon) -> None:
    async with AsyncExitStack() as stack:
        al = await _plain(stack, pond, unique("al"))
        await al.asks(f"login alice {SECRET}", "Welcome, alice.")
        assert await daemon.stop() == 0
        await daemon.start()
        await daemon.ready()
        await al.asks("whoami", "You are a guest")


async def test_wrong_guesses_delay_the_next_login_whether_the_user_exists_or_not(pond: Pond, daemon: Daemon) -> None:
    async with AsyncExitStack() as stack:
        for name in ("alice", "nobody"):
            al = await _plain(stack, pond, unique("al"))
            for _ in range(3):
                await al.asks(f"login {name} wrong", "Wrong name or password.")
            await al.asks(f"login {name} wrong", "Too many wrong tries: again in")
            await al.asks(f"login alice {SECRET}", "Too many wrong tries: again in")


async def test_a_password_said_in_a_room_is_neither_carried_nor_stored_and_is_answered_privately(
    pond: Pond, daemon: Daemon
) -> None:
    async with AsyncExitStack() as stack:
        alice = await stack.enter_async_context(MatrixPerson(pond.synapse.url, pond.alice))
        bob = await stack.enter_async_context(pond.person(pond.bob, sasl=(pond.bob, PASSWORD)))
        await bob.join(pond.channel)
        for text in (f"login bob {SECRET}", f"duck: login bob {SECRET}", f" /msg {pond.duck} login bob {SECRET}"):
            await bob.say(pond.channel, text)
        await bob.say(pond.channel, "barrier")
        await alice.heard("barrier")
        told = await bob.heard("looked like a password")
        assert (told.room, told.sender) == (bob.nick, pond.duck)
        assert [m.text for m in alice.messages if m.sender == pond.duck_id] == [f"<{pond.bob}> barrier"]
        await alice.send(pond.room, f"good morning\nlogin alice {SECRET}")
        private = await alice.heard("looked like a password")
        assert private.room != await alice.room_id(pond.room)
    assert not any(SECRET in message.text for message in bob.messages if message.sender == pond.duck)
    assert SECRET.encode() not in _stored(pond)
    assert not any(SECRET in str(line) for line in daemon.log)


async def test_login_remember_links_an_account_for_good_and_is_refused_with_the_reason_without_one(
    pond: Pond, daemon: Daemon
) -> None:
    async with AsyncExitStack() as stack:
        account = unique("al")
        await pond.services.register(account, PASSWORD)
        al = await stack.enter_async_context(pond.person(account, sasl=(account, PASSWORD)))
        await al.say(pond.duck, f"login --remember alice {SECRET}")
        await al.heard(f"From now on irc/{account} is you")
        await al.join(pond.channel)
        alice = await stack.enter_async_context(MatrixPerson(pond.synapse.url, pond.alice))
        await al.say(pond.channel, "known for good")
        await alice.heard("known for good")
        plain = await _plain(stack, pond, unique("al"))
        await plain.asks(
            f"login --remember alice {SECRET}", "I cannot remember you for longer: plain doesn't tell me who you are"
        )
    shown = json.loads(quackbridge(pond.folder, "show-user", "alice", "--json").stdout)
    assert {"kind": "irc", "network": "irc", "value": account} in shown["identities"]


async def test_a_member_links_a_second_identity_with_a_code_and_without_an_admin(pond: Pond, daemon: Daemon) -> None:
    account = unique("ann")
    await pond.services.register(account, PASSWORD)
    async with (
        MatrixPerson(pond.synapse.url, pond.alice) as alice,
        pond.person(account, sasl=(account, PASSWORD)) as ann,
    ):
        await ann.join(pond.channel)
        await ann.say(pond.duck, "prove")
        code = (await ann.heard("can be used once, within 10 minutes")).text.split()[0]
        direct = await alice.direct(pond.duck_id)
        await alice.sees(direct, pond.duck_id)
        await alice.send(direct, "link-identity aaaa-aaaa")
        await alice.heard("That code is wrong or too old")
        await alice.send(direct, f"link-identity {code}")
        await alice.heard(f"makes irc/{account} you, alice")
        await alice.send(direct, f"link-identity {code} yes")
        await alice.heard(f"irc/{account} is alice from now on")
        await ann.say(pond.channel, "we are one")
        await alice.heard("we are one")
        await alice.send(direct, f"link-identity {code}")
        await alice.heard(
            lambda heard: (
                heard.text.startswith("That code is wrong or too old") and len(_of(alice, "wrong or too old")) > 1
            )
        )
        await alice.send(direct, f"unlink-identity irc/{account}")
        await alice.heard("is not you any more")
        await ann.say(pond.channel, "we are two")
        await ann.heard("Your messages stay in")


def _of(person: MatrixPerson, text: str) -> list[Heard]:
    return [message for message in person.messages if text in message.text]


async def test_an_admin_administers_from_a_private_chat_and_nobody_else_does(pond: Pond, daemon: Daemon) -> None:
    carol = unique("carol")
    async with (
        MatrixPerson(pond.synapse.url, pond.alice) as alice,
        pond.person(pond.bob, sasl=(pond.bob, PASSWORD)) as bob,
        MatrixPerson(pond.synapse.url, carol) as person,
    ):
        await bob.join(pond.channel)
        direct = await alice.direct(pond.duck_id)
        await alice.sees(direct, pond.duck_id)

        async def asks(text: str, wanted: str | Callable[[Heard], bool]) -> Heard:
            await alice.send(direct, text)
            return await alice.heard(wanted)

        assert "add-user" in (await asks("help", "You may say")).text
        await asks(f"add-user carol --matrix {person.user_id}", "added carol")
        room = await person.join(pond.room)
        await person.send(room, "I am in")
        await bob.heard("I am in")
        await asks("users", "carol · member")
        await asks("set-role carol admin", "carol is admin now")
        await asks("add-user carol", "there is a user 'carol' already")
        await asks("add-user eve --password", "not in a chat")
        await asks("add-user eve --role king", "is not one of")
        await asks('add-user "eve', "No closing quotation")
        await asks("drop-db --yes", "on the command line of my machine only")
        await asks("export-users /tmp/out", lambda heard: len(_of(alice, "on the command line of my machine only")) > 1)
        await asks("add-user -c /etc/passwd eve", "No such option")
        await asks("links", f"irc/{pond.channel}")
        await asks("status", "the daemon runs; users: 3, links: 1")
        await asks("status", "home: encrypted and signed (no encrypted rooms, ")
        await asks("outbox", "the outbox is empty")
        await asks('ban-user bob --in pond --for 2h --reason "too loud"', "bob is banned in pond until")
        await bob.say(pond.channel, "am I heard?")
        await bob.heard("In pond I do not carry your messages: banned until")
        await asks("lift bob --in pond", "bob is free to speak in pond again")
        await bob.say(pond.channel, "and now?")
        await alice.heard("and now?")
        await asks("remove-user carol", "removed carol")
        await person.send(room, "am I still?")
        await person.heard("Your messages stay in")
        await bob.say(pond.duck, "remove-user alice")
        await bob.heard("That is for admins.")
        await bob.say(pond.duck, "users")
        assert (await bob.heard("alice, bob")).text == "alice, bob"
        assert not any("am I heard?" in message.text for message in alice.messages)
    done = json.loads(quackbridge(pond.folder, "audit", "--json").stdout)
    ours = [line["what"] for line in done if line["by"] == f"alice (home/{alice.user_id})"]
    assert ours == ["add-user", "set-role", "ban-user", "lift", "remove-user"]


async def test_a_moderator_may_mute_in_their_link_and_nowhere_else(pond: Pond) -> None:
    pond.config["links"]["pond"]["moderators"] = ["bob"]  # type: ignore[index]
    write_config(pond.folder, pond.config, {})
    added = quackbridge(pond.folder, "add-user", "carol", "--matrix", pond.synapse.user_id("carol"))
    assert added.returncode == 0
    async with pond.daemon() as daemon, pond.person(pond.bob, sasl=(pond.bob, PASSWORD)) as bob:
        await daemon.ready()
        await bob.join(pond.channel)
        for said, told in (
            ("mute-user carol", "you may do that only with --in pond"),
            ("mute-user alice --in pond", "alice is an admin"),
            ("mute-user carol --in pond --for 1h", "carol is muted in pond until"),
            ("sanctions", "carol · mute · pond"),
            ("add-user eve", "That is for admins."),
        ):
            await bob.say(pond.duck, said)
            await bob.heard(told)


async def test_no_command_or_name_carries_a_line_break_into_irc(pond: Pond, daemon: Daemon) -> None:
    async with (
        MatrixPerson(pond.synapse.url, pond.alice) as alice,
        pond.person(pond.bob, sasl=(pond.bob, PASSWORD)) as bob,
    ):
        await bob.join(pond.channel)
        direct = await alice.direct(pond.duck_id)
        await alice.sees(direct, pond.duck_id)
        await alice.send(direct, "add-user 'x\r\nQUIT :gone'")
        await alice.heard("one word")
        await alice.send(direct, f"ban-user bob --in pond --reason 'a\r\nQUIT :gone\r\nPRIVMSG {pond.channel} :owned'")
        await alice.heard("one line")
        await alice.rename("alice\r\nQUIT :gone")
        await alice.send(pond.room, "barrier")
        await bob.heard("barrier")
        assert not any("owned" in message.text for message in bob.messages)


async def test_a_guest_who_floods_the_duck_is_told_once_and_then_ignored(pond: Pond) -> None:
    pond.config["links"]["pond"]["guest_budget"] = {"per_guest": 3, "per_link": 100}  # type: ignore[index]
    write_config(pond.folder, pond.config, {})
    async with pond.daemon() as daemon, pond.person(unique("eve")) as eve:
        await daemon.ready()
        await eve.join(pond.channel)
        for number in range(12):
            await eve.say(pond.channel, f"duck: question {number}")
        await eve.heard("You have asked a lot")
        async with pond.person(pond.bob, sasl=(pond.bob, PASSWORD)) as bob:
            await bob.join(pond.channel)
            await bob.say(pond.channel, "duck: barrier")
            await eve.heard("<Little Yellow Duck> barrier")
        answers = [m.text for m in eve.messages if m.sender == pond.duck and "question" in m.text]
        assert len(answers) == 3
        assert len([m for m in eve.messages if "You have asked a lot" in m.text]) == 1


async def test_a_guest_with_the_display_name_of_a_member_is_shown_as_a_guest(pond: Pond) -> None:
    pond.config["links"]["pond"]["guests"] = "relay"  # type: ignore[index]
    write_config(pond.folder, pond.config, {})
    async with (
        pond.daemon() as daemon,
        MatrixPerson(pond.synapse.url, unique("eve")) as eve,
        pond.person(pond.bob, sasl=(pond.bob, PASSWORD)) as bob,
    ):
        await daemon.ready()
        await bob.join(pond.channel)
        room = await eve.join(pond.room)
        await eve.rename(f"{pond.alice}\u200b\u202e")
        await eve.send(room, "I am alice @room")
        shown = f"{pond.alice} ({eve.user_id}) (guest)"
        assert (await bob.heard("I am alice")).text == f"<{shown}> I am alice @room"
        await eve.send(room, "duck: @room everybody out")
        echoed = await eve.heard(lambda heard: heard.sender == pond.duck_id and "everybody out" in heard.text)
        content = echoed.raw["content"]
        assert isinstance(content, dict)
        assert content["m.mentions"] == {}


async def test_many_logins_at_once_do_not_hold_up_other_messages(pond: Pond, daemon: Daemon) -> None:
    async with AsyncExitStack() as stack:
        alice = await stack.enter_async_context(MatrixPerson(pond.synapse.url, pond.alice))
        bob = await stack.enter_async_context(pond.person(pond.bob, sasl=(pond.bob, PASSWORD)))
        await bob.join(pond.channel)
        crowd = [await _plain(stack, pond, unique(f"m{number}x")) for number in range(8)]
        await asyncio.gather(*(one.person.say(pond.duck, f"login user{number} x") for number, one in enumerate(crowd)))
        await bob.say(pond.channel, "meanwhile")
        await alice.heard("meanwhile")
        for one in crowd:
            await one.person.heard("Wrong name or password.")


async def test_a_nick_taken_over_after_quit_has_no_session_on_a_network_with_services(
    pond: Pond, daemon: Daemon
) -> None:
    nick = unique("al")
    async with MatrixPerson(pond.synapse.url, pond.alice) as alice:
        async with pond.person(nick) as al:  # without an account
            await al.join(pond.channel)
            await al.say(pond.duck, f"login alice {SECRET}")
            await al.heard("Welcome, alice.")
            await al.say(pond.channel, "it is me")
            await alice.heard("it is me")
        async with pond.person(nick) as thief:
            await thief.join(pond.channel)
            await thief.say(pond.channel, "it is me again")
            await thief.heard("Your messages stay in")
            await thief.say(pond.duck, "whoami")
            await thief.heard("You are a guest")
        assert not any("again" in message.text for message in alice.messages)


async def test_irc_accounts_are_compared_by_the_networks_casemapping(pond: Pond, daemon: Daemon) -> None:
    account = unique("al")
    await pond.services.register(account, PASSWORD)
    added = quackbridge(pond.folder, "add-user", "al", "--irc", f"irc/{account.upper()}")
    assert added.returncode == 0, added.stderr
    taken = quackbridge(pond.folder, "add-user", "eve", "--irc", f"irc/{account}")
    assert "belongs to al already" in taken.stderr
    async with (
        MatrixPerson(pond.synapse.url, pond.alice) as alice,
        pond.person(account, sasl=(account, PASSWORD)) as al,
        pond.person(account.upper() + "x") as almost,
    ):
        await al.join(pond.channel)
        await almost.join(pond.channel)
        await daemon.logged("users_changed")
        await almost.say(pond.channel, "not me")
        await almost.heard("Your messages stay in")
        await al.say(pond.channel, "me")
        await alice.heard(f"<{account}> me")
        assert not any("not me" in message.text for message in alice.messages)


async def test_login_remember_outlives_a_kill_of_the_daemon_and_a_plain_login_does_not(
    pond: Pond, daemon: Daemon
) -> None:
    """With SIGKILL, as by a power cut: identities are on disk, sessions are not."""
    account = unique("al")
    await pond.services.register(account, PASSWORD)
    async with pond.person(account, sasl=(account, PASSWORD)) as al, pond.person(unique("al")) as other:
        for person, words in ((al, f"login --remember alice {SECRET}"), (other, f"login alice {SECRET}")):
            await person.join(pond.channel)
            await person.say(pond.duck, words)
            await person.heard("Welcome, alice.")
        await daemon.stop(signal.SIGKILL)
        await daemon.start()
        await daemon.ready()
        await al.say(pond.duck, "whoami")
        await al.heard("You are alice, admin: I know you as irc/")
        await other.say(pond.duck, "whoami")
        await other.heard("You are a guest")


async def test_a_guest_with_an_account_asks_to_become_a_member_and_is_carried_once_an_admin_approves(
    pond: Pond, daemon: Daemon
) -> None:
    account = unique("eve")
    await pond.services.register(account, PASSWORD)
    async with (
        MatrixPerson(pond.synapse.url, pond.alice) as alice,
        pond.person(account, sasl=(account, PASSWORD)) as eve,
        pond.person(unique("x")) as stranger,
    ):
        await eve.join(pond.channel)
        await eve.say(pond.channel, "am I heard?")
        hint = await eve.heard("Your messages stay in")
        assert hint.text.endswith("To become a member, say `request` to me.")
        await eve.say(pond.channel, "duck: how do I join?")
        assert (await eve.heard("Only members are carried")).room == pond.channel
        await eve.say(pond.channel, "duck: request")
        answer = await eve.heard(f"I let the admins know that irc/{account} asks")
        assert (answer.room, answer.sender) == (eve.nick, pond.duck)
        told = await alice.heard(f"1 person asks to become a member: {account} (irc/{account})")
        assert told.room != await alice.room_id(pond.room)
        await eve.say(pond.duck, "request")
        await eve.heard("You have asked already")
        await stranger.say(pond.duck, "request")
        await stranger.heard("log in to services first (`/msg NickServ identify`)")
        await alice.send(told.room, f"approve {account}")
        await alice.heard(f"added {account}, known as irc/{account}")
        await eve.heard(f"irc/{account} is a member now, as {account}")
        await eve.say(pond.channel, "and now?")
        await alice.heard(f"<{account}> and now?")
    async with AsyncExitStack() as stack:
        plain = await _plain(stack, pond, unique("pat"))
        await plain.person.say(pond.channel, "hello?")
        text = (await plain.person.heard("Your messages stay in")).text
        assert "ask an admin for a password, then say `login NAME PASSWORD` to me in private" in text
        assert "or to trust your host mask" in text
    assert not any("am I heard?" in message.text for message in alice.messages)
    done = json.loads(quackbridge(pond.folder, "audit", "--json").stdout)
    steps = [(line["what"], line["details"]) for line in done if line["what"] in ("request", "approve")]
    assert steps == [
        ("request", f"{account} irc/{account}"),
        ("approve", f"{account} irc/{account} as {account}"),
    ]


async def test_a_guest_on_matrix_whom_the_shell_denies_while_the_daemon_is_away_is_told_when_it_is_back(
    pond: Pond, daemon: Daemon
) -> None:
    name = unique("mat")
    async with MatrixPerson(pond.synapse.url, name) as mat, MatrixPerson(pond.synapse.url, pond.alice) as alice:
        room = await mat.join(pond.room)
        await mat.send(room, "hello")
        hint = await mat.heard("Your messages stay in")
        assert hint.text.endswith("To become a member, say `request` to me.")
        await mat.send(hint.room, "request")
        await mat.heard("I let the admins know that")
        await alice.heard("1 person asks to become a member")
        assert await daemon.stop() == 0
        listed = json.loads(quackbridge(pond.folder, "requests", "--json").stdout)
        assert [(each["name"], each["value"]) for each in listed] == [(name, mat.user_id)]
        denied = quackbridge(pond.folder, "deny", name)
        assert "may ask again in 30 days" in denied.stdout
        await daemon.start()
        await daemon.ready()
        await mat.heard(f"An admin has declined the request of {mat.user_id}")
        await mat.send(hint.room, "request")
        await mat.heard("An admin has declined. You may ask again in 29 days")
    assert len(_of(alice, "asks to become a member")) == 1
    assert len(_of(mat, "An admin has declined the request")) == 1


async def test_a_guest_with_a_trusted_host_mask_asks_and_is_known_by_it_under_any_nick(pond: Pond) -> None:
    pond.config["networks"]["plain"]["trust_hostmasks"] = True  # type: ignore[index]
    write_config(pond.folder, pond.config, {})
    async with AsyncExitStack() as stack:
        daemon = await stack.enter_async_context(pond.daemon())
        await daemon.ready()
        pat = await _plain(stack, pond, unique("pat"))
        await pat.person.say(pond.channel, "hello")
        assert (await pat.person.heard("Your messages stay in")).text.endswith("say `request` to me.")
        await pat.asks("request", "I let the admins know that plain/*!")
        (asked,) = json.loads(quackbridge(pond.folder, "requests", "--json").stdout)
        assert (asked["kind"], asked["network"]) == ("irc-mask", "plain")
        approved = quackbridge(pond.folder, "approve", asked["name"], "--as", "pat")
        assert approved.returncode == 0, approved.stderr
        await pat.person.heard("is a member now, as pat")
        nick = unique("pat")
        await pat.person.rename(nick)
        alice = await stack.enter_async_context(MatrixPerson(pond.synapse.url, pond.alice))
        await pat.person.say(pond.channel, "carried")
        await alice.heard(f"<{nick}> carried")
