"""The LoRAs that a request names, and those that it may have."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from activities.services.loras import asked_model, chosen_loras
from contracts.errors import FailureClass
from contracts.loras import Lora
from contracts.requests import ImageRequest
from tests.services.calls import failing, settings

LORAS = {"brand": {"path": "b.safetensors", "scale": 0.8}, "ink:2": {"path": "https://hub.example/ink"}}
FREE = "https://hub.example/free.safetensors"


def chosen(custom: dict[str, JsonValue] | None, model: str | None = None, *, any_lora: bool = False) -> list[Lora]:
    request = ImageRequest(prompt="x", model=model, custom=custom)
    return list(chosen_loras(request, "svc", settings(kind="together", loras=LORAS, any_lora=any_lora)))


@pytest.mark.parametrize(
    ("custom", "loras"),
    [
        (None, []),
        ({"lora": None, "loras": []}, []),
        ({"lora": "brand"}, [Lora("b.safetensors", 0.8)]),
        ({"lora": " brand:0.6 "}, [Lora("b.safetensors", 0.6)]),
        ({"lora": "brand:-4"}, [Lora("b.safetensors", -4.0)]),
        ({"lora": "ink:2"}, [Lora("https://hub.example/ink")]),
        ({"lora": "ink:2:0.5"}, [Lora("https://hub.example/ink", 0.5)]),
        ({"lora": "https://hub.example/ink"}, [Lora("https://hub.example/ink")]),
        ({"lora": {"name": "brand"}}, [Lora("b.safetensors", 0.8)]),
        ({"lora": {"path": "b.safetensors", "scale": "0.25"}}, [Lora("b.safetensors", 0.25)]),
        (
            {"loras": ["brand", {"name": "ink:2", "scale": 0}]},
            [Lora("b.safetensors", 0.8), Lora("https://hub.example/ink", 0)],
        ),
        ({"lora": "brand", "loras": ["brand:0.1"]}, [Lora("b.safetensors", 0.1)]),
    ],
)
def test_every_form(custom: dict[str, JsonValue] | None, loras: list[Lora]) -> None:
    assert chosen(custom) == loras


def test_the_model_may_name_a_lora() -> None:
    assert chosen(None, "brand") == [Lora("b.safetensors", 0.8)]
    assert chosen({"lora": "ink:2"}, "brand") == [Lora("b.safetensors", 0.8), Lora("https://hub.example/ink")]
    configured = settings(kind="together", loras=LORAS, model="base")
    assert asked_model(ImageRequest(prompt="x", model="brand"), configured) == "base"
    assert asked_model(ImageRequest(prompt="x", model="other"), configured) == "other"


@pytest.mark.parametrize(
    ("models", "named", "asked"),
    [
        ({"sdxl": "core"}, "sdxl", "core"),
        ({"sdxl": "core"}, "other", "other"),
        ({"sdxl": "core", "*": "ultra"}, "sdxl", "core"),
        ({"sdxl": "core", "*": "ultra"}, "other", "ultra"),
        ({"*": "ultra"}, None, "base"),
        ({"*": "ultra"}, "brand", "base"),
    ],
)
def test_what_requests_call_a_model(models: dict[str, str], named: str | None, asked: str) -> None:
    configured = settings(kind="stability", loras=LORAS, model="base", models=models)
    assert asked_model(ImageRequest(prompt="x", model=named), configured) == asked


@pytest.mark.parametrize(
    ("entry", "lora"), [(FREE, Lora(FREE)), (f"{FREE}:0.5", Lora(FREE, 0.5)), ({"path": FREE, "scale": 1}, Lora(FREE))]
)
def test_free_paths_only_where_they_are_allowed(entry: JsonValue, lora: Lora) -> None:
    assert chosen({"lora": entry}, any_lora=True) == [lora]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("other", "lora 'other' is not known to the service; known: brand, ink:2"),
        (FREE, "is not known"),
        ("brand:5", "lora 'brand:5' is not known"),
        ("brand:nan", "lora 'brand:nan' is not known"),
        (7, "lora must be"),
        (" ", "lora must be"),
        ({"scale": 1}, "lora must be"),
        ({"name": "brand", "scale": 4.1}, "lora must be"),
        ({"name": "brand", "scale": True}, "lora must be"),
        ({"name": "brand", "scale": [1]}, "lora must be"),
        ({"name": 5}, "lora must be"),
        ([["brand"]], "lora must be"),
    ],
)
async def test_what_may_not_be_used_is_the_senders_fault(entry: JsonValue, said: str) -> None:
    async def work() -> None:
        chosen({"lora": entry})

    error = await failing(work(), FailureClass.INVALID_REQUEST)
    assert said in error.failure.message
