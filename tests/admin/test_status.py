"""What `status` says of encryption, for every state in which a network may be."""

from collections.abc import Mapping
from typing import Any

import pytest

from bridge.admin.verbs.status import _sealed

_SIGNED = {"problem": "", "device": "ABC", "unsigned": "", "keys": 48, "rooms": ["home/!a:hs"]}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "encrypted and signed (1 encrypted room, 48 keys left for new conversations)"),
        ({"rooms": [], "keys": None}, "encrypted and signed (no encrypted rooms)"),
        (
            {"unsigned": "there is no recovery key: run `quackbridge matrix-setup Home`", "keys": 1},
            "encryption works (1 encrypted room, 1 key left for new conversations), but clients warn of the bridge:"
            " there is no recovery key: run `quackbridge matrix-setup Home`",
        ),
        ({"problem": "it is off (`encryption: false`)"}, "no encryption: it is off (`encryption: false`)"),
    ],
)
def test_a_state_of_encryption_is_told_in_words(changed: Mapping[str, Any], said: str) -> None:
    assert _sealed({**_SIGNED, **changed}) == said


def test_what_a_daemon_of_another_version_leaves_out_is_not_missed() -> None:
    assert _sealed({}) == "encrypted and signed (no encrypted rooms)"
