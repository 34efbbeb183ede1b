"""The texts of the systemd units, which `quackbridge systemd-unit` fills in."""
