"""What requests call a service, and the configured one that is meant."""

from __future__ import annotations

import pytest

from contracts.dialects import DIALECTS
from runtime.settings import Settings
from starter.intake.submission import chosen_service

KINDS = {"art": "openai", "flux": "fal", "lora": "flux_lora", "comfy-1": "comfyui", "stable": "stability"}


def settings(*services: str, **names: str) -> Settings:
    workflow = {"workflow_file": "w.json", "patches": {"prompt": "6.inputs.text"}}
    return Settings.model_validate(
        {
            "odoos": {"main": {"database": "acme", "base_url": "https://odoo.example"}},
            "services": {
                name: {"kind": kind, "base_url": "http://127.0.0.1:9", **(workflow if kind == "comfyui" else {})}
                for name, kind in KINDS.items()
            },
            "routes": {
                "one": {
                    "path": "one",
                    "dialect": "request",
                    "odoo": "main",
                    "services": services or tuple(KINDS),
                    "service_names": names,
                    "callback": {"path": "/callback"},
                }
            },
        }
    )


def chosen(hint: str | None, *services: str, **names: str) -> str:
    configured = settings(*services, **names)
    return chosen_service(configured, configured.routes["one"], hint)


@pytest.mark.parametrize(
    ("hint", "service"),
    [
        ("COMFY_UI", "comfy-1"),
        ("comfyui", "comfy-1"),
        ("ComfyUI", "comfy-1"),
        ("STABILITY_AI", "stable"),
        ("Stability AI", "stable"),
        ("OPENAI", "art"),
        ("flux_lora", "lora"),
        ("LORA", "lora"),
        ("GEMINI", "art"),
        ("another", "art"),
        ("", "art"),
        (None, "art"),
    ],
)
def test_a_name_stands_for_the_first_service_of_its_kind(hint: str | None, service: str) -> None:
    assert chosen(hint) == service


def test_a_services_own_name_goes_before_what_kind_it_is() -> None:
    assert chosen("FLUX", "art", "lora", "flux") == "flux"


def test_the_routes_order_decides_between_services_of_one_family() -> None:
    assert chosen("Flux!", "art", "lora", "flux") == "lora"
    assert chosen("Flux!", "art", "flux", "lora") == "flux"


def test_a_configured_name_goes_before_everything() -> None:
    assert chosen("COMFY_UI", COMFY_UI="art") == "art"
    assert chosen("comfy_ui", COMFY_UI="lora") == "lora"


def test_a_service_that_the_route_does_not_have_is_never_chosen() -> None:
    assert chosen("COMFY_UI", "art", "stable") == "art"


def _hint(dialect: str, **body: str) -> str | None:
    intake = DIALECTS[dialect].parse(body)
    return intake.request.service_hint if intake.request else None


@pytest.mark.parametrize(("name", "service"), [("COMFY_UI", "comfy-1"), ("STABILITY_AI", "stable")])
def test_dialect_request(name: str, service: str) -> None:
    shape = {"resolution": "1024x1024", "aspect_ratio": "1:1", "model_name": "m"}
    hint = _hint("request", request_id="1", prompt="x", ai_service_type=name, **shape)
    assert chosen(hint) == service


@pytest.mark.parametrize("preference", ["Flux", "flux-dev-lora", "FLUX.1 [dev]", "my Flux LoRA"])
def test_dialect_correlation(preference: str) -> None:
    hint = _hint("correlation", correlation_id="1", prompt="x", model_preference=preference)
    assert chosen(hint, "art", "lora") == "lora"
