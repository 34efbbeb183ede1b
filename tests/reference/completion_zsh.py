"""share/zsh/site-functions/_quackbridge: the script by which zsh completes commands."""

from bridge.cli.completion import script

PATH = "share/zsh/site-functions/_quackbridge"


def page() -> str:
    """What `quackbridge completion zsh` prints."""
    return script("zsh") + "\n"
