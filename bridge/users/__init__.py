"""The user database behind the allowlist."""

from bridge.model.people import Role
from bridge.users.contract import Measure, Sanction, User, Users, UsersError, UsersUnavailable

__all__ = ["Measure", "Role", "Sanction", "User", "Users", "UsersError", "UsersUnavailable"]
