"""What an image cost reaches Odoo where its dialect has a place for it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from contracts.dialects import DIALECTS, CallbackFacts, DeliveredImage
from contracts.requests import Cost, GeneratedImages, RequestReference, StoredImage

IMAGE = StoredImage(sha256="a" * 64, media_type="image/png", size=68, width=64, height=48)
PLAIN = GeneratedImages(service="main", images=(IMAGE,))
PLACES: Mapping[str, tuple[str | int, ...]] = {
    "event": ("imageMetadata",),
    "correlation": ("metadata",),
    "request": ("metadata",),
    "adapter": ("images", 0, "metadata"),
}


def metadata(dialect: str, generated: GeneratedImages) -> dict[str, Any]:
    """The metadata of a callback."""
    reference = RequestReference(request_id="request-1", dialect=dialect)
    facts = CallbackFacts(execution_id="run-1")
    found: Any = DIALECTS[dialect].render_success(reference, generated, [DeliveredImage(IMAGE, base64="")], facts)
    for step in PLACES[dialect]:
        found = found[step]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("dialect", PLACES)
def test_cost_and_warnings_are_told(dialect: str) -> None:
    told = {"cost": Cost(amount=Decimal("0.040"), currency="USD"), "warnings": ("steps was left out",)}
    found = metadata(dialect, PLAIN.model_copy(update=told))
    assert {name: found[name] for name in ("service", "cost", "currency", "warnings")} == {
        "service": "main",
        "cost": "0.040",
        "currency": "USD",
        "warnings": ["steps was left out"],
    }


@pytest.mark.parametrize("dialect", PLACES)
def test_the_service_that_stood_in_is_named(dialect: str) -> None:
    found = metadata(dialect, PLAIN.model_copy(update={"tried": ("first",)}))
    assert found["service"] == "main"
    assert not {"cost", "currency", "warnings"} & found.keys()


@pytest.mark.parametrize("dialect", PLACES)
def test_without_any_of_it_the_body_is_what_it_always_was(dialect: str) -> None:
    assert not {"service", "cost", "currency", "warnings"} & metadata(dialect, PLAIN).keys()
