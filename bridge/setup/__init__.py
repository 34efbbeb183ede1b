"""The wizard: from nothing to a bridge that carries, each answer tried live."""
