"""IRC: a sans-I/O session and the thin shell that gives it a socket."""
