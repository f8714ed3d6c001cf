"""Whose capacity a request uses, and who may stand in for its service."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.requests import ImageRequest
from runtime.settings import Settings
from starter.intake import capacity

URL = "https://images.example"
SECOND = {"model": "m", "models": {"sdxl": "m-2"}, "on_unsupported": "error"}


def settings(**route: Any) -> Settings:
    """One route with three services."""
    return Settings.model_validate(
        {
            "odoos": {"main": {"database": "acme", "base_url": "https://odoo.example"}},
            "services": {
                "first": {"kind": "flux_lora", "base_url": URL, "loras": {"brand": {"path": "b"}}},
                "second": {"kind": "openai", "base_url": URL, **SECOND},
                "third": {"kind": "flux_lora", "base_url": URL, "concurrency": 2},
            },
            "routes": {
                "event": {
                    "path": "ai",
                    "dialect": "event",
                    "odoo": "main",
                    "services": ["first", "second", "third"],
                    "callback": {"path": "/callback"},
                    **route,
                }
            },
        }
    )


def stand_ins(request: ImageRequest | None, service: str = "first", **route: Any) -> tuple[str, ...]:
    """Who stands in for that service."""
    made = settings(**route)
    return capacity.stand_ins(made, made.routes["event"], service, request)


PLAIN = ImageRequest(prompt="a chair")


def test_the_route_s_other_services_stand_in_in_their_order() -> None:
    assert stand_ins(PLAIN) == ("second", "third")
    assert stand_ins(PLAIN, "second") == ("third", "first")


def test_only_who_can_honour_the_request_stands_in() -> None:
    assert stand_ins(ImageRequest(prompt="a chair", seed=7)) == ("third",)


@pytest.mark.parametrize(
    ("model", "expected"),
    [("flux-dev", ("third",)), ("m", ("second", "third")), ("sdxl", ("second", "third")), ("brand", ())],
    ids=["another kind calls it otherwise", "its own", "listed", "a LoRA of the first"],
)
def test_who_does_not_know_the_model_that_a_request_names_does_not_stand_in(
    model: str, expected: tuple[str, ...]
) -> None:
    assert stand_ins(ImageRequest(prompt="a chair", model=model)) == expected


@pytest.mark.parametrize(("when", "expected"), [("unless_named", ()), ("never", ()), ("always", ("second", "third"))])
def test_a_request_that_names_its_service_is_not_moved_unless_the_route_says_so(
    when: str, expected: tuple[str, ...]
) -> None:
    assert stand_ins(ImageRequest(prompt="a chair", service_hint="first"), failover=when) == expected


def test_nobody_stands_in_for_a_rejected_request_or_where_the_route_forbids_it() -> None:
    assert stand_ins(None) == ()
    assert stand_ins(PLAIN, failover="never") == ()


def test_only_services_with_a_concurrency_are_leased() -> None:
    assert capacity.leased(settings()) == ("third",)


@pytest.mark.parametrize(
    ("fairness", "user", "expected"),
    [("user", "7", "main/7"), ("user", None, "main"), ("odoo", "7", "main"), ("user", "\N{SNOWMAN}" * 40, None)],
)
def test_the_tenant_is_the_user_or_the_odoo_in_at_most_64_bytes(
    fairness: str, user: str | None, expected: str | None
) -> None:
    tenant = capacity.tenant(settings(fairness=fairness).routes["event"], ImageRequest(prompt="x", user_id=user))
    assert len(tenant.encode()) <= 64
    assert expected is None or tenant == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [("interactive", 1), (" Bulk ", 5), ("normal", 3), ("4", 4), ("0", 2), ("9", 2), ("urgent!", 2), (None, 2)],
)
def test_a_priority_that_nobody_knows_is_the_route_s(said: str | None, expected: int) -> None:
    assert capacity.priority(settings(priority=2).routes["event"], said) == expected
