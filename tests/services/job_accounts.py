"""Accounts of the services that work in jobs, on a scripted server: what each answers, in its documented shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import JsonValue

from contracts.requests import JobReference

IMAGE_URL = "https://cdn.example/a.png"


@dataclass(frozen=True)
class Account:
    """What the tests need to know of a kind of service."""

    model: str
    accepted: Mapping[str, JsonValue]
    pending: Mapping[str, JsonValue]
    job: JobReference
    failure: Mapping[str, JsonValue]
    """An error body in the service's own shape."""


def _fal(path: str = "") -> str:
    return f"https://queue.fal.run/fal-ai/flux-lora/requests/r1{path}"


_PREDICTION = "https://api.replicate.com/v1/predictions/p1"
_POLLING = "https://gateway.bfl.ai/v1/get_result?id=t1"

ACCOUNTS: Mapping[str, Account] = MappingProxyType(
    {
        "fal": Account(
            "fal-ai/flux-lora",
            {
                "status": "IN_QUEUE",
                "request_id": "r1",
                "response_url": _fal(),
                "status_url": _fal("/status"),
                "cancel_url": _fal("/cancel"),
                "queue_position": 0,
            },
            {"status": "IN_QUEUE", "request_id": "r1", "response_url": _fal(), "queue_position": 3},
            JobReference(
                service="svc",
                job_id="r1",
                status_url=_fal("/status"),
                result_url=_fal(),
                cancel_url=_fal("/cancel"),
            ),
            {"detail": "because"},
        ),
        "replicate": Account(
            "black-forest-labs/flux-dev-lora",
            {
                "id": "p1",
                "model": "black-forest-labs/flux-dev-lora",
                "status": "starting",
                "urls": {"get": _PREDICTION, "cancel": f"{_PREDICTION}/cancel"},
            },
            {"id": "p1", "status": "processing", "output": None, "error": None},
            JobReference(service="svc", job_id="p1", status_url=_PREDICTION, cancel_url=f"{_PREDICTION}/cancel"),
            {"title": "Trouble", "detail": "because", "status": 400},
        ),
        "bfl": Account(
            "flux-2-pro",
            {"id": "t1", "polling_url": _POLLING, "cost": 3.0, "input_mp": 0.0, "output_mp": 1.0},
            {"id": "t1", "status": "Pending", "result": None, "progress": 0.2},
            JobReference(service="svc", job_id="t1", status_url=_POLLING),
            {"detail": "because"},
        ),
    }
)
