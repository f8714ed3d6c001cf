"""The size to ask a service for, where a request names a ratio or nothing."""

from __future__ import annotations

import math
import re

from contracts.requests import ImageRequest

STEP = 16
"""Pixels: image models want sizes that are multiples of this."""

_RATIO = re.compile(r"(\d{1,4}(?:\.\d{1,4})?)\s*:\s*(\d{1,4}(?:\.\d{1,4})?)")


def size_of(request: ImageRequest, default_width: int, default_height: int) -> tuple[int, int]:
    """Width and height in pixels.

    What the request names is kept. A ratio alone gets about the area of the default size, and one side alone the
    other by the ratio (else by the default's), both in multiples of 16. Raises `ValueError` for a bad ratio.
    """
    if request.width and request.height:
        return request.width, request.height
    if not (request.width or request.height or request.aspect_ratio):
        return default_width, default_height
    ratio = _ratio(request.aspect_ratio) if request.aspect_ratio else default_width / default_height
    if request.width:
        return request.width, _stepped(request.width / ratio)
    if request.height:
        return _stepped(request.height * ratio), request.height
    area = default_width * default_height
    return _stepped(math.sqrt(area * ratio)), _stepped(math.sqrt(area / ratio))


def _ratio(text: str) -> float:
    match = _RATIO.fullmatch(text.strip())
    if match is None or not float(match[1]) or not float(match[2]):
        message = f'aspect_ratio must be a ratio as "16:9", not "{text[:40]}"'
        raise ValueError(message)
    return float(match[1]) / float(match[2])


def _stepped(pixels: float) -> int:
    return max(STEP, round(pixels / STEP) * STEP)
