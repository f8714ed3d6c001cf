"""Calls, settings and pictures that the tests of the image services share."""

from __future__ import annotations

import io
import random
from collections.abc import Awaitable

import pytest
from PIL import Image

from activities.services.base import Call, ServiceError
from contracts.errors import FailureClass
from contracts.requests import ImageRequest
from runtime.settings import ServiceSettings

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def call(timeout_s: float = 5.0, **fields: object) -> Call:
    request = ImageRequest.model_validate({"prompt": "a harbour at dawn", **fields})
    return Call(request=request, correlation_id="request-7", traceparent=TRACEPARENT, timeout_s=timeout_s)


def settings(base_url: str = "http://127.0.0.1:9", **fields: object) -> ServiceSettings:
    return ServiceSettings.model_validate({"kind": "openai", "base_url": base_url, **fields})


def picture(image_format: str = "PNG", width: int = 32, height: int = 16) -> bytes:
    file = io.BytesIO()
    noise = random.Random(7).randbytes(width * height * 3)
    Image.frombytes("RGB", (width, height), noise).save(file, image_format)
    return file.getvalue()


async def failing(work: Awaitable[object], expected: FailureClass) -> ServiceError:
    """The error that `work` ends with, which must be of the expected class."""
    with pytest.raises(ServiceError) as caught:
        await work
    assert caught.value.failure.failure is expected, caught.value.failure
    return caught.value
