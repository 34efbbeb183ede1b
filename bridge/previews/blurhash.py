"""Computes a BlurHash: a blurred preview of a picture in some thirty characters (https://github.com/woltapp/blurhash,
Algorithm.md). Pure."""

import math
from collections.abc import Sequence

Colour = tuple[float, float, float]

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"


def blurhash(pixels: bytes, width: int, height: int, across: int = 4, down: int = 3) -> str:
    """The BlurHash of a picture, row by row three bytes (red, green, blue) each pixel, with so many components (1 to
    9). It takes time for each pixel and each component: make the picture small before."""
    linear = [_linear(value) for value in range(256)]
    colours = [tuple(linear[value] for value in pixels[at : at + 3]) for at in range(0, 3 * width * height, 3)]
    waves_across = [[math.cos(math.pi * number * x / width) for x in range(width)] for number in range(across)]
    waves_down = [[math.cos(math.pi * number * y / height) for y in range(height)] for number in range(down)]
    mean, *twice = (_component(colours, wave, fall) for fall in waves_down for wave in waves_across)
    rest = [(2 * red, 2 * green, 2 * blue) for red, green, blue in twice]
    most = max((abs(value) for colour in rest for value in colour), default=0.0)
    level = max(0, min(82, math.floor(most * 166 - 0.5)))
    scale = (level + 1) / 166
    head = _digits(across - 1 + (down - 1) * 9, 1) + _digits(level if rest else 0, 1)
    red, green, blue = (_encoded(value) for value in mean)
    return head + _digits(red << 16 | green << 8 | blue, 4) + "".join(_contrast(colour, scale) for colour in rest)


def _component(colours: Sequence[tuple[float, ...]], wave: Sequence[float], fall: Sequence[float]) -> Colour:
    """How much of a wave across and a wave down is in the picture."""
    red = green = blue = 0.0
    at = 0
    for high in fall:
        for wide in wave:
            much = wide * high
            r, g, b = colours[at]
            red, green, blue, at = red + much * r, green + much * g, blue + much * b, at + 1
    return red / len(colours), green / len(colours), blue / len(colours)


def _contrast(colour: Colour, scale: float) -> str:
    red, green, blue = (
        max(0, min(18, math.floor(math.copysign(math.sqrt(abs(value / scale)), value) * 9 + 9.5))) for value in colour
    )
    return _digits((red * 19 + green) * 19 + blue, 2)


def _linear(value: int) -> float:
    """From sRGB (0 to 255) to light (0 to 1)."""
    share = value / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


def _encoded(light: float) -> int:
    light = max(0.0, min(1.0, light))
    share = light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
    return int(share * 255 + 0.5)


def _digits(value: int, length: int) -> str:
    return "".join(_DIGITS[value // 83**place % 83] for place in reversed(range(length)))
