"""The packages in which the program is installed by others: a Debian package, a container."""
