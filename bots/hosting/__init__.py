"""How bots live in the bridge: the host that presents them as a network, their homes, what they hear and remember."""
