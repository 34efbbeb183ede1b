"""The status page at `/`: the health of the bridge as one page of HTML without scripts and without names of people."""

from bridge.http.status.endpoint import routes
from bridge.http.status.page import page

__all__ = ["page", "routes"]
