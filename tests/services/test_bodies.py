"""What each kind of service is asked, in its own words."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import JsonValue

from activities.services.base import Completed, ImageService, RemoteArtifact
from tests.services.calls import call
from tests.services.scripted import ScriptedServer

Connect = Callable[..., ImageService]
FULL = {
    "negative_prompt": "people",
    "width": 512,
    "height": 256,
    "seed": 7,
    "steps": 20,
    "cfg_scale": 7.5,
    "model": "asked",
}


async def sent(service: ImageService, server: ScriptedServer, **fields: object) -> JsonValue:
    server.answer({"data": ["https://x/"], "images": ["https://x/"]})
    await service.submit(call(5.0, **fields))
    return server.received[-1].json


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({}, {"n": 1, "prompt": "a harbour at dawn", "size": "640x480"}),
        (FULL, {"n": 1, "prompt": "a harbour at dawn", "size": "512x256", "model": "asked"}),
        ({"aspect_ratio": "1:1"}, {"n": 1, "prompt": "a harbour at dawn", "size": "560x560"}),
        (
            {"custom": {"n": 2, "quality": "high", "seed": 9, "prompt": "other", "loras": []}},
            {"n": 2, "prompt": "a harbour at dawn", "size": "640x480", "quality": "high"},
        ),
        ({"prompt": "é \u2028 \U0001f600"}, {"n": 1, "prompt": "é \u2028 \U0001f600", "size": "640x480"}),
    ],
)
async def test_openai(
    fields: dict[str, object], body: dict[str, JsonValue], server: ScriptedServer, connect: Connect
) -> None:
    service = connect("openai", server.url, default_width=640, default_height=480)
    assert await sent(service, server, **fields) == body


@pytest.mark.parametrize(
    ("base", "path"),
    [
        ("", "/v1/images/generations"),
        ("/", "/v1/images/generations"),
        ("/v1", "/v1/images/generations"),
        ("/v1/", "/v1/images/generations"),
        ("/openai/v1", "/openai/v1/images/generations"),
        ("/proxy", "/proxy/v1/images/generations"),
    ],
)
async def test_openai_path(base: str, path: str, server: ScriptedServer, connect: Connect) -> None:
    await sent(connect("openai", server.url + base), server)
    assert server.received[-1].path == path


@pytest.mark.parametrize(
    ("names", "fields", "body"),
    [
        ({}, {}, {"text_prompt": "a harbour at dawn", "model": "set", "width": 640, "height": 480}),
        (
            {},
            FULL,
            {
                "text_prompt": "a harbour at dawn",
                "neg_prompt": "people",
                "model": "asked",
                "width": 512,
                "height": 256,
                "seed": 7,
                "steps": 20,
                "cfg_scale": 7.5,
            },
        ),
        (
            {"text_prompt": "prompt", "neg_prompt": "", "model": "", "steps": "num_inference_steps"},
            FULL,
            {
                "prompt": "a harbour at dawn",
                "width": 512,
                "height": 256,
                "seed": 7,
                "num_inference_steps": 20,
                "cfg_scale": 7.5,
            },
        ),
        (
            {"text_prompt": "prompt"},
            {"custom": {"prompt": "other", "seed": 9, "loras": [{"path": "x", "scale": 0.8}]}},
            {
                "prompt": "a harbour at dawn",
                "model": "set",
                "width": 640,
                "height": 480,
                "loras": [{"path": "x", "scale": 0.8}],
            },
        ),
    ],
)
async def test_flux_lora(
    names: dict[str, str],
    fields: dict[str, object],
    body: dict[str, JsonValue],
    server: ScriptedServer,
    connect: Connect,
) -> None:
    service = connect("flux_lora", server.url, model="set", fields=names, default_width=640, default_height=480)
    assert await sent(service, server, **fields) == body
    assert server.received[-1].path == "/generate"


async def test_flux_lora_tells_seed_and_model(server: ScriptedServer, connect: Connect) -> None:
    server.answer({"images": [{"url": "https://x/1"}], "metadata": {"seed": 99, "model": "flux-dev-lora"}})
    answer = await connect("flux_lora", server.url).submit(call(model="flux"))
    assert answer == Completed((RemoteArtifact(url="https://x/1", seed=99),), "flux-dev-lora")
