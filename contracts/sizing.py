"""Sizes and aspect ratios: what a request asks for, and the nearest that a service can make. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from contracts.requests import ImageRequest

Size = tuple[int, int]
"""Width and height in pixels."""

STEP = 16
"""Pixels: image models want sizes that are multiples of this."""
SHAPE_TOLERANCE = 0.02
"""How far width / height may be off a ratio, as a part of it, and still have that shape: what rounding to a grid costs
(1344x768 is what models mean by 16:9)."""

_RATIO = re.compile(r"(\d{1,4}(?:\.\d{1,4})?)\s*:\s*(\d{1,4}(?:\.\d{1,4})?)")
_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")
_REACH = 3
"""Grid steps to both sides that are searched for a size that keeps every rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeRule:
    """Which sizes a service can make."""

    allowed: tuple[Size, ...] = ()
    """The only sizes there are; () = any that keeps the other rules."""
    step: int = 1
    """Pixels: both sides are multiples of it."""
    shortest: int = 1
    """Pixels that a side has at least."""
    longest: int = 65_535
    """Pixels that a side has at most."""
    most_pixels: int = 2**32
    """Width times height at most."""
    widest: float | None = None
    """The longer side divided by the shorter one at most; None = any."""


ANY_SIZE = SizeRule()
"""No rule."""


def size_of(request: ImageRequest, default_width: int, default_height: int) -> Size:
    """Width and height in pixels.

    What the request names is kept. A ratio alone gets about the area of the default size, and one side alone the
    other by the ratio (else by the default's), both in multiples of 16. Raises `ValueError` for a bad ratio.
    """
    if request.width and request.height:
        return request.width, request.height
    if not (request.width or request.height or request.aspect_ratio):
        return default_width, default_height
    ratio = ratio_of(request.aspect_ratio) if request.aspect_ratio else default_width / default_height
    if request.width:
        return request.width, _stepped(request.width / ratio)
    if request.height:
        return _stepped(request.height * ratio), request.height
    area = default_width * default_height
    return _stepped(math.sqrt(area * ratio)), _stepped(math.sqrt(area / ratio))


def ratio_of(text: str) -> float:
    """Width divided by height of a ratio as "16:9"; raises `ValueError`."""
    match = _RATIO.fullmatch(text.strip())
    if match is None or not float(match[1]) or not float(match[2]):
        message = f'aspect_ratio must be a ratio as "16:9", not "{text[:40]}"'
        raise ValueError(message)
    return float(match[1]) / float(match[2])


def parse_size(text: str) -> Size:
    """The size of a text as "1024x1024"; raises `ValueError`."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError("must be a size as 1024x1024")
    return int(match[1]), int(match[2])


def fits(size: Size, rule: SizeRule) -> bool:
    """Whether a service can make exactly this size."""
    if rule.allowed:
        return size in rule.allowed
    width, height = size
    if any(side % rule.step or not rule.shortest <= side <= rule.longest for side in size):
        return False
    return width * height <= rule.most_pixels and (rule.widest is None or max(size) / min(size) <= rule.widest)


def nearest_size(size: Size, rule: SizeRule) -> Size:
    """The size that a service can make and that comes nearest: by shape among fixed sizes, else by both sides.

    Raises `ValueError` where the rules leave none.
    """
    if fits(size, rule):
        return size
    if rule.allowed:
        return min(rule.allowed, key=lambda one: (_log_distance(_shape(one), _shape(size)), _off(one, size)))
    ideal = _bounded(size, rule)
    usable = [one for one in _around(ideal, rule.step) if fits(one, rule)]
    if not usable:
        raise ValueError(f"the service's rules for sizes leave none near {size[0]}x{size[1]}")
    return min(usable, key=lambda one: _off(one, ideal))


def nearest_ratio(ratio: float, known: Collection[str]) -> str:
    """The ratio text that comes nearest to width / height."""
    return min(known, key=lambda text: _log_distance(ratio_of(text), ratio))


def same_shape(one: float, other: float) -> bool:
    """Whether two ratios mean the same shape, up to what a grid of pixels rounds away."""
    return abs(one / other - 1) <= SHAPE_TOLERANCE


def _stepped(pixels: float) -> int:
    return max(STEP, round(pixels / STEP) * STEP)


def _shape(size: Size) -> float:
    return size[0] / size[1]


def _log_distance(one: float, other: float) -> float:
    return abs(math.log(one / other))


def _off(size: Size, ideal: tuple[float, float]) -> float:
    return sum(_log_distance(side, wanted) for side, wanted in zip(size, ideal, strict=True))


def _bounded(size: Size, rule: SizeRule) -> tuple[float, float]:
    """The nearest shape and area within the rules, off the grid."""
    widest = rule.widest or math.inf
    ratio = min(max(_shape(size), 1 / widest), widest)
    area = min(size[0] * size[1], rule.most_pixels)
    width, height = math.sqrt(area * ratio), math.sqrt(area / ratio)
    factor = min(1.0, rule.longest / max(width, height))
    factor = max(factor, rule.shortest / min(width, height))
    return min(width * factor, float(rule.longest)), min(height * factor, float(rule.longest))


def _around(ideal: tuple[float, float], step: int) -> Iterator[Size]:
    widths, heights = ([(int(side // step) + more) * step for more in range(-_REACH, _REACH + 1)] for side in ideal)
    return ((width, height) for width in widths for height in heights if width > 0 and height > 0)
