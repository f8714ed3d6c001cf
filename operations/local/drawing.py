"""Pictures of the local image service: a landscape with the prompt on it, fixed by prompt and seed.

Everything is drawn in palette indices (one byte per pixel), which keeps 1024x1024 under ten milliseconds.
"""

from __future__ import annotations

import colorsys
import hashlib
import io
import math
import textwrap
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

_SKY = 180
"""Indices 0 to here: the sky, from zenith to horizon."""
_SUN = 181
_HILLS = (182, 183, 184)
_PANEL = 192
"""From here to 255: the panel's dark to the lettering's white, so that smooth edges stay in the ramp."""
_LINES = 3


@lru_cache(maxsize=256)
def draw(prompt: str, seed: int, width: int, height: int) -> bytes:
    """A PNG of `width` x `height` pixels."""
    traits = hashlib.sha256(f"{seed}:{prompt}".encode(errors="replace")).digest()
    sky = Image.linear_gradient("L").point([index * _SKY // 255 for index in range(256)])
    image = sky.resize((width, height))
    canvas = ImageDraw.Draw(image)
    _draw_sun(canvas, traits, width, height)
    for layer, index in enumerate(_HILLS):
        canvas.polygon(_ridge(traits[4 + 4 * layer :], layer, width, height), fill=index)
    _draw_caption(canvas, prompt, width, height)
    image.putpalette(_palette(traits))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _draw_sun(canvas: ImageDraw.ImageDraw, traits: bytes, width: int, height: int) -> None:
    x, y = width * (0.15 + 0.7 * traits[1] / 255), height * (0.12 + 0.3 * traits[2] / 255)
    radius = min(width, height) * (0.06 + 0.08 * traits[3] / 255)
    canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_SUN)


def _ridge(traits: bytes, layer: int, width: int, height: int) -> list[tuple[float, float]]:
    base, swing = height * (0.55 + 0.13 * layer), height * (0.05 + 0.06 * traits[0] / 255)
    waves, phase = 1.0 + 2.0 * traits[1] / 255, math.tau * traits[2] / 255
    steps = [step / 48 for step in range(49)]
    line = [
        (
            x * width,
            base - swing * math.sin(phase + math.tau * waves * x) - swing / 3 * math.sin(11 * x + phase),
        )
        for x in steps
    ]
    return [(0, height), *line, (width, height)]


def _draw_caption(canvas: ImageDraw.ImageDraw, prompt: str, width: int, height: int) -> None:
    size, margin = max(8, height // 30), max(2, height // 32)
    columns = max(4, int((width - 4 * margin) / (size * 0.55)))
    lines = textwrap.wrap(prompt, columns, max_lines=_LINES, placeholder=" ...") or ["(no words)"]
    top = height - 2 * margin - int(len(lines) * size * 1.3) - margin
    if top <= margin or width <= 4 * margin:
        return
    canvas.rounded_rectangle((margin, top, width - margin, height - margin), radius=margin, fill=_PANEL)
    for number, line in enumerate(lines):
        place = (2 * margin, top + margin + number * size * 1.3)
        canvas.text(place, line, fill=255, font=_font(size))


@lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _palette(traits: bytes) -> list[int]:
    hue = traits[0] / 255
    sky = [_colour(hue + 0.12 * i / _SKY, 0.75 - 0.4 * i / _SKY, 0.45 + 0.5 * i / _SKY) for i in range(_SKY + 1)]
    sun = [_colour(hue + 0.42, 0.25, 1.0)]
    hills = [_colour(hue + 0.45 + 0.04 * layer, 0.45 + 0.1 * layer, 0.62 - 0.17 * layer) for layer in range(3)]
    spare = [(0, 0, 0)] * (_PANEL - len(sky) - len(sun) - len(hills))
    panel = [(20 + 235 * i // 63, 24 + 231 * i // 63, 34 + 221 * i // 63) for i in range(256 - _PANEL)]
    return [channel for colour in (*sky, *sun, *hills, *spare, *panel) for channel in colour]


def _colour(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)
