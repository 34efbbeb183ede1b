import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.casemap import Casemapping, widest

_OF_IRC = [mapping for mapping in Casemapping if mapping is not Casemapping.EXACT]
_NAMES = st.text() | st.text("aA[{^~]}ΣσςÉé\u0301\u0308ａＡ［ｶﾞİıK\u0345", max_size=6)


def test_each_casemapping_folds_what_its_standard_says() -> None:
    assert Casemapping.EXACT.fold("A[]\\^") == "A[]\\^"
    assert Casemapping.ASCII.fold("A[]\\^") == "a[]\\^"
    assert Casemapping.RFC1459_STRICT.fold("A[]\\^") == "a{}|^"
    assert Casemapping.RFC1459.fold("A[]\\^") == "a{}|~"


def test_letters_that_python_would_fold_are_different_letters() -> None:
    assert Casemapping.RFC1459.fold("\N{KELVIN SIGN}") != Casemapping.RFC1459.fold("K")
    assert Casemapping.ASCII.fold("É") == "É"


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("Juliet[]", "juliet[]"),
        ("ÉMILE", "émile"),
        ("E\u0301mile", "émile"),  # with a combining accent
        ("Ａｌｉｃｅ", "alice"),  # fullwidth
        ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),  # no final sigma
        ("ｶﾞ", "ガ"),  # halfwidth
        ("ﬁsh", "ﬁsh"),  # no compatibility letters
        ("straße", "straße"),  # lower case, not case folding
        ("#Größe", "#größe"),
    ],
)
def test_rfc8265_folds_width_and_case_and_composes(name: str, folded: str) -> None:
    assert Casemapping.RFC8265.fold(name) == folded


@pytest.mark.parametrize(
    ("named", "mapping"),
    [
        (None, Casemapping.RFC1459),
        ("", Casemapping.RFC1459),
        ("RFC1459", Casemapping.RFC1459),
        ("rfc1459-strict", Casemapping.RFC1459_STRICT),
        ("strict-rfc1459", Casemapping.RFC1459_STRICT),
        ("ascii", Casemapping.ASCII),
        ("rfc8265", Casemapping.RFC8265),
        ("rfc7613", Casemapping.RFC8265),
        ("rfc3454", Casemapping.ASCII),
        ("exact", Casemapping.ASCII),  # ours, not a server's
    ],
)
def test_what_a_server_names_is_a_casemapping_and_ascii_if_we_do_not_know_it(
    named: str | None, mapping: Casemapping
) -> None:
    assert Casemapping.named(named) is mapping


@given(_NAMES, _NAMES)
def test_names_that_differ_in_the_widest_sense_differ_under_all_casemappings(one: str, other: str) -> None:
    if widest(one) != widest(other):
        assert all(mapping.fold(one) != mapping.fold(other) for mapping in Casemapping)


@given(_NAMES, st.sampled_from(_OF_IRC))
def test_the_fold_of_a_name_is_the_same_name_in_the_widest_sense(name: str, mapping: Casemapping) -> None:
    assert widest(mapping.fold(name)) == widest(name)


@given(_NAMES, st.sampled_from(list(Casemapping)))
def test_folding_twice_is_folding_once(name: str, mapping: Casemapping) -> None:
    assert mapping.fold(mapping.fold(name)) == mapping.fold(name)
