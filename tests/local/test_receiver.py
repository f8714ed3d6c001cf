from __future__ import annotations

import asyncio
import base64
import io
import signal
import subprocess
from collections.abc import Awaitable, Callable

import httpx
import pytest
from PIL import Image
from starlette.types import ASGIApp

from operations.local.image_service import ImageServiceConfig
from operations.local.image_service import create_app as create_image_service
from operations.local.receiver import ReceiverConfig, create_app
from tests.local.spoken import (
    ADAPTER,
    CORRELATION,
    ENDPOINT,
    EVENT,
    PNG,
    REQUEST,
    SHA256,
    TEXT,
    Body,
    Spoken,
    counts,
    each_dialect,
    received,
    refusal,
    send,
)

Serve = Callable[[ASGIApp], Awaitable[httpx.AsyncClient]]
Launch = Callable[..., subprocess.Popen[str]]


@each_dialect
async def test_a_success_is_answered_as_documented_and_its_image_kept(
    receiver: httpx.AsyncClient, spoken: Spoken
) -> None:
    answer = await send(receiver, spoken, spoken.success, key="r-1:1", traceparent="00-aa-bb-01")
    (outcome,) = (await received(receiver))["outcomes"]
    image = await receiver.get(f"/images/{SHA256}")
    assert (answer.status_code, answer.json()) == (spoken.status, spoken.accepted())
    assert outcome.pop("at") > 0
    assert outcome == {
        "request_id": "r-1",
        "dialect": spoken.name,
        "status": "completed",
        "error_code": None,
        "error_message": None,
        "image_sha256": SHA256,
        "media_type": "image/png",
        "width": 60,
        "height": 40,
        "bytes": len(PNG),
        "all_image_sha256": [SHA256],
        "idempotency_key": "r-1:1",
        "attempts": 1,
        "correlation": "r-1",
        "traceparent": "00-aa-bb-01",
    }
    assert (image.content, image.headers["Content-Type"]) == (PNG, "image/png")


@each_dialect
async def test_a_failure_is_kept_with_code_and_message(receiver: httpx.AsyncClient, spoken: Spoken) -> None:
    answer = await send(receiver, spoken, spoken.failure)
    (outcome,) = (await received(receiver))["outcomes"]
    assert answer.status_code == spoken.status
    assert (outcome["status"], outcome["image_sha256"]) == ("failed", None)
    assert (outcome["error_code"], outcome["error_message"]) == ("CONTENT_REJECTED", "no")


@each_dialect
async def test_what_does_not_keep_its_dialect_is_refused(receiver: httpx.AsyncClient, spoken: Spoken) -> None:
    broken = {name: value for name, value in spoken.failure.items() if name != spoken.missing}
    status, message = refusal(await send(receiver, spoken, broken), spoken)
    bare, _ = refusal(await send(receiver, spoken, spoken.without_image()), spoken)
    report = await received(receiver)
    assert {status, bare} == {"odoo.exceptions.ValidationError" if spoken.jsonrpc else 400}
    assert spoken.missing in message
    assert (report["outcomes"], report["refused"]) == ([], 2)


@each_dialect
async def test_a_body_that_is_no_json_is_a_plain_400(receiver: httpx.AsyncClient, spoken: Spoken) -> None:
    answer = await receiver.post(spoken.path, content=b"{")
    assert (answer.status_code, answer.text) == (400, "Invalid JSON data")


@pytest.mark.parametrize("spoken", [ADAPTER, ENDPOINT], ids=lambda spoken: spoken.name)
async def test_a_json_route_demands_its_envelope(receiver: httpx.AsyncClient, spoken: Spoken) -> None:
    answer = await receiver.post(spoken.path, json=spoken.success)
    assert answer.status_code == 200
    assert "JSON-RPC 2.0 envelope" in answer.json()["error"]["data"]["message"]


@each_dialect
async def test_a_configured_secret_is_demanded(serve: Serve, monkeypatch: pytest.MonkeyPatch, spoken: Spoken) -> None:
    monkeypatch.setenv("LOCAL_SECRET", "right")
    receiver = await serve(create_app(ReceiverConfig(secret="env:LOCAL_SECRET")))
    denied, _ = refusal(await send(receiver, spoken, spoken.success), spoken)
    wrong, _ = refusal(await send(receiver, spoken, spoken.success, **{spoken.header: "wrong"}), spoken)
    right = await send(receiver, spoken, spoken.success, **{spoken.header: "right"})
    assert {denied, wrong} == {"odoo.exceptions.AccessDenied" if spoken.jsonrpc else 401}
    assert right.json() == spoken.accepted()


