"""Ghosts: people of other networks as accounts of their own, by an application service that only sends
(https://spec.matrix.org/latest/application-service-api/)."""
