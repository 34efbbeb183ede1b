"""The devices of others: which there are, and what they get and do not get from us."""
