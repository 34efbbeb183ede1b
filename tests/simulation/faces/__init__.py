"""The real IRC adapter with puppets under made-up time and made-up trouble: a server in memory, connections with delays
of their own, and who has seen what, and from whom, in the end."""
