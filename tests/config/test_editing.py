"""An entry is added to a config, and everything else stays as it was, to the character."""

import difflib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bridge.config.editing import Value, with_entry

ENTRY: dict[str, Value] = {"rooms": ["home/#lake:pond.social", "libera/#lake"], "guests": "duck-only"}
BLOCK = """\
# My bridge
networks:            # the accounts
    libera: {type: irc, server: "irc.libera.chat:6697", nick: duck}   # ours

links:
    # the first one
    pond:
        rooms:
          - "libera/#pond"   # busy
        welcome: {guest: |
            Hello}
    # nothing more yet

bots: {duck: {use: "bots.duck:Duck"}}  # quack
"""


@pytest.mark.parametrize(
    "text",
    [
        BLOCK.replace("welcome: {guest: |\n            Hello}", "welcome: {guest: Hello}"),
        "networks: {}\nlinks: {pond: {rooms: [a]}, sea: {rooms: [b]}}   # all\nbots: {}\n",
        "networks: {}\nlinks:\n",
        "networks: {}\nlinks: {}   # none yet\nbots: {}\n",
        "networks: {}\nlinks:   # none yet\nbots: {}\n",
        "networks: {}\n",
        "networks: {}\nlinks:\n  pond: {rooms: [a]}",
        "networks: {}\nlinks:\n  pond:\n    rooms: [a]\n    welcome:\n      guest: |\n        Hello\nbots: {}\n",
        "links:\n  pond:\n    rooms: [a]\n\n\n# The end\n",
        '"links":\n  "pond": {rooms: [a]}\n',
    ],
)
def test_only_lines_of_the_new_entry_are_added(text: str) -> None:
    found = with_entry(text, "links", "lake", ENTRY)
    expected = yaml.safe_load(text)
    expected["links"] = {**(expected.get("links") or {}), "lake": ENTRY}
    assert yaml.safe_load(found) == expected
    assert [*yaml.safe_load(found)["links"]][-1] == "lake"
    gone = [line for line in difflib.ndiff(text.splitlines(), found.splitlines()) if line.startswith("- ")]
    assert [line for line in gone if "links" not in line and "pond" not in line] == []
    for comment in ("# the first one", "# busy", "# nothing more yet", "# all", "# none yet", "# The end", "# quack"):
        assert (comment in text) == (comment in found)


_names = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=12)


@given(_names, st.dictionaries(_names, st.lists(_names, min_size=1), min_size=1, max_size=4), st.booleans())
def test_whatever_the_names_are_the_config_says_what_it_said_and_the_new_entry(
    name: str, links: dict[str, list[str]], flow: bool
) -> None:
    before = {"links": {key: {"rooms": rooms} for key, rooms in links.items()}, "users": {"database": "x"}}
    text = yaml.safe_dump(before, default_flow_style=flow, sort_keys=False, allow_unicode=True)
    found = yaml.safe_load(with_entry(text, "links", f"{name}!", {"rooms": [name], "guests": name, "on": True}))
    assert found["users"] == before["users"]
    added = found["links"].pop(f"{name}!") if f"{name}!" not in links else None
    if added is not None:
        assert added["rooms"] == [name.replace("${", "$${")]
        assert found["links"] == before["links"]
