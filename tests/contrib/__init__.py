"""Tests of what comes with the bridge for other programs: Prometheus and Grafana."""
