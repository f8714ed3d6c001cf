"""The real `deliver-callback` with a scripted Odoo: one route per dialect, each with secrets of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activities import Activities
from activities.records import Records
from contracts.dialects import CALLBACK_DIALECTS, DIALECTS
from contracts.errors import Failure, FailureClass, make_failure
from contracts.identity import sha256_hex
from contracts.policies import StepPolicy
from contracts.requests import (
    DeliverInput,
    Delivery,
    DeliveryReceipt,
    GeneratedImages,
    ImageOutcome,
    RequestReference,
    StoredImage,
)
from runtime.blobs import LocalBlobStore
from runtime.settings import Settings
from tests.activities.doubles import OTHER_PICTURE, PICTURE
from tests.activities.series import Series
from tests.services.calls import TRACEPARENT
from tests.services.scripted import ScriptedServer
from tests.temporal_server import unconnected

POLICY = StepPolicy(attempts=0, initial_s=2, maximum_s=600, timeout_s=20, deadline_s=72 * 3600)
SECRETS = {
    "callback": "made-up-callback-0123456789",
    "token": "made-up-token-0123456789",
    "incoming": "made-up-incoming-0123456789",
    "signing": "made-up-signing-0123456789",
}
EXPIRES_AT = 1_999_999_999
PUBLIC = "https://images.example"


def stored(data: bytes, width: int) -> StoredImage:
    return StoredImage(sha256=sha256_hex(data), media_type="image/png", size=len(data), width=width, height=16, seed=7)


IMAGES = GeneratedImages(service="flux", model="flux-1", images=(stored(PICTURE, 32), stored(OTHER_PICTURE, 24)))
SUCCESS = ImageOutcome(generated=IMAGES)
FAILED: Failure = make_failure(FailureClass.QUOTA_EXHAUSTED, "no credit")
FAILURE = ImageOutcome(failure=FAILED)


def letter(dialect: str = "event", number: int = 1, **changes: Any) -> DeliverInput:
    """One delivery."""
    delivery = {"number": number, "envelope": DIALECTS[dialect].envelope, "images": "inline", "expires_at": EXPIRES_AT}
    fields: dict[str, Any] = {
        "reference": RequestReference(request_id="request-7", dialect=dialect, correlation_id="correlation-7"),
        "route": dialect,
        "odoo": "main",
        "outcome": SUCCESS,
        "policy": POLICY,
        "traceparent": TRACEPARENT,
    }
    fields.update({name: value for name, value in changes.items() if name not in delivery})
    delivery.update({name: value for name, value in changes.items() if name in delivery})
    return DeliverInput(**fields, delivery=Delivery.model_validate(delivery))


def make_settings(directory: Path, odoo: str, **routes: Mapping[str, Any]) -> Settings:
    """One route per dialect; `routes` changes the callback of some."""
    for name, value in SECRETS.items():
        (directory / name).write_text(value, encoding="utf-8")
    tree = {
        "starter": {"public_base_url": PUBLIC},
        "store": {"path": directory / "store", "signing_key": f"file:{directory}/signing"},
        "odoos": {"main": {"database": "acme", "base_url": f"{odoo}/odoo"}},
        "services": {"flux": {"kind": "flux_lora", "base_url": "http://127.0.0.1:9"}},
        "routes": {name: _route(name, directory, routes.get(name, {})) for name in CALLBACK_DIALECTS},
    }
    return Settings.model_validate(tree)


def _route(dialect: str, directory: Path, callback: Mapping[str, Any]) -> dict[str, Any]:
    header = {"kind": "header", "name": DIALECTS[dialect].callback_header, "secret": f"file:{directory}/callback"}
    tokens = dialect == "endpoint"
    return {
        "path": dialect,
        "dialect": dialect,
        "odoo": "main",
        "services": ["flux"],
        **({"security_token": f"file:{directory}/incoming"} if tokens else {}),
        "callback": {
            "path": f"/callback/{dialect}",
            "auth": header,
            **({"security_token": f"file:{directory}/token"} if tokens else {}),
            **callback,
        },
    }


@dataclass(frozen=True)
class Post:
    """A worker's delivery activity, its store, and the Odoo that it posts to."""

    activities: Activities
    records: Records
    odoo: ScriptedServer
    directory: Path

    def delivering(self, call: DeliverInput) -> Series[DeliveryReceipt]:
        """Attempts of `deliver-callback`."""
        return Series(lambda: self.activities.delivery.deliver_callback(call))


@asynccontextmanager
async def posting(directory: Path, **routes: Mapping[str, Any]) -> AsyncIterator[Post]:
    """A worker whose store holds the pictures, and an Odoo that takes everything."""
    async with ScriptedServer().running() as odoo:
        odoo.answer({"jsonrpc": "2.0", "id": 1, "result": {"status": "success"}})
        blobs = LocalBlobStore(directory / "store")
        records = Records(blobs)
        for data in (PICTURE, OTHER_PICTURE):
            await records.put_image(data)
        activities = Activities(make_settings(directory, odoo.url, **routes), blobs, await unconnected())
        try:
            yield Post(activities, records, odoo, directory)
        finally:
            await activities.aclose()
