"""The /sdapi of A1111, Forge and sd-server, played by a self-written server; `--engine` runs a real sd-server."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest
from pydantic import JsonValue

from activities.services.base import Completed, ImageService, InlineArtifact
from contracts.errors import FailureClass as Class
from tests.services.calls import call, failing, picture
from tests.services.scripted import ScriptedServer

Connect = Callable[..., ImageService]
PNG = picture()
TEXT = base64.b64encode(PNG).decode()
LORAS = {"brand": {"path": "brand_v2", "scale": 0.8}, "ink": {"path": "ink"}}


async def sent(service: ImageService, server: ScriptedServer, **fields: object) -> dict[str, JsonValue]:
    server.answer({"images": [TEXT], "parameters": {}, "info": "{}"})
    await service.submit(call(5.0, **fields))
    body = server.received[-1].json
    assert isinstance(body, dict)
    assert server.received[-1].path == "/sdapi/v1/txt2img"
    return body


async def test_everything_that_is_asked(server: ScriptedServer, connect: Connect) -> None:
    body = await sent(
        connect("a1111", server.url, model="sdxl.safetensors"),
        server,
        negative_prompt="people",
        width=512,
        height=256,
        seed=7,
        steps=20,
        cfg_scale=3.5,
        custom={"sampler_name": "Euler a", "override_settings": {"x": 1}, "script_name": "y", "batch_size": 9},
    )
    assert body == {
        "sampler_name": "Euler a",
        "prompt": "a harbour at dawn",
        "negative_prompt": "people",
        "width": 512,
        "height": 256,
        "seed": 7,
        "steps": 20,
        "cfg_scale": 3.5,
        "batch_size": 1,
        "n_iter": 1,
        "override_settings": {"sd_model_checkpoint": "sdxl.safetensors"},
        "override_settings_restore_afterwards": True,
    }


async def test_little_that_is_asked(server: ScriptedServer, connect: Connect) -> None:
    assert await sent(connect("a1111", server.url), server) == {
        "prompt": "a harbour at dawn",
        "width": 1024,
        "height": 1024,
        "batch_size": 1,
        "n_iter": 1,
    }


async def test_loras_as_words_of_the_prompt(server: ScriptedServer, connect: Connect) -> None:
    body = await sent(connect("a1111", server.url, loras=LORAS), server, custom={"loras": ["brand", "ink:-0.25"]})
    assert body["prompt"] == "a harbour at dawn <lora:brand_v2:0.8> <lora:ink:-0.25>"
    assert "lora" not in body


async def test_loras_as_a_field(server: ScriptedServer, connect: Connect) -> None:
    service = connect("a1111", server.url, loras=LORAS, lora_form="structured")
    body = await sent(service, server, model="brand")
    assert body["prompt"] == "a harbour at dawn"
    assert body["lora"] == [{"path": "brand_v2", "multiplier": 0.8}]
    assert "override_settings" not in body


async def test_a_lora_that_would_break_out_of_its_place(server: ScriptedServer, connect: Connect) -> None:
    service = connect("a1111", server.url, any_lora=True)
    await failing(service.submit(call(custom={"lora": "x:1> <lora:other"})), Class.INVALID_REQUEST)
    assert not server.received


@pytest.mark.parametrize(
    ("info", "seeds"),
    [
        (json.dumps({"seed": 5, "all_seeds": [5, 6]}), [5, 6]),
        (json.dumps({"seed": 5}), [5, None]),
        ({"seed": 5}, [5, None]),
        (json.dumps({"all_seeds": ["x", True]}), [None, None]),
        (json.dumps({"all_seeds": "x"}), [None, None]),
        ("no json", [None, None]),
        ("", [None, None]),
        ("\ud800", [None, None]),
        (None, [None, None]),
        ([], [None, None]),
    ],
)
async def test_the_seeds_are_json_inside_json(
    info: JsonValue, seeds: list[int | None], server: ScriptedServer, connect: Connect
) -> None:
    server.answer({"images": [TEXT, f"data:image/png;base64,{TEXT}"], "info": info})
    answer = await connect("a1111", server.url).submit(call())
    assert answer == Completed(tuple(InlineArtifact(PNG, seed) for seed in seeds))


@pytest.mark.parametrize(
    ("status", "content", "expected"),
    [
        (404, {"detail": "Not Found"}, Class.MODEL_NOT_FOUND),
        (401, {"detail": "Incorrect username or password"}, Class.AUTHENTICATION_FAILED),
        (422, {"detail": [{"loc": ["body", "steps"], "msg": "not an integer", "type": "t"}]}, Class.INVALID_REQUEST),
        (422, {"detail": "Sampler not found"}, Class.INVALID_REQUEST),
        (500, {"error": "RuntimeError", "detail": "", "errors": "model not loaded"}, Class.PROVIDER_INTERNAL),
        (500, {"error": "OutOfMemoryError", "detail": "", "errors": "CUDA out of memory"}, Class.PROVIDER_INTERNAL),
        (400, {"error": "bad lora path"}, Class.INVALID_REQUEST),
        (429, {"error": "job queue is full"}, Class.CONCURRENCY_LIMITED),
        (200, {"images": [], "info": "{}"}, Class.PROTOCOL_ERROR),
        (200, {"images": ["%%"]}, Class.PROTOCOL_ERROR),
        (200, {"images": None}, Class.PROTOCOL_ERROR),
    ],
)
async def test_every_refusal(
    status: int, content: JsonValue, expected: Class, server: ScriptedServer, connect: Connect
) -> None:
    server.answer(content, status)
    await failing(connect("a1111", server.url).submit(call()), expected)
