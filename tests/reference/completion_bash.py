"""share/bash-completion/completions/quackbridge: the script by which bash completes commands."""

from bridge.cli.completion import script

PATH = "share/bash-completion/completions/quackbridge"


def page() -> str:
    """What `quackbridge completion bash` prints."""
    return script("bash") + "\n"
