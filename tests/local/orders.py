"""Ordering images from the local image service, and looking at what comes."""

from __future__ import annotations

import base64
import io

import httpx
from PIL import Image

OPENAI = "/v1/images/generations"
SMALL = {"prompt": "a red fox", "size": "64x48"}


async def order(
    service: httpx.AsyncClient, fault: str | None = None, correlation: str = "req-1", **changes: object
) -> httpx.Response:
    headers = {"X-Correlation-Id": correlation, **({"X-Fault": fault} if fault else {})}
    return await service.post(OPENAI, json={**SMALL, **changes}, headers=headers)


async def paid(service: httpx.AsyncClient) -> dict[str, int]:
    counts: dict[str, int] = (await service.get("/journal")).json()["paid"]
    return counts


def picture(content: bytes) -> tuple[str | None, tuple[int, int]]:
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return image.format, image.size


def inline(answer: httpx.Response) -> bytes:
    return base64.b64decode(answer.json()["data"][0]["b64_json"], validate=True)
