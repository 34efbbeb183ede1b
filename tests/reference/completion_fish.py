"""share/fish/vendor_completions.d/quackbridge.fish: the script by which fish completes commands."""

from bridge.cli.completion import script

PATH = "share/fish/vendor_completions.d/quackbridge.fish"


def page() -> str:
    """What `quackbridge completion fish` prints."""
    return script("fish") + "\n"
