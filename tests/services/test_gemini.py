"""Gemini's documented answers, played by a self-written server: no third-party stand-in for images is known."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import JsonValue

from activities.services.base import Completed, ImageService, InlineArtifact
from activities.services.fitting import fitted
from activities.services.gemini import image_size
from contracts.errors import FailureClass as Class
from tests.services.calls import call, failing, picture, settings
from tests.services.scripted import ScriptedServer

Connect = Callable[..., ImageService]
PNG = picture()
PART: JsonValue = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(PNG).decode()}}


def answered(*parts: JsonValue, reason: str = "STOP", **more: JsonValue) -> dict[str, JsonValue]:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": reason}], **more}


async def sent(service: ImageService, server: ScriptedServer, **fields: object) -> JsonValue:
    server.answer(answered(PART))
    await service.submit(call(5.0, **fields))
    return server.received[-1].json


@pytest.mark.parametrize(
    ("fields", "image"),
    [
        ({}, None),
        ({"aspect_ratio": "16:9"}, {"aspectRatio": "16:9"}),
        ({"aspect_ratio": "1:1", "width": 2048, "height": 2048}, {"aspectRatio": "1:1", "imageSize": "2K"}),
        ({"width": 4096, "height": 4096}, {"imageSize": "4K"}),
        ({"seed": 7, "steps": 4, "negative_prompt": "x", "custom": {"safetySettings": []}}, None),
    ],
)
async def test_what_is_asked(
    fields: dict[str, object], image: JsonValue, server: ScriptedServer, connect: Connect
) -> None:
    assert await sent(connect("gemini", server.url), server, **fields) == {
        "contents": [{"role": "user", "parts": [{"text": "a harbour at dawn"}]}],
        "generationConfig": {"responseModalities": ["IMAGE"], **({"imageConfig": image} if image else {})},
    }


async def test_a_size_reaches_the_service_as_ratio_and_size(server: ScriptedServer, connect: Connect) -> None:
    fit, _ = fitted(call(width=2752, height=1536), "svc", settings(kind="gemini"))
    await sent(connect("gemini", server.url), server, **fit.request.model_dump())
    body = server.received[-1].json
    assert isinstance(body, dict)
    assert body["generationConfig"] == {
        "responseModalities": ["IMAGE"],
        "imageConfig": {"aspectRatio": "16:9", "imageSize": "2K"},
    }


@pytest.mark.parametrize(
    ("size", "name"),
    [
        ((16, 16), "1K"),
        ((1024, 1024), "1K"),
        ((1448, 1448), "1K"),
        ((1449, 1449), "2K"),
        ((2048, 2048), "2K"),
        ((2896, 2896), "2K"),
        ((2897, 2897), "4K"),
        ((9999, 9999), "4K"),
    ],
)
def test_the_size_at_its_borders(size: tuple[int, int], name: str) -> None:
    assert image_size(size) == name


@pytest.mark.parametrize(
    ("base", "model", "path"),
    [
        ("", "g-3.1-image", "/v1beta/models/g-3.1-image:generateContent"),
        ("/v1", "models/g-3", "/v1/models/g-3:generateContent"),
        ("/v1beta/", "tunedModels/mine", "/v1beta/tunedModels/mine:generateContent"),
    ],
)
async def test_the_path(base: str, model: str, path: str, server: ScriptedServer, connect: Connect) -> None:
    await sent(connect("gemini", server.url + base), server, model=model)
    assert server.received[-1].path == path


@pytest.mark.parametrize("model", ["../x", "a/b", "a b", "a?key=1", "models/"])
async def test_a_model_that_is_no_name(model: str, server: ScriptedServer, connect: Connect) -> None:
    await failing(connect("gemini", server.url).submit(call(model=model)), Class.MODEL_NOT_FOUND)
    assert not server.received


async def test_the_key_stands_in_a_header_never_in_the_url(
    server: ScriptedServer, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("k3y-of-google")
    auth = {"kind": "header", "name": "x-goog-api-key", "secret": f"file:{tmp_path}/key"}
    await sent(connect("gemini", server.url, auth=auth), server)
    (received,) = server.received
    assert received.headers["x-goog-api-key"] == "k3y-of-google"
    assert "k3y" not in received.path


async def test_images_beside_text_and_drafts(server: ScriptedServer, connect: Connect) -> None:
    draft: JsonValue = {**PART, "thought": True} if isinstance(PART, dict) else None
    server.answer(answered({"text": "Here you are"}, draft, PART, modelVersion="g-3-001"))
    answer = await connect("gemini", server.url).submit(call())
    assert isinstance(answer, Completed)
    assert (answer.artifacts, answer.model) == ((InlineArtifact(PNG),), "g-3-001")


@pytest.mark.parametrize(
    ("content", "ending"),
    [
        ({"promptFeedback": {"blockReason": "SAFETY"}}, (Class.CONTENT_REJECTED, "SAFETY", False)),
        ({"promptFeedback": {"blockReason": "OTHER"}, "candidates": []}, (Class.CONTENT_REJECTED, "OTHER", False)),
        ({"candidates": [{"finishReason": "IMAGE_SAFETY"}]}, (Class.CONTENT_REJECTED, "IMAGE_SAFETY", True)),
        (answered(reason="IMAGE_PROHIBITED_CONTENT"), (Class.CONTENT_REJECTED, "IMAGE_PROHIBITED_CONTENT", True)),
        (answered(reason="IMAGE_RECITATION"), (Class.CONTENT_REJECTED, "IMAGE_RECITATION", True)),
        (answered(reason="PROHIBITED_CONTENT"), (Class.CONTENT_REJECTED, "PROHIBITED_CONTENT", True)),
        (answered(reason="MODEL_ARMOR"), (Class.CONTENT_REJECTED, "MODEL_ARMOR", True)),
        (answered(reason="ESCALATION"), (Class.CONTENT_REJECTED, "ESCALATION", True)),
        ({"promptFeedback": {"blockReason": "MODEL_ARMOR"}}, (Class.CONTENT_REJECTED, "MODEL_ARMOR", False)),
        (answered(reason="NO_IMAGE"), (Class.GENERATION_FAILED, "NO_IMAGE", None)),
        (answered(reason="IMAGE_OTHER"), (Class.GENERATION_FAILED, "IMAGE_OTHER", None)),
        (answered(reason="MAX_TOKENS"), (Class.GENERATION_FAILED, "MAX_TOKENS", None)),
        (answered({"text": "I cannot draw that"}), (Class.GENERATION_FAILED, "STOP", None)),
        ({"candidates": []}, (Class.PROTOCOL_ERROR, None, None)),
        ({"promptFeedback": {}}, (Class.PROTOCOL_ERROR, None, None)),
        (
            {"candidates": [{"content": {"parts": [{"inlineData": {"data": "%%"}}]}}]},
            (Class.PROTOCOL_ERROR, None, None),
        ),
        ({"candidates": "x"}, (Class.PROTOCOL_ERROR, None, None)),
        ([1], (Class.PROTOCOL_ERROR, None, None)),
    ],
)
async def test_a_success_without_an_image(
    content: JsonValue, ending: tuple[Class, str | None, bool | None], server: ScriptedServer, connect: Connect
) -> None:
    expected, code, output = ending
    server.answer(content)
    failure = (await failing(connect("gemini", server.url).submit(call()), expected)).failure
    assert (failure.provider_code, failure.output_refused) == (code, output)
    if code == "STOP":
        assert "the model said: I cannot draw that" in failure.message


def google(status: int, name: str, *details: JsonValue) -> dict[str, JsonValue]:
    return {"error": {"code": status, "message": "because", "status": name, "details": list(details)}}


@pytest.mark.parametrize(
    ("status", "name", "expected"),
    [
        (400, "INVALID_ARGUMENT", Class.INVALID_REQUEST),
        (400, "FAILED_PRECONDITION", Class.PERMISSION_DENIED),
        (401, "UNAUTHENTICATED", Class.AUTHENTICATION_FAILED),
        (403, "PERMISSION_DENIED", Class.PERMISSION_DENIED),
        (404, "NOT_FOUND", Class.MODEL_NOT_FOUND),
        (429, "RESOURCE_EXHAUSTED", Class.RATE_LIMITED),
        (500, "INTERNAL", Class.PROVIDER_INTERNAL),
        (503, "UNAVAILABLE", Class.PROVIDER_OVERLOADED),
        (504, "DEADLINE_EXCEEDED", Class.OUTCOME_UNKNOWN),
    ],
)
async def test_every_refusal(status: int, name: str, expected: Class, server: ScriptedServer, connect: Connect) -> None:
    server.answer(google(status, name), status)
    failure = (await failing(connect("gemini", server.url).submit(call()), expected)).failure
    assert (failure.provider_code, failure.message) == (name, f"HTTP {status}: because")


async def test_a_bad_key_is_told_with_status_400(server: ScriptedServer, connect: Connect) -> None:
    info: JsonValue = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    server.answer(google(400, "INVALID_ARGUMENT", info), 400)
    await failing(connect("gemini", server.url).submit(call()), Class.AUTHENTICATION_FAILED)


async def test_the_delay_stands_in_the_details(server: ScriptedServer, connect: Connect) -> None:
    info: JsonValue = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "32.5s"}
    server.answer(google(429, "RESOURCE_EXHAUSTED", {"@type": "x"}, info), 429)
    error = await failing(connect("gemini", server.url).submit(call()), Class.RATE_LIMITED)
    assert error.retry_after_s == 32.5
