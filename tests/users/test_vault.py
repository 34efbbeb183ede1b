"""Sealed passwords of members' accounts on IRC."""

import stat
from pathlib import Path

import pytest

from bridge.users import IrcLogin, User, UsersError
from bridge.users.logins import Logins
from bridge.users.vault import Vault, key_file
from tests.fakes.users import MemoryUsers


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(key_file(tmp_path / "data"))


def test_what_is_sealed_is_opened_by_the_same_key_and_says_nothing_by_itself(vault: Vault) -> None:
    sealed = vault.seal("Ann", "ann_", "hunter2", is_first=True)
    assert "hunter2" not in sealed
    assert Vault(vault.path).open("ann", "ann_", sealed) == "hunter2"
    assert vault.seal("Ann", "ann_", "hunter2", is_first=False) != sealed
    assert stat.S_IMODE(vault.path.stat().st_mode) == 0o600


@pytest.mark.parametrize(("user", "account"), [("bob", "ann_"), ("ann", "bob")])
def test_nobody_can_have_what_is_sealed_for_somebody_else(vault: Vault, user: str, account: str) -> None:
    sealed = vault.seal("ann", "ann_", "hunter2", is_first=True)
    with pytest.raises(UsersError, match="give it again"):
        vault.open(user, account, sealed)


@pytest.mark.parametrize("broken", ["", "1:", "1:AAAA", "1:!", "x", "1:" + "A" * 60])
def test_what_is_broken_is_told_from_what_is_sealed(vault: Vault, broken: str) -> None:
    vault.seal("ann", "ann_", "hunter2", is_first=True)
    with pytest.raises(UsersError, match="give it again"):
        vault.open("ann", "ann_", broken)


def test_no_second_key_is_made_while_something_is_sealed_by_the_first(vault: Vault) -> None:
    sealed = vault.seal("ann", "ann_", "hunter2", is_first=True)
    vault.path.unlink()
    with pytest.raises(UsersError, match="copy it from the machine"):
        vault.open("ann", "ann_", sealed)
    with pytest.raises(UsersError, match="copy it from the machine"):
        vault.seal("bob", "bob", "hunter3", is_first=False)
    assert not vault.path.exists()


def test_a_key_that_others_can_read_or_that_is_none_is_not_used(vault: Vault) -> None:
    vault.seal("ann", "ann_", "hunter2", is_first=True)
    vault.path.chmod(0o644)
    with pytest.raises(UsersError, match="others can read"):
        vault.seal("ann", "ann_", "hunter2", is_first=True)
    vault.path.chmod(0o600)
    vault.path.write_text("quack\n")
    with pytest.raises(UsersError, match="no key in it"):
        vault.seal("ann", "ann_", "hunter2", is_first=True)


def test_a_puppet_finds_the_account_of_its_owner_on_its_network(vault: Vault) -> None:
    users = MemoryUsers()
    users.add(User("ann"))
    logins = Logins(users, vault, "net")
    assert (logins.version("ann"), logins.opened("ann"), logins.version("nobody")) == ("", None, "")
    users.set_irc_login("ann", "net", IrcLogin("net", "ann_", vault.seal("ann", "ann_", "hunter2", is_first=True)))
    assert logins.opened("ann") == ("ann_", "hunter2")
    assert Logins(users, vault, "far").opened("ann") is None
    before = logins.version("ann")
    users.set_irc_login("ann", "net", IrcLogin("net", "ann_", vault.seal("ann", "ann_", "hunter2", is_first=False)))
    assert logins.version("ann") != before
    vault.path.unlink()
    with pytest.raises(ValueError, match="copy it"):
        logins.opened("ann")
