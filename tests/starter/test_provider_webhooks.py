from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from contracts import names
from runtime.blobs import LocalBlobStore
from runtime.ring_urls import Ring, ring_url
from runtime.settings import Settings
from starter.app import create_app
from starter.provider_webhooks import BODY_LIMIT, ProviderWebhooks, PublishedKeys
from starter.wire.server import listening
from tests.services.scripted import Script, ScriptedServer
from tests.starter.front import SIGNING_KEY, lazy_client, make_settings

BFL_SECRET = "made-up-bfl-secret-0123456789"
REPLICATE_KEY = b"made-up-replicate-key-0123456789"
BODY = json.dumps({"status": "COMPLETED", "note": "nothing of this is believed"}).encode()
TEMPORAL_PATIENCE = timedelta(seconds=60)


@workflow.defn(name="rung")
class RungWorkflow:
    """Ends once it was rung."""

    def __init__(self) -> None:
        self._rings = 0

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self._rings > 0)
        return self._rings

    @workflow.signal(name=names.JOB_FINISHED)
    def ring(self) -> None:
        self._rings += 1


@dataclass
class Bell:
    """A starter with services that ring, and the workflow that hears it."""

    http: httpx.AsyncClient
    client: Client
    fal_key: Ed25519PrivateKey
    published: ScriptedServer
    queue: str

    async def wait(self) -> WorkflowHandle[Any, Any]:
        """A request that waits to be woken."""
        return await self.client.start_workflow(
            "rung", id=f"event/{uuid.uuid4()}", task_queue=self.queue, execution_timeout=TEMPORAL_PATIENCE
        )

    async def ring(self, service: str, workflow_id: str, headers: Mapping[str, str], body: bytes = BODY) -> int:
        """The status of the answer."""
        encoded = httpx.Headers([(name.encode(), value.encode()) for name, value in headers.items()])
        answer = await self.http.post(path(service, workflow_id), content=body, headers=encoded)
        return answer.status_code

    def fal(self, body: bytes = BODY, key: Ed25519PrivateKey | None = None) -> dict[str, str]:
        """The headers by which fal signs."""
        parts = ("request-1", "user-1", str(int(time.time())))
        message = "\n".join([*parts, hashlib.sha256(body).hexdigest()]).encode()
        signature = (key or self.fal_key).sign(message).hex()
        named = zip(("request-id", "user-id", "timestamp", "signature"), (*parts, signature), strict=True)
        return {f"X-Fal-Webhook-{name}": value for name, value in named}

    def publish(self, key: Ed25519PrivateKey) -> None:
        """The key set that fal hands out."""
        x = base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).decode().rstrip("=")
        self.published.answer({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]})


def path(service: str, workflow_id: str, key: str = SIGNING_KEY) -> str:
    """Where the service was told to ring."""
    return ring_url("", service, Ring(workflow_id, 1), key)


