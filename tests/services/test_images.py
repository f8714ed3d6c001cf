from __future__ import annotations

import asyncio
import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from activities.images import PIXEL_LIMIT, ImageFacts, inspect
from activities.services.base import ServiceError
from contracts.errors import FailureClass
from tests.services.calls import picture

LIMIT = 2**20


def refusal(data: bytes, limit: int = LIMIT) -> str:
    with pytest.raises(ServiceError) as caught:
        inspect(data, limit)
    assert caught.value.failure.failure is FailureClass.ARTIFACT_INVALID
    return caught.value.failure.message


def bomb(width: int, height: int) -> bytes:
    """A PNG that claims a size: its pixels are never there."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "GIF"])
def test_facts(name: str) -> None:
    assert inspect(picture(name, 40, 30), LIMIT) == ImageFacts(f"image/{name.lower()}", 40, 30)


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "GIF"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_cut_off(name: str, share: float) -> None:
    whole = picture(name, 64, 64)
    assert "damaged or cut off" in refusal(whole[: int(len(whole) * share)])


@pytest.mark.parametrize("place", range(100, 1400, 100))
def test_one_flipped_bit_of_an_uncompressed_pixel(place: int) -> None:
    file = io.BytesIO()
    Image.new("RGB", (32, 16)).save(file, "PNG", compress_level=0)
    data = bytearray(file.getvalue())
    data[place] ^= 1
    assert "damaged or cut off" in refusal(bytes(data))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no bytes"),
        (b"<!DOCTYPE html><html>", "an HTML page"),
        (b"\n <html>", "an HTML page"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"<?xml version='1.0'?>\n<!-- x --><svg/>", "an SVG drawing"),
        (b'{"error": "gone"}', "JSON"),
        (b"BM" + b"\0" * 60, "unknown data"),
        (b"RIFF\0\0\0\0WAVEfmt ", "unknown data"),
        (b"\x89PNG\r\n\x1a\n", "damaged or cut off"),
        (b"\xff\xd8\xff\xe0", "damaged or cut off"),
        (b"GIF89a", "damaged or cut off"),
    ],
)
def test_not_an_image(data: bytes, reason: str) -> None:
    assert reason in refusal(data)


def test_too_large() -> None:
    data = picture()
    assert "image_limit of 100" in refusal(data, 100)
    assert inspect(data, len(data)).width == 32


@pytest.mark.parametrize(("width", "height"), [(PIXEL_LIMIT // 8 + 1, 8), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_decompression_bomb(width: int, height: int) -> None:
    assert "pixels" in refusal(bomb(width, height))


async def test_many_at_once_in_threads() -> None:
    data = picture("PNG", 64, 64)
    facts = await asyncio.gather(*(asyncio.to_thread(inspect, data, LIMIT) for _ in range(20)))
    assert facts == [ImageFacts("image/png", 64, 64)] * 20


@given(st.data(), st.sampled_from(["PNG", "JPEG", "WEBP", "GIF"]))
def test_no_bytes_break_it(draw: st.DataObject, name: str) -> None:
    data = bytearray(picture(name))
    for place in draw.draw(st.lists(st.integers(0, len(data) - 1), max_size=8)):
        data[place] = draw.draw(st.integers(0, 255))
    try:
        assert inspect(bytes(data), LIMIT).width > 0
    except ServiceError as error:
        assert error.failure.failure is FailureClass.ARTIFACT_INVALID  # noqa: PT017 - either end is right
