from hypothesis import given
from hypothesis import strategies as st

from bridge.model.casemap import Casemapping


def test_each_casemapping_folds_what_its_standard_says() -> None:
    assert Casemapping.EXACT.fold("A[]\\^") == "A[]\\^"
    assert Casemapping.ASCII.fold("A[]\\^") == "a[]\\^"
    assert Casemapping.RFC1459_STRICT.fold("A[]\\^") == "a{}|^"
    assert Casemapping.RFC1459.fold("A[]\\^") == "a{}|~"


def test_letters_that_python_would_fold_are_different_letters() -> None:
    assert Casemapping.RFC1459.fold("\N{KELVIN SIGN}") != Casemapping.RFC1459.fold("K")
    assert Casemapping.ASCII.fold("É") == "É"


@given(st.text(), st.text())
def test_names_that_differ_under_rfc1459_differ_under_all(one: str, other: str) -> None:
    if Casemapping.RFC1459.fold(one) != Casemapping.RFC1459.fold(other):
        assert all(mapping.fold(one) != mapping.fold(other) for mapping in Casemapping)


@given(st.text(), st.sampled_from(list(Casemapping)))
def test_folding_twice_is_folding_once(name: str, mapping: Casemapping) -> None:
    assert mapping.fold(mapping.fold(name)) == mapping.fold(name)
