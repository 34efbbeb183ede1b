"""What the command line does with models: reads corpora, trains, shows and measures."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from bots.trained import evaluation, modelfile, training
from bots.trained.corpora import Corpus, files
from bots.trained.corpora import read as read_file
from bots.trained.engine import load
from bots.trained.model import Model, packed


def one_thread() -> AbstractContextManager[object]:
    """Sums take one thread meanwhile: two take longer, where the machine has anything else to do."""
    limits: AbstractContextManager[object] = threadpool_limits(1, "blas")
    return limits


def read(paths: Sequence[Path]) -> list[Corpus]:
    """The corpora in files and folders. Raises CorpusError."""
    return [read_file(file) for path in paths for file in files(path)]


def train(corpora: Sequence[Corpus], tell: Callable[[float], None]) -> Model:
    """See `training.train`."""
    return training.train(corpora, tell)


def write(path: Path, model: Model) -> None:
    """Write a model; what is there is replaced once the new one is whole."""
    modelfile.write(path, packed(model))


def described(model: Model) -> str:
    """What a model knows, in a few words."""
    known = f"{len(model.known.questions)} known questions" if model.known is not None else "no known questions"
    chat = f"small talk of {len(model.chat.messages)} messages" if model.chat is not None else "no small talk"
    return f"{known}, {chat}"


def info(path: Path) -> Iterator[str]:
    """What a model file was made of. Raises ModelError."""
    model = load(path)
    yield described(model)
    yield f"version {modelfile.VERSION}, {path.stat().st_size / 1e6:.1f} MB, checksum {modelfile.checksum(path)}"
    if model.known is not None:
        yield f"answers a known question from a score of {model.known.threshold:.2f} on; the same words score 1"
    if model.chat is not None:
        yield f"says something in small talk from a score of {model.chat.threshold:.2f} on (`shift` is added to it)"
    for precision, spoken in model.curve.items():
        yield f"of ten answers, none right in every other list: {precision} right, if it speaks in {spoken}"
    for name, what in model.corpora.items():
        yield f"made of {name}: {what}"


def measured(path: Path, corpora: Sequence[Path], mine: Path | None) -> Iterator[str]:
    """The figures of a model. Raises ModelError, CorpusError."""
    model = load(path)
    if corpora:
        yield from map(str, evaluation.evaluate(model, read(corpora)))
    if mine is not None:
        yield from evaluation.mine(model, training.questions([read_file(mine)]))
