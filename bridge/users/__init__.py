"""Who is who: the user database behind the allowlist."""

from bridge.users.contract import Role, User, Users, UsersError, UsersUnavailable

__all__ = ["Role", "User", "Users", "UsersError", "UsersUnavailable"]