async def test_a_wrong_security_token_is_refused(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_SECRET", "right")
    receiver = await serve(create_app(ReceiverConfig(secret="env:LOCAL_SECRET")))
    headers = {ENDPOINT.header: "right"}
    wrong = await send(receiver, ENDPOINT, {**ENDPOINT.success, "security_token": "incoming"}, **headers)
    right = await send(receiver, ENDPOINT, {**ENDPOINT.success, "security_token": "right"}, **headers)
    assert "security_token" in refusal(wrong, ENDPOINT)[1]
    assert right.json() == ENDPOINT.accepted()


@each_dialect
async def test_the_same_key_and_body_is_answered_again_and_not_applied(
    receiver: httpx.AsyncClient, spoken: Spoken
) -> None:
    first = await send(receiver, spoken, spoken.success, key="k")
    again = await send(receiver, spoken, spoken.success, key="k")
    report = await received(receiver)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert counts(report) == (1, 1, 0, 0)
    assert report["outcomes"][0]["attempts"] == 2


async def test_equal_deliveries_at_once_are_applied_once(receiver: httpx.AsyncClient, serve: Serve) -> None:
    images = await serve(create_image_service(ImageServiceConfig(latency_s=0)))
    order = {"prompt": "x", "size": "64x64", "response_format": "url"}
    made = await images.post("/v1/images/generations", json=order)
    body = {**CORRELATION.success, "imageData": None, "imageUrl": made.json()["data"][0]["url"]}
    answers = await asyncio.gather(*(send(receiver, CORRELATION, body, key="k") for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert counts(await received(receiver)) == (1, 7, 0, 0)


@each_dialect
async def test_the_same_key_with_another_body_is_a_conflict(receiver: httpx.AsyncClient, spoken: Spoken) -> None:
    await send(receiver, spoken, spoken.failure, key="k")
    status, message = refusal(await send(receiver, spoken, spoken.success, key="k"), spoken)
    assert status == ("werkzeug.exceptions.Conflict" if spoken.jsonrpc else 409)
    assert "Idempotency-Key" in message
    assert counts(await received(receiver)) == (1, 0, 1, 0)


async def test_a_second_outcome_after_a_completed_one_is_a_duplicate(receiver: httpx.AsyncClient) -> None:
    await send(receiver, EVENT, EVENT.success, key="r-1:1")
    await send(receiver, EVENT, EVENT.success, key="r-1:2")
    await send(receiver, EVENT, EVENT.failure)
    assert counts(await received(receiver)) == (3, 0, 0, 2)


async def test_success_after_failure_is_no_duplicate(receiver: httpx.AsyncClient) -> None:
    await send(receiver, EVENT, EVENT.failure, key="r-1:1")
    await send(receiver, EVENT, EVENT.success, key="r-1:2")
    await send(receiver, CORRELATION, CORRELATION.success, key="r-1:2")
    assert counts(await received(receiver)) == (3, 0, 0, 0)


async def test_all_images_of_an_adapter_callback_are_kept(receiver: httpx.AsyncClient) -> None:
    other = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(other, "WEBP")
    second = {"image_data_b64": base64.b64encode(other.getvalue()).decode(), "content_type": "image/webp"}
    await send(receiver, ADAPTER, {**ADAPTER.success, "images": [*ADAPTER.success["images"], second]})
    (outcome,) = (await received(receiver))["outcomes"]
    _, kept = outcome["all_image_sha256"]
    assert (await receiver.get(f"/images/{kept}")).headers["Content-Type"] == "image/webp"


async def test_an_image_by_url_is_fetched(receiver: httpx.AsyncClient, serve: Serve) -> None:
    images = await serve(create_image_service(ImageServiceConfig()))
    order = {"text_prompt": "x", "width": 64, "height": 32, "output": "url"}
    url = (await images.post("/generate", json=order)).json()["images"][0]["url"]
    body = {**REQUEST.success, "image_url": url, "metadata": {"actual_width": 64, "actual_height": 32}}
    assert (await send(receiver, REQUEST, body)).status_code == 202
    gone = await send(receiver, REQUEST, {**body, "image_url": f"{images.base_url}/files/gone.png"})
    assert gone.status_code == 400
    assert "404" in gone.json()["error"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"imageData": TEXT[: len(TEXT) // 8 * 4]}, "no complete image"),
        ({"imageData": ""}, "exactly one"),
        ({"imageData": "%%"}, "base64"),
        ({"imageData": base64.b64encode(b"<html>").decode()}, "no complete image"),
        ({"imageData": None, "imageUrl": "ftp://x/y.png"}, "cannot be fetched"),
        ({"imageUrl": "http://127.0.0.1:9/y.png"}, "exactly one"),
        ({"hashValue": "0" * 64}, "SHA-256"),
        ({"imageMetadata": {"format": "png", "size": len(PNG), "width": 61, "height": 40}}, "width"),
        ({"imageMetadata": {"format": "png", "size": "9", "width": 60, "height": 40}}, "imageMetadata.size"),
    ],
)
async def test_an_image_that_is_none_or_not_as_claimed_is_refused(
    receiver: httpx.AsyncClient, change: Body, named: str
) -> None:
    answer = await send(receiver, EVENT, {**EVENT.success, **change}, key="k")
    assert answer.status_code == 400
    assert named in answer.json()["error"]
    assert (await send(receiver, EVENT, EVENT.success, key="k")).status_code == 200


async def test_received_can_be_limited_and_emptied(receiver: httpx.AsyncClient) -> None:
    for number in range(3):
        await send(receiver, EVENT, {**EVENT.failure, "requestId": f"r-{number}"})
    newest = (await receiver.get("/received", params={"limit": 2})).json()
    assert [outcome["request_id"] for outcome in newest["outcomes"]] == ["r-1", "r-2"]
    assert newest["total"] == 3
    emptied = (await receiver.delete("/received")).json()
    assert (emptied["outcomes"], emptied["total"]) == ([], 0)


async def test_the_page_needs_nothing_from_elsewhere(receiver: httpx.AsyncClient) -> None:
    page = await receiver.get("/")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "Nothing received yet" in page.text
    assert "//" not in page.text.replace("data:,", "")


def test_the_command_serves_until_sigint(launch: Launch) -> None:
    process = launch("operations.local.receiver", "--port", "0", "--secret-env", "LOCAL_SECRET", LOCAL_SECRET="right")
    assert process.stdout is not None
    name, _, url = process.stdout.readline().strip().partition(" ready on ")
    assert name == "receiver"
    assert httpx.post(f"{url}{EVENT.path}", json=EVENT.success).status_code == 401
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=20)
    assert (process.returncode, complaints) == (0, "")
