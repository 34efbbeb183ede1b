"""When bots answer."""

from enum import StrEnum


class Answers(StrEnum):
    """When a bot answers in a link's rooms. In private conversations it always answers, unless `NEVER`."""

    MENTIONED = "mentioned"
    ALWAYS = "always"
    NEVER = "never"
