from __future__ import annotations

import pytest

from contracts.requests import ImageRequest
from contracts.sizing import size_of


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({}, (1024, 768)),
        ({"width": 500, "height": 333}, (500, 333)),
        ({"width": 500, "height": 333, "aspect_ratio": "16:9"}, (500, 333)),
        ({"aspect_ratio": "1:1"}, (880, 880)),
        ({"aspect_ratio": "16:9"}, (1184, 672)),
        ({"aspect_ratio": "9:16"}, (672, 1184)),
        ({"aspect_ratio": " 2.39 : 1 "}, (1376, 576)),
        ({"width": 1024, "aspect_ratio": "16:9"}, (1024, 576)),
        ({"height": 576, "aspect_ratio": "16:9"}, (1024, 576)),
        ({"width": 512}, (512, 384)),
        ({"height": 384}, (512, 384)),
        ({"aspect_ratio": "9999:1"}, (88672, 16)),
    ],
)
def test_size(fields: dict[str, object], size: tuple[int, int]) -> None:
    request = ImageRequest.model_validate({"prompt": "x", **fields})
    assert size_of(request, 1024, 768) == size


@pytest.mark.parametrize("ratio", ["16/9", "square", "0:1", "1:0", "-1:1", "1:1:1", "1e3:1"])
def test_bad_ratio_is_named(ratio: str) -> None:
    with pytest.raises(ValueError, match="aspect_ratio must be a ratio"):
        size_of(ImageRequest(prompt="x", aspect_ratio=ratio), 1024, 1024)
