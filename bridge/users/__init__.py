"""Who is who: the user database behind the allowlist."""

from bridge.users.contract import Measure, Role, Sanction, User, Users, UsersError, UsersUnavailable

__all__ = ["Measure", "Role", "Sanction", "User", "Users", "UsersError", "UsersUnavailable"]
