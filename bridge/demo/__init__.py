"""The demo: real servers on loopback, people who share no code with the bridge, and a conversation between them."""
