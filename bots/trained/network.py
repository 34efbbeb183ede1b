"""A small network that scores how well an answer fits: a layer of 32 and a linear part. Pure.

It learns from lists of candidates: the first is right, or none is; then the constant candidate "nothing" is right.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bots.trained.grams import Floats

HIDDEN = 32
_BATCH = 128
_RATE = 0.003
_DECAY = 1e-3
_PASSES = 8


@dataclass(frozen=True, slots=True)
class Network:
    """The weights: `inner` features x HIDDEN, `bias` and `outer` HIDDEN, `linear` features, `nothing` one number.

    Features are shifted by `mean` and divided by `spread` first.
    """

    mean: Floats
    spread: Floats
    inner: Floats
    bias: Floats
    outer: Floats
    linear: Floats
    nothing: Floats

    def scores(self, features: Floats) -> Floats:
        """One score a row, less the score of "nothing": above zero, the answer is better than silence."""
        seen = (features - self.mean) / self.spread
        layer = np.maximum(seen @ self.inner + self.bias, 0)
        found: Floats = layer @ self.outer + seen @ self.linear - self.nothing[0]
        return found


def learn(lists: Floats, right: Floats, tell: Callable[[float], None] = lambda _: None) -> Network:
    """Learn from `lists` (lists x candidates x features). `right`: 1 if a list's first candidate is right, else 0.

    `tell` is called with the part that is done, 0 to 1.
    """
    count, width, size = lists.shape
    chance = np.random.default_rng(0)
    mean = lists.reshape(-1, size).mean(0)
    spread = lists.reshape(-1, size).std(0) + np.float32(1e-3)
    inner = chance.standard_normal((size, HIDDEN)).astype(np.float32) * np.float32(np.sqrt(2 / size))
    outer = chance.standard_normal(HIDDEN).astype(np.float32) * np.float32(0.1)
    weights = [inner, np.zeros(HIDDEN, np.float32), outer, np.zeros(size, np.float32), np.zeros(1, np.float32)]
    first, second = [np.zeros_like(each) for each in weights], [np.zeros_like(each) for each in weights]
    batch = min(_BATCH, count)
    steps, step = _PASSES * (count // batch), 0
    for _ in range(_PASSES):
        order = chance.permutation(count)
        for start in range(0, count - batch + 1, batch):
            chosen = order[start : start + batch]
            slopes = _slopes(weights, (lists[chosen] - mean) / spread, right[chosen], width)
            step += 1
            _adam(weights, slopes, first, second, step, _RATE * (1 - step / steps) + 1e-5)
        tell(step / steps)
    return Network(mean, spread, *weights)


def _slopes(weights: list[Floats], seen: Floats, right: Floats, width: int) -> list[Floats]:
    """The slope of the mean loss, for each of the weights."""
    inner, bias, outer, linear, nothing = weights
    flat = seen.reshape(-1, seen.shape[2])
    before = flat @ inner + bias
    layer = np.maximum(before, 0)
    scores = (layer @ outer + flat @ linear).reshape(-1, width)
    scores = np.concatenate([scores, np.broadcast_to(nothing, (len(scores), 1))], 1)
    chances = np.exp(scores - scores.max(1, keepdims=True))
    chances /= chances.sum(1, keepdims=True)
    chances[:, 0] -= right
    chances[:, -1] -= 1 - right
    chances /= len(chances)
    slope = np.ascontiguousarray(chances[:, :-1]).reshape(-1)
    back = np.outer(slope, outer) * (before > 0)
    return [flat.T @ back, back.sum(0), layer.T @ slope, flat.T @ slope, chances[:, -1:].sum(0)]


def _adam(
    weights: list[Floats], slopes: list[Floats], first: list[Floats], second: list[Floats], step: int, rate: float
) -> None:
    """One step of Adam (Kingma and Ba, 2015), in place."""
    for weight, slope, mean, square in zip(weights, slopes, first, second, strict=True):
        slope = slope + np.float32(_DECAY) * weight
        mean += np.float32(0.1) * (slope - mean)
        square += np.float32(0.001) * (slope * slope - square)
        weight -= np.float32(rate) * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + np.float32(1e-8))
