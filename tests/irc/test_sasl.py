"""Logging in to the services account: each mechanism, which one is chosen, and what a server in between may do."""

import base64
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from bridge.irc.effects import Broken, Notable, Online, Rejected
from bridge.irc.sasl.choice import Trust
from bridge.irc.sasl.pieces import Pieces, cut
from bridge.irc.sasl.scram import LIED
from bridge.irc.session.session import Session
from tests.irc.scripted import Lie, SaslServer
from tests.irc.test_session import Talk

PLAIN: dict[str, Any] = {"sasl_account": "duck", "sasl": {"mechanism": "plain"}}
AUTO: dict[str, Any] = {"sasl_account": "duck", "sasl_password": "quack"}
KEY = ec.generate_private_key(ec.SECP256R1())
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
).decode()
WRONG = "does not accept the account or password"


def meet(server: SaslServer, trust: Trust | None = None, **changes: object) -> Talk:
    """A connection to `server`, until we are online or it is over."""
    talk = Talk(**{**AUTO, **changes})
    if trust is not None:
        talk.effects = []
        talk.session = Session(talk.settings, (), origin="o", now=0.0, rng=random.Random(1), trust=trust)
        talk._take(talk.session.start())
    lines = talk.written()
    for _ in range(50):
        if any(isinstance(each, Rejected | Broken | Online) for each in talk.effects):
            break
        heard = [answer for line in lines for answer in server.answers(line)]
        lines = talk.hears(*heard) if heard else talk.passes(10)
    return talk


def reason(talk: Talk) -> str:
    (rejected,) = talk.of(Rejected)
    assert not talk.of(Online)
    assert "CAP END" not in talk.written()
    return rejected.reason


# Mechanisms


