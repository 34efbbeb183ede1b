"""The rooms that we are in, how we get into them, and private conversations."""
