"""Metrics for Prometheus over HTTP, for this machine only. Collectors read at each scrape what is counted elsewhere.

Names follow https://prometheus.io/docs/practices/naming/; docs/reference/metrics.md lists them. Labels come from the
config or from an enum of ours: never a nick, a user id, or the text of an error.
"""

from bridge.http.metrics.carried import CarriedMetrics
from bridge.http.metrics.exposition import registry_of, routes
from bridge.http.metrics.media import MediaMetrics
from bridge.http.metrics.state import StateMetrics

__all__ = ["CarriedMetrics", "MediaMetrics", "StateMetrics", "registry_of", "routes"]
