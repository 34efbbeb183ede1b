"""Opens connections to the servers of a network: which one, how, and whether it is the right one."""
