"""Rules files: what is wrong with one is said with file, line and rule; hostile ones are refused at once."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.rules import RulesError, read
from bots.rules.document import BYTES
from bots.rules.examples import failures

_RULE = "rules:\n  - match: hello\n    answer: hi\n"


def _refused(content: str | bytes) -> str:
    with pytest.raises(RulesError) as caught:
        read(content.encode() if isinstance(content, str) else content, "my.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "my.yaml:1: the file is empty"),
        ("rules:", "my.yaml:1: this must be a list"),
        ("- a", "my.yaml:1: this must be a mapping"),
        ("sets: {}", "my.yaml:1: there are no rules"),
        ("rule: []", "my.yaml:1: there is no key 'rule' here; did you mean rules?"),
        (_RULE + "rules: []", "my.yaml:4: 'rules' is there twice; the first is in line 1"),
        ("rules:\n  - answer: hi", "my.yaml:2: `match` is missing"),
        ("rules:\n  - match: hello", 'my.yaml:2: rule "hello": a rule has either `answer` or `redirect`'),
        ("rules:\n  - match: []\n    answer: hi", "my.yaml:2: the list is empty"),
        ("rules:\n  - match: (hello\n    answer: hi", "my.yaml:2: rule \"(hello\": ')' is missing"),
        (_RULE + "  - match: a *\n    answer: <star2>", 'my.yaml:4: rule "a *": the answer says <star2>'),
        (_RULE + "  - match: a\n    answer: [b, '{nme}']", 'my.yaml:5: rule "a": there is no {nme}: say one of {name}'),
        (_RULE + "  - match: a\n    answer: <set Name=b>", "my.yaml:5: rule \"a\": 'Name' is no name"),
        (_RULE + "  - match: a\n    answer: '@no'", "my.yaml:5: rule \"a\": there is no answer called '@no'"),
        (_RULE + "  - match: a\n    answer: {say: b, when: {role: king}}", "a role is one of member, admin, guest"),
        (_RULE + "  - match: a\n    answer: {say: b, weight: 0}", "this must be a number from 1 to 1000"),
        (
            _RULE + "  - match: a\n    answer: {say: b, wieght: 3}",
            "there is no key 'wieght' here; did you mean weight?",
        ),
        (_RULE + "    examples: [{answer: hi}]", 'my.yaml:4: rule "hello": `ask` is missing'),
        (_RULE + "---\n" + _RULE, "my.yaml:4: a second document begins here"),
        ("rules:\n  - match: * hello\n    answer: hi", "my.yaml:2: while scanning an alias"),
        ("rules: &x []", "my.yaml:1: anchors and aliases"),
        ("rules: !!python/object/apply:os.system [ls]", "my.yaml:1: tags (!) are not supported"),
        ("rules: [\n" * 5000, "nested deeper than 12 levels"),
        ("- " * 5000, "nested deeper than 12 levels"),
        ("rules: [" + "a," * 60_000 + "]", "more than 50000 values"),
        ("a" * (BYTES + 1), "my.yaml: is larger than 512 kB"),
        (b"rules:\n\xff\xfe", "my.yaml:2: this is not UTF-8 text"),
        ("rules: \x00", "my.yaml:1: a character that YAML does not allow"),
        ("rules: {[a]: b}", "a key must be a word"),
    ],
    ids=range(29),
)
def test_what_is_wrong_is_said_with_its_place(content: str | bytes, says: str) -> None:
    assert says in _refused(content)


def test_the_bomb_of_a_billion_laughs_is_refused_before_it_grows() -> None:
    bomb = "a: &a [x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
    )
    assert "anchors and aliases" in _refused(bomb)


def test_all_problems_are_shown_in_the_order_of_the_file() -> None:
    said = _refused("rules:\n  - match: (a\n    answer: b\n  - match: c\n  - match: d\n    answer: <star>\n")
    assert [line.split(":")[1] for line in said.splitlines()] == ["2", "4", "5"]


def test_of_many_problems_the_first_twenty_are_shown() -> None:
    assert len(_refused("rules:\n" + "  - match: a\n" * 100).splitlines()) == 20


def test_patterns_and_answers_may_be_words_that_yaml_takes_for_other_things() -> None:
    script = read(
        b"rules:\n  - match: yes\n    answer: no\n    examples: {'yes': no}\n  - match: 42\n    answer: 007\n"
    )
    assert [*failures(script)] == []


def test_a_file_with_too_many_steps_is_refused() -> None:
    wide = "|".join(f"w{n} x" for n in range(60))
    assert "too many rules" in _refused(
        "rules:\n" + "".join(f"  - {{match: '({wide})', answer: a}}\n" for _ in range(900))
    )


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with suppress(RulesError):
        assert read(content).book.rules


_KEYS = ("rules", "match", "answer", "say", "when", "role", "examples", "ask", "topic", "sets", "a")
_YAML = st.recursive(
    st.sampled_from(["hello", "'*'", "a *", "<star>", "'{name}'", "'@a'", "", "~", "3", "yes", "'(a|b)'", "<get x|y>"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda each: f"[{', '.join(each)}]"),
        st.dictionaries(st.sampled_from(_KEYS), inner, max_size=3).map(
            lambda each: f"{{{', '.join(f'{key}: {value}' for key, value in each.items())}}}"
        ),
    ),
)


@given(_YAML, _YAML)
def test_any_shape_of_a_rule_is_read_or_refused(one: str, other: str) -> None:
    rule = f"rules: [{{match: {one}, answer: {other}}}]"
    for content in (one, rule, f"rules: [{{match: '*', answer: a, examples: {one}}}]"):
        with suppress(RulesError):
            assert [each for each in failures(read(content.encode())) if not str(each)] == []
