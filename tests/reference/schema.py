"""config.schema.json: the schema of the configuration, which config.example.yaml names for editors."""

import json

from bridge.config.schema import schema

PATH = "config.schema.json"


def page() -> str:
    """What `quackbridge config-schema` prints."""
    return json.dumps(schema(), indent=2) + "\n"
