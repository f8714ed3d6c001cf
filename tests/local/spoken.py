"""The five dialects as they go over the wire, and a client's view of the receiver."""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from PIL import Image

Body = dict[str, Any]


def _png() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((60, 40), 80).save(buffer, "PNG")
    return buffer.getvalue()


PNG = _png()
TEXT = base64.b64encode(PNG).decode()
SHA256 = hashlib.sha256(PNG).hexdigest()


def rpc(params: Body) -> Body:
    return {"jsonrpc": "2.0", "method": "call", "id": 42, "params": params}


@dataclass(frozen=True)
class Spoken:
    """One dialect as it goes over the wire."""

    name: str
    path: str
    header: str
    success: Body
    failure: Body
    missing: str
    """A field of the failure that must be there."""
    status: int = 200
    jsonrpc: bool = False

    def body(self, content: Body) -> Body:
        return rpc(content) if self.jsonrpc else content

    def accepted(self) -> Body:
        return {"jsonrpc": "2.0", "id": 42, "result": {"status": "success"}} if self.jsonrpc else {"status": "ok"}

    def without_image(self) -> Body:
        bare = {name: value for name, value in self.success.items() if "mage" not in name or "etadata" in name}
        return {**bare, "result_payload": {"status": "success"}} if self.name == "endpoint" else bare


EVENT = Spoken(
    "event",
    "/callback/event",
    "X-Api-Key",
    {
        "requestId": "r-1",
        "correlationId": "c-1",
        "status": "completed",
        "imageData": TEXT,
        "imageMetadata": {"format": "png", "size": len(PNG), "width": 60, "height": 40},
        "hashValue": SHA256,
    },
    {
        "requestId": "r-1",
        "correlationId": "c-1",
        "status": "failed",
        "errorCode": "CONTENT_REJECTED",
        "errorMessage": "no",
    },
    "errorCode",
)
CORRELATION = Spoken(
    "correlation",
    "/api/influencegen/image_result_callback",
    "X-Api-Key",
    {
        "correlationId": "r-1",
        "status": "success",
        "imageData": TEXT,
        "contentType": "image/png",
        "metadata": {"seed": 1},
    },
    {"correlationId": "r-1", "status": "error", "errorCode": "CONTENT_REJECTED", "errorMessage": "no"},
    "errorMessage",
)
REQUEST = Spoken(
    "request",
    "/api/influencegen/ai_image_callback",
    "X-Api-Key",
    {
        "request_id": "r-1",
        "status": "completed",
        "image_url": f"data:image/png;base64,{TEXT}",
        "metadata": {"seed_used": 1, "actual_width": 60, "actual_height": 40},
    },
    {"request_id": "r-1", "status": "failed", "error": {"message": "no", "code": "CONTENT_REJECTED"}},
    "error",
    status=202,
)
ADAPTER = Spoken(
    "adapter",
    "/influence_gen/n8n/ai_callback",
    "X-N8N-Signature",
    {
        "request_id": "r-1",
        "status": "success",
        "images": [{"image_data_b64": TEXT, "filename": "a.png", "content_type": "image/png", "metadata": {}}],
        "n8n_execution_id": "run",
    },
    {"request_id": "r-1", "status": "failure", "error_message": "no", "error_code": "CONTENT_REJECTED"},
    "error_message",
    jsonrpc=True,
)
ENDPOINT = Spoken(
    "endpoint",
    "/influence_gen/ai/callback/image_result",
    "X-N8N-Webhook-Token",
    {
        "ai_generation_request_id": "r-1",
        "result_payload": {
            "status": "success",
            "data": {
                "image_data": TEXT,
                "file_format": "png",
                "file_size": len(PNG),
                "width": 60,
                "height": 40,
                "mimetype": "image/png",
            },
        },
    },
    {
        "ai_generation_request_id": "r-1",
        "result_payload": {
            "status": "failure",
            "error_data": {"message": "no", "details": "CONTENT_REJECTED"},
        },
    },
    "result_payload",
    jsonrpc=True,
)
ALL = [EVENT, CORRELATION, REQUEST, ADAPTER, ENDPOINT]
each_dialect = pytest.mark.parametrize("spoken", ALL, ids=lambda spoken: spoken.name)


async def send(
    receiver: httpx.AsyncClient, spoken: Spoken, content: Body, key: str | None = None, **headers: str
) -> httpx.Response:
    sent = {"X-Correlation-Id": "r-1", **({"Idempotency-Key": key} if key else {}), **headers}
    return await receiver.post(spoken.path, json=spoken.body(content), headers=sent)


async def received(receiver: httpx.AsyncClient) -> Body:
    report: Body = (await receiver.get("/received")).json()
    return report


def counts(report: Body) -> tuple[int, int, int, int]:
    """Outcomes, repeated, conflicts, duplicates."""
    return len(report["outcomes"]), report["repeated"], report["conflicts"], report["duplicates"]


def refusal(answer: httpx.Response, spoken: Spoken) -> tuple[int | str, str]:
    """The status (or, inside a 200, the name of Odoo's exception) and the message."""
    content = answer.json()
    if not spoken.jsonrpc:
        return answer.status_code, content["error"]
    assert (answer.status_code, content["jsonrpc"], content["id"]) == (200, "2.0", 42)
    return content["error"]["data"]["name"], content["error"]["data"]["message"]
