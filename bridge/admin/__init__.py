"""Administration, in one place for the shell and the chat."""
