"""Together's documented answers, played by a self-written server: no third-party stand-in is known."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from pydantic import JsonValue

from activities.services.base import Completed, ImageService, InlineArtifact, RemoteArtifact
from contracts.errors import FailureClass as Class
from tests.services.calls import call, failing, picture
from tests.services.scripted import ScriptedServer

Connect = Callable[..., ImageService]
PNG = picture()
LORAS = {"brand": {"path": "https://hub.example/brand", "scale": 0.8}}


async def test_everything_that_is_asked(server: ScriptedServer, connect: Connect) -> None:
    server.answer({"data": [{"url": "https://x/1"}]})
    service = connect("together", server.url, model="flux-dev-lora", loras=LORAS)
    await service.submit(
        call(
            negative_prompt="people",
            width=512,
            height=256,
            seed=7,
            steps=20,
            cfg_scale=3.5,
            custom={"lora": "brand:0.5", "n": 2, "response_format": "url", "disable_safety_checker": True, "x": 1},
        )
    )
    assert server.received[-1].json == {
        "n": 2,
        "disable_safety_checker": True,
        "prompt": "a harbour at dawn",
        "negative_prompt": "people",
        "model": "flux-dev-lora",
        "width": 512,
        "height": 256,
        "seed": 7,
        "steps": 20,
        "guidance_scale": 3.5,
        "image_loras": [{"path": "https://hub.example/brand", "scale": 0.5}],
        "response_format": "base64",
    }


async def test_little_that_is_asked(server: ScriptedServer, connect: Connect) -> None:
    server.answer({"data": [{"url": "https://x/1"}]})
    await connect("together", f"{server.url}/v1", loras=LORAS, default_width=640, default_height=480).submit(call())
    assert server.received[-1].json == {
        "n": 1,
        "prompt": "a harbour at dawn",
        "width": 640,
        "height": 480,
        "response_format": "base64",
    }
    assert server.received[-1].path == "/v1/images/generations"


async def test_a_model_name_that_is_a_lora(server: ScriptedServer, connect: Connect) -> None:
    server.answer({"data": [{"url": "https://x/1"}]})
    answer = await connect("together", server.url, model="flux-dev-lora", loras=LORAS).submit(call(model="brand"))
    body = server.received[-1].json
    assert isinstance(body, dict)
    assert body["model"] == "flux-dev-lora"
    assert body["image_loras"] == [{"path": "https://hub.example/brand", "scale": 0.8}]
    assert isinstance(answer, Completed)
    assert answer.model == "flux-dev-lora"


@pytest.mark.parametrize(
    ("entry", "artifact"),
    [
        ({"index": 0, "type": "b64_json", "b64_json": base64.b64encode(PNG).decode()}, InlineArtifact(PNG)),
        ({"index": 0, "type": "url", "url": "https://x/1"}, RemoteArtifact(url="https://x/1")),
    ],
)
async def test_the_documented_answers(
    entry: JsonValue, artifact: object, server: ScriptedServer, connect: Connect
) -> None:
    server.answer({"id": "o1", "model": "flux-schnell", "object": "list", "data": [entry]})
    answer = await connect("together", server.url).submit(call())
    assert answer == Completed((artifact,), "flux-schnell")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "codes", "expected"),
    [
        (400, ("invalid_request_error", None), Class.INVALID_REQUEST),
        (401, ("invalid_request_error", "invalid_api_key"), Class.AUTHENTICATION_FAILED),
        (402, ("credit_limit", None), Class.QUOTA_EXHAUSTED),
        (404, ("invalid_request_error", "model_not_available"), Class.MODEL_NOT_FOUND),
        (422, ("invalid_request_error", "nsfw_content"), Class.CONTENT_REJECTED),
        (429, ("rate_limit", "rate_limit_exceeded"), Class.RATE_LIMITED),
        (500, ("server_error", None), Class.PROVIDER_INTERNAL),
        (503, ("service_unavailable", None), Class.PROVIDER_OVERLOADED),
    ],
)
async def test_every_refusal(
    status: int, codes: tuple[str, str | None], expected: Class, server: ScriptedServer, connect: Connect
) -> None:
    server.answer({"error": {"message": "because", "type": codes[0], "param": None, "code": codes[1]}}, status)
    await failing(connect("together", server.url).submit(call()), expected)


async def test_an_unknown_lora_is_never_sent(server: ScriptedServer, connect: Connect) -> None:
    service = connect("together", server.url, loras=LORAS)
    await failing(service.submit(call(custom={"loras": ["other"]})), Class.INVALID_REQUEST)
    assert not server.received
