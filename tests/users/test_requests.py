"""Requests in memory: their bounds, and the handles by which admins decide them."""

from bridge.model.event import Room
from bridge.model.people import Identity, Proof
from bridge.users import MembershipRequest, Standing
from bridge.users.requests import CLOSED, OPEN, Requests, open_ones


def _wish(account: str, since: float, network: str = "libera") -> MembershipRequest:
    return MembershipRequest(Identity(Proof.IRC, network, account), Room(network, "nick"), since)


def test_of_too_many_open_requests_the_oldest_is_dropped_and_its_handle_is_not_given_to_another() -> None:
    requests = Requests()
    for number in range(OPEN + CLOSED + 2):
        requests, _ = requests.with_(_wish(f"x{number}", 1_000.0 + number), lambda _: False)
    found = open_ones(requests.all, 5_000.0)
    assert (len(found), found[0].handle) == (OPEN, f"x{CLOSED + 2}")
    assert len(requests.all) == OPEN + CLOSED
    dropped = f"x{CLOSED + 1}"
    after, late = requests.with_(_wish(dropped, 5_000.0, "oftc"), lambda _: False)
    assert late.handle == f"{dropped}2"
    after, again = after.with_(_wish(dropped, 5_001.0), lambda _: False)
    assert (again.handle, again.standing) == (dropped, Standing.OPEN)
