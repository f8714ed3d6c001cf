"""What is known of an image by looking at its bytes."""

import io
from typing import NamedTuple

from PIL import Image

_FORMATS = {"PNG": "png", "JPEG": "jpeg", "GIF": "gif", "WEBP": "webp"}
_AVIF_BRANDS = (b"avif", b"avis")


class Facts(NamedTuple):
    """Media type, file name extension, and the size in pixels where it could be read (else 0)."""

    mimetype: str
    extension: str
    width: int
    height: int


def look(data):
    """The facts of a raster image, or None where it is none: SVG, HTML and the like never are."""
    if data[4:8] == b"ftyp" and data[8:12] in _AVIF_BRANDS:
        return Facts("image/avif", "avif", 0, 0)
    try:
        with Image.open(io.BytesIO(data), formats=tuple(_FORMATS)) as image:
            width, height = image.size
            extension = _FORMATS[image.format]
    except Exception:  # noqa: BLE001 - Pillow's parsers raise nearly anything for hostile bytes, and do no database work.
        return None
    return Facts(f"image/{extension}", extension, width, height)