@pytest.mark.parametrize("name", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize("password", ["quack", "p,=ss wörd", "x" * 287, "x" * 290, "é" * 400])
def test_a_password_logs_us_in_by_each_mechanism_also_in_several_pieces(name: str, password: str) -> None:
    server = SaslServer(name, password=password)
    talk = meet(server, sasl_password=password)
    assert talk.of(Online)
    assert server.tried == [name]


@pytest.mark.parametrize("name", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_wrong_password_is_a_rejection_and_no_other_mechanism_is_tried(name: str) -> None:
    server = SaslServer(f"{name},PLAIN", password="another")
    assert WRONG in reason(meet(server))
    assert server.tried == [name]


def test_a_certificate_logs_us_in_without_a_password(tmp_path: Path) -> None:
    server = SaslServer("EXTERNAL,SCRAM-SHA-512,PLAIN", certified=True)
    talk = meet(server, sasl={"certificate": certificate(tmp_path)}, sasl_password=None)
    assert talk.of(Online)
    assert server.tried == ["EXTERNAL"]
    assert "AUTHENTICATE +" in talk.written()


def test_a_key_logs_us_in_by_signing_the_servers_challenge() -> None:
    server = SaslServer("ECDSA-NIST256P-CHALLENGE,PLAIN", signer=KEY.public_key())
    talk = meet(server, sasl={"key": PEM}, sasl_password=None)
    assert talk.of(Online)
    assert "AUTHENTICATE ZHVjaw==" in talk.written()
    wrong = SaslServer("ECDSA-NIST256P-CHALLENGE", signer=ec.generate_private_key(ec.SECP256R1()).public_key())
    assert "does not know our key" in reason(meet(wrong, sasl={"key": PEM}, sasl_password=None))


@given(st.binary(max_size=1300))
def test_pieces_are_400_characters_at_most_and_join_to_the_whole(message: bytes) -> None:
    pieces, joined = [*cut(message)], Pieces()
    assert all(0 < len(piece) <= 400 for piece in pieces)
    assert [joined.add(piece) for piece in pieces][-1] == message


def test_a_challenge_comes_in_pieces_and_is_bounded() -> None:
    pieces = Pieces()
    assert pieces.add("A" * 400) is None
    assert pieces.add("+") == bytes(300)
    with pytest.raises(ValueError, match="longer than 8000"):
        [pieces.add("A" * 400) for _ in range(30)]
    talk = Talk(**AUTO)
    talk.hears(":irc CAP * LS :sasl=SCRAM-SHA-256", ":irc CAP * ACK :sasl", "AUTHENTICATE +")
    assert talk.hears(*[f"AUTHENTICATE {'A' * 400}" for _ in range(30)]) == ["AUTHENTICATE *"]
    assert "longer than" in reason(talk)


# The choice


def certificate(folder: Path) -> str:
    path = folder / "duck.pem"
    path.touch(mode=0o600)  # the session does not read it
    return str(path)


def offers() -> Iterator[tuple[str, str]]:
    yield "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,EXTERNAL,ECDSA-NIST256P-CHALLENGE", "EXTERNAL"
    yield "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,ECDSA-NIST256P-CHALLENGE", "SCRAM-SHA-512"
    yield "PLAIN,SCRAM-SHA-256,ECDSA-NIST256P-CHALLENGE", "SCRAM-SHA-256"
    yield "PLAIN,ECDSA-NIST256P-CHALLENGE", "ECDSA-NIST256P-CHALLENGE"
    yield "plain,KERBEROS_V4", "PLAIN"


@pytest.mark.parametrize(("offer", "chosen"), [*offers()])
def test_auto_takes_the_strongest_mechanism_that_is_offered(tmp_path: Path, offer: str, chosen: str) -> None:
    talk = Talk(**AUTO, sasl={"certificate": certificate(tmp_path), "key": PEM})
    assert talk.hears(f":irc CAP * LS :sasl={offer}", ":irc CAP * ACK :sasl")[-1] == f"AUTHENTICATE {chosen}"


def test_auto_takes_only_what_we_have_the_means_for() -> None:
    talk = Talk(**AUTO)
    offer = "EXTERNAL,ECDSA-NIST256P-CHALLENGE,PLAIN"
    assert talk.hears(f":irc CAP * LS :sasl={offer}", ":irc CAP * ACK :sasl")[-1] == "AUTHENTICATE PLAIN"


def test_a_certificate_is_no_means_without_tls(tmp_path: Path) -> None:
    talk = Talk(**AUTO, sasl={"certificate": certificate(tmp_path)}, tls=False)
    assert talk.hears(":irc CAP * LS :sasl=EXTERNAL,PLAIN", ":irc CAP * ACK :sasl")[-1] == "AUTHENTICATE PLAIN"


def test_a_list_of_mechanisms_is_tried_in_its_order_and_no_other_is() -> None:
    server = SaslServer("PLAIN,SCRAM-SHA-256,SCRAM-SHA-512", without="SCRAM-SHA-256")
    assert meet(server, sasl={"mechanism": ["scram-sha-256", "SCRAM-SHA-512"]}).of(Online)
    assert server.tried == ["SCRAM-SHA-256", "SCRAM-SHA-512"]
    refusing = SaslServer("PLAIN,SCRAM-SHA-256", without="SCRAM-SHA-256")
    assert "does not let us log in" in reason(meet(refusing, sasl={"mechanism": "scram-sha-256"}))
    assert refusing.tried == ["SCRAM-SHA-256"]


def test_auto_goes_on_with_the_next_mechanism_where_the_account_has_nothing_for_the_first(tmp_path: Path) -> None:
    """Services that keep passwords in an old form cannot do SCRAM; a certificate may not be registered yet."""
    server = SaslServer("EXTERNAL,SCRAM-SHA-512,SCRAM-SHA-256,PLAIN", without="SCRAM-SHA-512,SCRAM-SHA-256")
    assert meet(server, sasl={"certificate": certificate(tmp_path)}).of(Online)
    assert server.tried == ["EXTERNAL", "SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]


def test_auto_finds_the_mechanism_of_a_server_that_does_not_name_any() -> None:
    server = SaslServer("PLAIN", silent=True)
    assert meet(server).of(Online)
    assert server.tried == ["SCRAM-SHA-512", "PLAIN"]


def test_a_list_of_mechanisms_without_a_refusal_is_one_after_three_seconds() -> None:
    talk = Talk(**AUTO)
    assert talk.hears(":irc CAP * LS :sasl", ":irc CAP * ACK :sasl")[-1] == "AUTHENTICATE SCRAM-SHA-512"
    assert talk.hears(":irc 908 duck PLAIN :are available") == []
    assert talk.passes(2) == []
    assert talk.passes(1) == ["AUTHENTICATE PLAIN"]


def test_a_password_that_scram_cannot_say_is_said_by_plain() -> None:
    server = SaslServer(password="\u0378")
    assert meet(server, sasl_password="\u0378").of(Online)
    assert server.tried == ["PLAIN"]


# A server in between


@pytest.mark.parametrize("lie", [*Lie][1:])
@pytest.mark.parametrize("required", [True, False])
def test_a_server_that_does_not_prove_that_it_knows_the_password_is_left_at_once(lie: Lie, required: bool) -> None:
    trust = Trust()
    server = SaslServer(password="guess", lie=lie)
    talk = meet(server, trust, sasl={"required": required})
    assert reason(talk) == LIED
    assert server.tried == ["SCRAM-SHA-512"]
    if lie not in (Lie.SILENCE, Lie.ALREADY):
        assert talk.written()[-1] == "AUTHENTICATE *"
    again = SaslServer("PLAIN")
    talk = meet(again, trust, sasl={"required": required})
    assert reason(talk).startswith(LIED)
    assert again.tried == []  # the next connection does not give away the password either
    assert meet(SaslServer(), trust).of(Online)
    assert meet(again, trust).of(Online)  # the server has proved itself since


@pytest.mark.parametrize("rounds", [1, 4095, 200_001, 999_999_999])
def test_a_server_may_not_choose_how_much_work_its_guesses_or_our_answer_cost(rounds: int) -> None:
    talk = Talk(**AUTO)
    talk.hears(":irc CAP * LS :sasl=SCRAM-SHA-256,PLAIN", ":irc CAP * ACK :sasl")
    (first,) = talk.hears("AUTHENTICATE +")
    nonce = base64.b64decode(first.split()[1]).decode().partition(",r=")[2]
    challenge = f"r={nonce}abc,s={base64.b64encode(bytes(16)).decode()},i={rounds}"
    written = talk.hears(f"AUTHENTICATE {base64.b64encode(challenge.encode()).decode()}")
    assert written == ["AUTHENTICATE *"]
    assert f"wants {rounds} rounds of SCRAM; the bridge does 4096 to 200000" in reason(talk)


def test_plain_is_not_tried_after_a_challenge_of_scram_that_no_honest_server_sends() -> None:
    talk = Talk(**AUTO)
    talk.hears(":irc CAP * LS :sasl=SCRAM-SHA-256,PLAIN", ":irc CAP * ACK :sasl", "AUTHENTICATE +")
    challenge = base64.b64encode(b"r=theirs,s=AAAAAAAAAAAAAAAAAAAAAA==,i=4096").decode()
    talk.hears(f"AUTHENTICATE {challenge}", ":irc 904 * :no", ":irc 906 * :aborted")
    assert "challenge is not valid" in reason(talk)
    assert [line for line in talk.written() if "PLAIN" in line] == []


def test_a_server_that_asks_twice_gets_the_password_once() -> None:
    talk = Talk(**PLAIN, sasl_password="quack")
    talk.hears(":irc CAP * LS :sasl", ":irc CAP * ACK :sasl", "AUTHENTICATE +")
    assert talk.hears("AUTHENTICATE +") == ["AUTHENTICATE *"]
    assert "asks for the password twice" in reason(talk)


# Numerics, and what happens later


def test_without_required_the_bridge_goes_on_without_the_account() -> None:
    for server in (SaslServer(password="another"), SaslServer("KERBEROS_V4")):
        talk = meet(server, sasl={"required": False})
        assert talk.of(Online)
        (noted,) = talk.of(Notable)
        assert noted.reason.endswith("; the bridge goes on without the account")
    talk = Talk(**AUTO, sasl={"required": False})
    assert talk.hears(":irc CAP * LS :batch", ":irc CAP * ACK :batch")[-1] == "CAP END"
    talk.hears(":irc 001 duck :Welcome", ":irc 376 duck :end")
    assert talk.of(Online)
    assert talk.hears(":irc CAP duck NEW :sasl=PLAIN") == ["CAP REQ sasl"]
    assert talk.hears(":irc CAP duck ACK :sasl") == ["AUTHENTICATE PLAIN"]


@pytest.mark.parametrize(
    ("numeric", "words"), [("902", "locked"), ("904", WRONG), ("905", "too long"), ("906", "broke off")]
)
def test_each_refusal_is_said_in_words_with_the_account_and_without_the_password(numeric: str, words: str) -> None:
    talk = Talk(**PLAIN, sasl_password="hunter2")
    talk.hears(":irc CAP * LS :sasl", ":irc CAP * ACK :sasl", "AUTHENTICATE +", f":irc {numeric} * :no")
    (end,) = [each for each in talk.effects if isinstance(each, (Broken, Rejected))]
    assert words in end.reason
    assert "no" in end.reason
    assert "hunter2" not in end.reason
    assert "CAP END" not in talk.written()
    if isinstance(end, Rejected):
        assert "'duck'" in end.reason
        assert end.key == ("networks", "net", "sasl", "password")


def test_being_logged_in_to_another_account_is_noted() -> None:
    talk = Talk(**PLAIN, sasl_password="quack")
    talk.hears(":irc CAP * LS :sasl", ":irc CAP * ACK :sasl", "AUTHENTICATE +", ":irc 900 * d!u@h goose :in")
    assert [each.reason for each in talk.of(Notable)] == ["the server logged us in as goose, not as duck"]


def test_after_a_logout_alone_we_log_in_again_after_five_seconds() -> None:
    talk = meet(SaslServer())
    assert talk.hears(":irc 901 duck duck!d@h :You are now logged out") == []
    written = talk.passes(6)
    assert [line for line in written if line.startswith("AUTH")] == ["AUTHENTICATE SCRAM-SHA-512"]
    talk.hears(":irc 906 duck :SASL authentication aborted")
    assert not talk.of(Broken)
    assert "AUTHENTICATE SCRAM-SHA-512" in talk.passes(62)


def test_a_server_that_logs_us_out_again_and_again_gets_one_login_a_minute() -> None:
    talk = meet(SaslServer("PLAIN"))
    before = len(talk.effects)
    for _ in range(100):
        talk.hears(":irc 901 duck d!d@h :out", ":irc CAP duck DEL :sasl", ":irc CAP duck NEW :sasl=PLAIN")
        talk.hears(":irc CAP duck ACK :sasl", "AUTHENTICATE +", ":irc 903 duck :ok")
        talk.passes(1)
        talk.hears("PING :x")
    assert talk.written(before).count("AUTHENTICATE PLAIN") <= 6


def test_sasl_that_is_taken_back_during_the_login_ends_the_connection() -> None:
    talk = Talk(**AUTO)
    talk.hears(":irc CAP * LS :sasl", ":irc CAP * ACK :sasl", ":irc CAP * DEL :sasl")
    assert [each.reason for each in talk.of(Broken)] == ["the server took SASL back during the login"]


def test_sasl_plain_sends_the_account_and_the_password_in_chunks_of_400() -> None:
    password = "x" * 287  # 297 bytes in all: the base64 of it fills its last chunk
    talk = Talk(**PLAIN, sasl_password=password)
    assert talk.hears(":irc CAP * LS :sasl=EXTERNAL,PLAIN batch") == ["CAP REQ :batch sasl"]
    assert talk.hears(":irc CAP * ACK :batch sasl") == ["AUTHENTICATE PLAIN"]
    chunks = [line.split()[1] for line in talk.hears("AUTHENTICATE +")]
    assert [len(chunk) for chunk in chunks] == [396]
    assert base64.b64decode(chunks[0]) == f"duck\0duck\0{password}".encode()
    assert talk.hears(":irc 900 duck duck!a@b duck :in", ":irc 903 duck :ok") == ["CAP END"]


def test_sasl_sends_an_empty_chunk_after_a_last_chunk_of_exactly_400() -> None:
    talk = Talk(**PLAIN, sasl_password="x" * 290)
    talk.hears(":irc CAP * LS :sasl", ":irc CAP * ACK :sasl")
    assert [len(line.split()[1]) for line in talk.hears("AUTHENTICATE +")] == [400, 1]
    assert talk.written()[-1] == "AUTHENTICATE +"


def test_the_sasl_password_is_sent_only_when_the_server_asks_and_never_after_the_login() -> None:
    talk = Talk(**PLAIN, sasl_password="x")
    assert talk.hears("AUTHENTICATE +", ":irc CAP * LS :sasl") == ["CAP REQ sasl"]
    assert talk.hears("AUTHENTICATE +", ":irc CAP * ACK :sasl", "AUTHENTICATE eA==") == ["AUTHENTICATE PLAIN"]
    assert talk.hears(":irc CAP * NEW :foo/bar") == []
    talk.hears("AUTHENTICATE +", ":irc 903 * :ok")
    assert talk.hears("AUTHENTICATE +") == []


def test_the_connection_is_given_up_when_an_account_is_configured_but_sasl_plain_is_not_offered() -> None:
    for offer in ("batch", "sasl=EXTERNAL"):
        talk = Talk(**PLAIN, sasl_password="x")
        talk.hears(f":irc CAP * LS :{offer}", ":irc CAP * ACK :batch", ":irc CAP * ACK :sasl")
        assert any(isinstance(effect, (Broken, Rejected)) for effect in talk.effects)
        assert "CAP END" not in talk.written()
    talk = Talk(**PLAIN, sasl_password="x")
    talk.hears(":irc 421 * CAP :Unknown command", ":irc 001 duck :Welcome")
    assert talk.of(Broken)
    assert not talk.of(Online)
    talk = Talk(**PLAIN, sasl_password="x")
    talk.hears(":irc CAP * LS :sasl", ":irc CAP * NAK :sasl")
    assert talk.of(Broken)


def test_an_aborted_sasl_login_ends_the_connection_but_is_no_rejection() -> None:
    talk = Talk(**PLAIN, sasl_password="x")
    talk.hears(":irc CAP * LS :sasl", ":irc CAP * ACK :sasl", "AUTHENTICATE +", ":irc 906 * :aborted")
    assert talk.of(Broken)
    assert not talk.of(Rejected)


def test_a_server_that_lists_its_sasl_mechanisms_without_plain_has_rejected_us() -> None:
    talk = Talk(**PLAIN, sasl_password="quack")
    talk.hears(":irc CAP * LS :sasl", ":irc CAP * ACK :sasl", ":irc 908 duck EXTERNAL,SCRAM-SHA-256 :are available")
    assert [each.reason for each in talk.of(Rejected)] == [
        "the server offers SASL only by EXTERNAL,SCRAM-SHA-256; the bridge needs PLAIN"
    ]


def test_after_a_logout_by_services_we_log_in_again_when_sasl_is_offered_again() -> None:
    talk = Talk(**PLAIN, sasl_password="quack")
    talk.hears(":irc CAP * LS :sasl", ":irc CAP * ACK :sasl", "AUTHENTICATE +", ":irc 903 duck :ok")
    talk.hears(":irc 001 duck :Welcome", ":irc 376 duck :end")
    assert talk.hears(":irc 901 duck duck!d@h :You are now logged out", ":irc CAP duck DEL :sasl") == []
    assert talk.hears(":irc CAP duck NEW :sasl") == ["CAP REQ sasl"]
    assert talk.hears(":irc CAP duck ACK :sasl") == ["AUTHENTICATE PLAIN"]
    assert talk.hears("AUTHENTICATE +") == ["AUTHENTICATE ZHVjawBkdWNrAHF1YWNr"]
    talk.hears(":irc 904 duck :SASL authentication failed")
    assert not talk.of(Rejected)  # a connection that works is kept
    assert [each.event for each in talk.of(Notable)] == ["logged_out", "not_logged_in"]
    talk.hears(":irc CAP duck DEL :sasl", ":irc CAP duck NEW :sasl")
    assert talk.hears(":irc CAP duck ACK :sasl", "AUTHENTICATE +", ":irc 903 duck :ok")[0] == "AUTHENTICATE PLAIN"
