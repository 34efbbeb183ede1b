"""BlurHash, against values of a published implementation (the package `blurhash` 1.1.5, and its black picture)."""

import random

import pytest

from bridge.previews.blurhash import blurhash

_SLOPE = bytes(value for y in range(8) for x in range(12) for value in (x * 20, y * 30, x * y))


@pytest.mark.parametrize(
    ("pixels", "size", "components", "expected"),
    [
        (bytes(12 * 8 * 3), (12, 8), (4, 3), "L00000fQfQfQfQfQfQfQfQfQfQfQ"),
        (_SLOPE, (12, 8), (4, 3), "LiFP3x2.sUt5u;R-jtjHf6fQfQfQ"),
        (random.Random(1).randbytes(780), (20, 13), (4, 3), "LBH.KM^mMz-~.jchRjrNKJbpoYsr"),
        (random.Random(2).randbytes(48), (1, 16), (4, 3), "L~H-=k~q~q~q^M^M^M^Mx^x^x^x^"),
        (random.Random(3).randbytes(18), (3, 2), (5, 2), "D~H^;p[#:w}w:w}],y+l}0+l"),
        (random.Random(4).randbytes(3072), (32, 32), (1, 1), "00H_la"),
    ],
)
def test_a_picture_has_the_blurhash_that_others_give_it(
    pixels: bytes, size: tuple[int, int], components: tuple[int, int], expected: str
) -> None:
    assert blurhash(pixels, *size, *components) == expected
