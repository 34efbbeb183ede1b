"""Talks: rooms of two, in which members on Matrix talk with ghosts. What is said there comes by transactions."""
