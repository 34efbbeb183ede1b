"""The user database behind the allowlist."""

from bridge.model.people import Role
from bridge.users.contract import (
    IrcLogin,
    Measure,
    MembershipRequest,
    Sanction,
    Standing,
    User,
    Users,
    UsersError,
    UsersUnavailable,
)

__all__ = [
    "IrcLogin",
    "Measure",
    "MembershipRequest",
    "Role",
    "Sanction",
    "Standing",
    "User",
    "Users",
    "UsersError",
    "UsersUnavailable",
]
