"""The real Matrix adapter in encrypted rooms under made-up time and made-up trouble: a homeserver with keys and mail
for devices, people with ratchets of their own, and who has read what in the end."""
