"""Stability AI's documented answers, played by a self-written server: no third-party stand-in is known."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from pydantic import JsonValue
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from activities.services.base import Completed, ImageService, InlineArtifact
from contracts.errors import FailureClass as Class
from tests.services.calls import call, failing, picture
from tests.services.scripted import Script, ScriptedServer

Connect = Callable[..., ImageService]
PNG = picture()
TEXT = base64.b64encode(PNG).decode()


async def forms(service: ImageService, httpserver: HTTPServer, path: str, **fields: object) -> dict[str, str]:
    """The form that a submit posts to `path`, as a real multipart parser reads it."""
    posted: list[dict[str, str]] = []

    def answer(request: Request) -> Response:
        assert request.mimetype == "multipart/form-data"
        assert request.headers["Accept"] == "application/json"
        posted.append(request.form.to_dict())
        return Response(f'{{"image": "{TEXT}", "finish_reason": "SUCCESS", "seed": 42}}', mimetype="application/json")

    httpserver.expect_oneshot_request(path, method="POST").respond_with_handler(answer)
    answered = await service.submit(call(5.0, **fields))
    httpserver.check_assertions()
    assert isinstance(answered, Completed)
    assert answered.artifacts == (InlineArtifact(PNG, 42),)
    return posted[0]


async def test_everything_that_the_form_takes(httpserver: HTTPServer, connect: Connect) -> None:
    form = await forms(
        connect("stability", httpserver.url_for("")),
        httpserver,
        "/v2beta/stable-image/generate/core",
        prompt="é \U0001f600\nsecond line",
        negative_prompt="people",
        aspect_ratio="16:9",
        seed=0,
        steps=20,
        width=1344,
        height=768,
        custom={"style_preset": "anime", "output_format": "png", "mode": "image-to-image", "prompt": "x"},
    )
    assert form == {
        "prompt": "é \U0001f600\nsecond line",
        "negative_prompt": "people",
        "aspect_ratio": "16:9",
        "seed": "0",
        "style_preset": "anime",
        "output_format": "png",
    }


@pytest.mark.parametrize(
    ("model", "endpoint", "sent"),
    [
        ("core", "core", None),
        ("ultra", "ultra", None),
        ("sd3", "sd3", None),
        ("sd3.5-large-turbo", "sd3", "sd3.5-large-turbo"),
    ],
)
async def test_the_model_chooses_the_endpoint(
    model: str, endpoint: str, sent: str | None, httpserver: HTTPServer, connect: Connect
) -> None:
    service = connect("stability", httpserver.url_for(""), model=None)
    form = await forms(service, httpserver, f"/v2beta/stable-image/generate/{endpoint}", model=model)
    assert form.get("model") == sent


@pytest.mark.parametrize("model", [None, "sdxl", "../v1/user", "core/"])
async def test_a_model_without_an_endpoint(model: str | None, server: ScriptedServer, connect: Connect) -> None:
    service = connect("stability", server.url, model=model)
    error = await failing(service.submit(call()), Class.MODEL_NOT_FOUND)
    assert "services.svc.model" in error.failure.message
    assert not server.received


@pytest.mark.parametrize("image", [TEXT, ""])
async def test_moderation_inside_a_success(image: str, server: ScriptedServer, connect: Connect) -> None:
    server.answer({"image": image, "finish_reason": "CONTENT_FILTERED", "seed": 1})
    failure = (await failing(connect("stability", server.url).submit(call()), Class.CONTENT_REJECTED)).failure
    assert (failure.output_refused, failure.provider_code) == (True, "CONTENT_FILTERED")


async def test_moderation_in_a_header(server: ScriptedServer, connect: Connect) -> None:
    server.play(Script(200, PNG, {"Content-Type": "image/png", "finish-reason": "CONTENT_FILTERED"}))
    await failing(connect("stability", server.url).submit(call()), Class.CONTENT_REJECTED)


@pytest.mark.parametrize(
    ("status", "name", "expected"),
    [
        (400, "bad_request", Class.INVALID_REQUEST),
        (401, "unauthorized", Class.AUTHENTICATION_FAILED),
        (402, "payment_required", Class.QUOTA_EXHAUSTED),
        (403, "content_moderation", Class.CONTENT_REJECTED),
        (403, "forbidden", Class.PERMISSION_DENIED),
        (404, "not_found", Class.MODEL_NOT_FOUND),
        (413, "payload_too_large", Class.INVALID_REQUEST),
        (422, "invalid_language", Class.INVALID_REQUEST),
        (429, "rate_limit_exceeded", Class.RATE_LIMITED),
        (500, "internal_error", Class.PROVIDER_INTERNAL),
        (503, "service_unavailable", Class.PROVIDER_OVERLOADED),
        (504, "gateway_timeout", Class.OUTCOME_UNKNOWN),
    ],
)
async def test_every_refusal(status: int, name: str, expected: Class, server: ScriptedServer, connect: Connect) -> None:
    server.answer({"id": "a1", "name": name, "errors": ["prompt: too long", "seed: bad"]}, status)
    failure = (await failing(connect("stability", server.url).submit(call()), expected)).failure
    assert failure.provider_code == name
    assert failure.message == f"HTTP {status}: prompt: too long; seed: bad"


@pytest.mark.parametrize(
    "content",
    [
        {"finish_reason": "SUCCESS", "seed": 1},
        {"image": None, "finish_reason": "SUCCESS"},
        {"image": 5},
        {"image": ["x"]},
        {"image": "%%%"},
        [],
    ],
)
async def test_a_success_without_an_image(content: JsonValue, server: ScriptedServer, connect: Connect) -> None:
    server.answer(content)
    await failing(connect("stability", server.url).submit(call()), Class.PROTOCOL_ERROR)
