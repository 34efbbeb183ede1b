"""The picture in the README: one conversation in two real clients, irssi and nheko, side by side."""
