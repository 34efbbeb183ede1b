"""The desk: answers private commands to the bridge itself, to log in, join identities and administer."""

from bridge.admin.desk.desk import Desk

__all__ = ["Desk"]