def bfl(body: bytes = BODY, secret: str = BFL_SECRET) -> dict[str, str]:
    """The header by which BFL signs."""
    return {"X-BFL-Signature": f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"}


def replicate(body: bytes = BODY, when: float | None = None) -> dict[str, str]:
    """The headers by which Replicate signs."""
    parts = ("msg-1", str(int(when or time.time())))
    digest = hmac.new(REPLICATE_KEY, f"{parts[0]}.{parts[1]}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": parts[0], "webhook-timestamp": parts[1], "webhook-signature": signature}


def ringing_settings(directory: Path) -> Settings:
    """Services of each kind that can ring, and one that may not."""
    (directory / "bfl").write_text(BFL_SECRET, encoding="utf-8")
    (directory / "replicate").write_text(f"whsec_{base64.b64encode(REPLICATE_KEY).decode()}", encoding="utf-8")
    service = {"base_url": "http://127.0.0.1:9", "webhook": True}
    services: dict[str, dict[str, object]] = {
        "main": {**service, "kind": "openai", "webhook": False},
        "spare": {**service, "kind": "bfl", "webhook": False, "webhook_secret": f"file:{directory}/bfl"},
        "fal": {**service, "kind": "fal"},
        "bfl": {**service, "kind": "bfl", "webhook_secret": f"file:{directory}/bfl"},
        "forgetful": {**service, "kind": "bfl", "webhook_secret": f"file:{directory}/missing"},
        "replicate": {**service, "kind": "replicate", "webhook_secret": f"file:{directory}/replicate"},
    }
    return make_settings(directory, services=services)


@asynccontextmanager
async def ringing(directory: Path, client: Client) -> AsyncIterator[Bell]:
    """Everything that a ring needs."""
    queue, key = f"rung-{uuid.uuid4()}", Ed25519PrivateKey.generate()
    async with ScriptedServer().running() as published:
        webhooks = ProviderWebhooks(ringing_settings(directory), client, PublishedKeys(published.url))
        app = Starlette(routes=webhooks.routes())
        async with listening(app, "127.0.0.1", 0) as url, httpx.AsyncClient(base_url=url, trust_env=False) as http:
            bell = Bell(http, client, key, published, queue)
            bell.publish(key)
            yield bell


@pytest.fixture
async def bell(tmp_path: Path, temporal_client: Client) -> AsyncIterator[Bell]:
    async with (
        ringing(tmp_path, temporal_client) as running,
        Worker(
            temporal_client,
            task_queue=running.queue,
            workflows=[RungWorkflow],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ),
    ):
        yield running


@pytest.mark.parametrize("service", ["fal", "bfl", "replicate"])
async def test_a_service_that_rings_wakes_its_request(bell: Bell, service: str) -> None:
    waiting = await bell.wait()
    headers = {"fal": bell.fal(), "bfl": bfl(), "replicate": replicate()}[service]
    assert await bell.ring(service, waiting.id, headers) == 200
    assert await waiting.result() >= 1
    assert await bell.ring(service, waiting.id, headers) == 200, "a service may ring more than once"


async def test_a_ring_for_a_request_that_never_was_is_taken_quietly(bell: Bell) -> None:
    assert await bell.ring("bfl", "event/never-started", bfl()) == 200


@pytest.mark.parametrize(
    "forged",
    [
        {},
        bfl(secret="another-secret"),
        bfl(body=b"another body"),
        {"X-BFL-Signature": "sha256="},
        {"X-BFL-Signature": "\u00e9"},
    ],
    ids=["unsigned", "other secret", "other body", "empty", "no text"],
)
async def test_who_cannot_sign_wakes_nobody(bell: Bell, forged: dict[str, str]) -> None:
    waiting = await bell.wait()
    assert await bell.ring("bfl", waiting.id, forged) == 401
    assert names.JOB_FINISHED not in await _signals(waiting)


async def test_an_old_ring_is_refused(bell: Bell) -> None:
    assert await bell.ring("replicate", "event/x", replicate(when=time.time() - 3600)) == 401


async def test_while_our_secret_is_missing_the_service_is_asked_to_ring_again(bell: Bell) -> None:
    assert await bell.ring("forgetful", "event/x", bfl()) == 503


@pytest.mark.parametrize(
    "address",
    [
        path("spare", "event/x"),
        path("main", "event/x"),
        path("nobody", "event/x"),
        path("bfl", "event/x", key="another-signing-key-0123456789"),
        path("fal", "event/x").replace("/fal/", "/bfl/"),
        "/services/bfl/ring/x",
        f"/services/bfl/ring/{'x' * 5000}",
        "/services/bfl/ring/%C3%A9%00",
        "/services/bfl/ring/",
    ],
    ids=["not wanted", "cannot ring", "no service", "other key", "other service", "short", "long", "odd", "none"],
)
async def test_an_address_that_we_did_not_give_out_is_not_found(bell: Bell, address: str) -> None:
    answer = await bell.http.post(address, content=BODY, headers=bfl())
    assert answer.status_code == 404


async def test_a_large_ring_is_refused(bell: Bell) -> None:
    body = b"x" * (BODY_LIMIT + 1)
    assert await bell.ring("bfl", "event/x", bfl(body=body), body) == 413


async def test_only_a_post_rings(bell: Bell) -> None:
    assert (await bell.http.get(path("bfl", "event/x"))).status_code == 405


async def test_published_keys_are_fetched_once(bell: Bell) -> None:
    statuses = await asyncio.gather(*(bell.ring("fal", "event/x", bell.fal()) for _ in range(8)))
    assert set(statuses) == {200}
    assert len(bell.published.received) == 1


async def test_a_forger_does_not_make_us_fetch_keys_again_and_again(bell: Bell) -> None:
    forged = bell.fal(key=Ed25519PrivateKey.generate())
    for _ in range(4):
        assert await bell.ring("fal", "event/x", forged) == 401
    assert len(bell.published.received) == 1


@pytest.mark.parametrize(
    "script",
    [
        Script(status=500),
        Script(then="drop"),
        Script(body=b"<html>"),
        Script(body=b'{"keys": "none"}'),
        Script(body=b"x" * 100_000),
    ],
    ids=["failed", "no answer", "no JSON", "no keys", "too large"],
)
async def test_without_keys_the_service_is_asked_to_ring_again(bell: Bell, script: Script) -> None:
    bell.published.play(script)
    answer = await bell.http.post(path("fal", "event/x"), content=BODY, headers=bell.fal())
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


async def test_without_temporal_the_service_is_asked_to_ring_again(tmp_path: Path) -> None:
    async with ringing(tmp_path, await lazy_client("127.0.0.1:9")) as bell:
        assert await bell.ring("bfl", "event/x", bfl()) == 503


async def test_the_starter_serves_the_doorbell(tmp_path: Path, temporal_client: Client) -> None:
    settings = ringing_settings(tmp_path)
    app = create_app(settings, temporal_client, LocalBlobStore(settings.store.path))
    async with listening(app, "127.0.0.1", 0) as url, httpx.AsyncClient(base_url=url, trust_env=False) as http:
        answer = await http.post(path("bfl", "event/x"), content=BODY, headers=bfl())
    assert answer.status_code == 200


async def _signals(handle: WorkflowHandle[Any, Any]) -> list[str]:
    events = (await handle.fetch_history()).events
    return [event.workflow_execution_signaled_event_attributes.signal_name for event in events]
