"""Commands for people: one file a family of commands, each a plain function. See docs/bots-commands.md."""
