"""share/man/man1/quackbridge.1: the manual page, made from the commands."""

from bridge.cli import manual

PATH = "share/man/man1/quackbridge.1"
page = manual.page
