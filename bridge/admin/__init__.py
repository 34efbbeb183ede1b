"""Administration: the commands that the shell and the chat share."""
